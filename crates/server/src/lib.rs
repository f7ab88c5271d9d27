//! Speaks HTTP: the listener, the routes and what surrounds them.

pub mod configuration;
pub mod cross_origin;
pub mod document;
pub mod listener;
pub mod proxy;
pub mod telemetry;
