//! The command line, command by command: without a server and beside a running one, for people and for programs.

mod admins;
mod areas;
mod configuration;
mod demo;
mod doctor;
mod documents;
mod help;
mod keys;
mod openapi;
mod plugins;
mod sessions;
mod stamps;
mod systems;
mod tenants;
mod users;
mod variables;

/// What a command says on standard error where no server is there to be told.
const NO_SERVER: &str = "no server runs on this data directory; the change takes effect when one starts\n";
