//! Speaks HTTP and gRPC: the listener, the routes and what surrounds them, and the command line.

pub mod admin;
pub mod api;
pub mod app;
pub mod command;
pub mod configuration;
pub mod console;
pub mod control;
pub mod cross_origin;
pub mod document;
pub mod envelope;
pub mod fault;
pub mod grpc;
pub mod head;
mod header_field;
pub mod health;
pub mod key_set;
pub mod language;
pub mod legacy;
pub mod listener;
pub mod named_host;
pub mod openapi;
pub mod proxy;
pub mod reread;
pub mod security_headers;
pub mod stores;
pub mod telemetry;
