//! Many at once on one session or one user: one wins, the others see what it did, and nothing outlives an end.

mod caller;
mod limit;
mod logout;
mod nodes;
mod rotation;
