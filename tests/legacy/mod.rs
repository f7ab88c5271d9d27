//! The v1.0 contract (contract 2): cookie sessions, old fleets beside ours, and gRPC. Each file is one subject.

mod both_contracts;
mod browser;
mod cross_site;
pub(crate) mod fleet_of_test;
mod fleets;
mod foreign_cookies;
mod grpc;
mod grpc_wire;
mod old_servers;
mod session;

pub(crate) use fleet_of_test::{fleet_of, serve, user_with_mobile};
