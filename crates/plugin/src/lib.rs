//! Response plugins: runs an allow-listed script on a response's JSON value, bounded in time, memory, steps and output.
//! A plugin that fails gives the untouched value back, so that it can never undo, block or fake what was done before it.

pub mod casing;
pub mod examples;

mod breaker;
mod budget;
mod chain;
mod compiling;
mod context;
mod convert;
mod engine;
mod failure;
mod functions;
mod json;
mod library;
mod limits;
mod memory;
mod meter;
mod name;
mod path;
mod plugins;
mod pool;
mod registry;
mod report;
mod reserved;
mod run;
mod size;
mod veil;
mod words;

pub use breaker::{Breakers, Place, Switch, Tripped};
pub use chain::{Chain, Shaped};
pub use compiling::CompileError;
pub use context::Context;
pub use failure::{Failure, FailureCode};
pub use functions::HostFunction;
pub use limits::described as described_limits;
pub use meter::{Counted, Meter};
pub use name::PluginName;
pub use plugins::{Error, Outcome, Plugins};
pub use registry::{PLATFORM, Plugin, Published};
