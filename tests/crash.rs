//! The real binary, ended without warning and told to stop: what was acknowledged holds, whatever happens after it.

mod kill;
mod order;
