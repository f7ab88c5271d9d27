//! What a script can call: the host functions of the plugin contract, and checked strings, arrays and maps.

use std::sync::Arc;

use rhai::Engine;

use crate::casing;
use crate::context::Context;
use crate::json::Json;

/// The context as a script holds it.
#[derive(Clone)]
pub(crate) struct Facts(pub(crate) Arc<Context>);

/// The texts behind `text(code, language)`.
#[derive(Clone)]
pub(crate) struct Texts(Arc<dyn Fn(&str, &str) -> Option<String> + Send + Sync>);

impl Texts {
    pub(crate) fn new(texts: impl Fn(&str, &str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(texts))
    }
}

/// Puts everything into the engine.
pub(crate) fn install(engine: &mut Engine, _texts: Texts) {
    engine.register_fn("camel", |json: &mut Json| {
        json.change(casing::camel);
        json.clone()
    });
    engine.register_fn("snake", |json: &mut Json| {
        json.change(casing::snake);
        json.clone()
    });
}
