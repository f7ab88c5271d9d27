//! The real binary: commands as an operator types them, servers that are started, told to stop and killed, and frontends
//! that speak to them over a socket.

mod frontend;
mod place;
mod server;
mod wire;

pub(crate) use frontend::{Frontend, Pair, new_owner};
pub(crate) use place::{Finished, Place, finish};
pub(crate) use server::Server;
pub(crate) use wire::{Answer, Connection, Request, call};
