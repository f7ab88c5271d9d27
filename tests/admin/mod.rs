//! The admin API: who may do what, and that what is done holds everywhere when it is answered.

pub(crate) use administrator::{Administrator, assert_problem};

pub(crate) mod administrator;
mod audit;
mod effects;
mod nul;
mod pages;
mod plugins;
mod problems;
mod resources;
mod roles;
mod sign_in;
