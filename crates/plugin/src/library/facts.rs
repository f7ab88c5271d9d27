//! `ctx`: what a script may read about the request.

use std::sync::Arc;

use rhai::{Dynamic, Engine, INT, Map};

use crate::context::Context;

/// The context as a script holds it: members that can be read, and nothing that can be written.
#[derive(Clone)]
pub(crate) struct Facts(pub(crate) Arc<Context>);

pub(super) fn install(engine: &mut Engine) {
    engine
        .register_type_with_name::<Facts>("Context")
        .register_get("owner_id", |facts: &mut Facts| optional(facts.0.owner_id.as_deref()))
        .register_get("sys_id", |facts: &mut Facts| optional(facts.0.sys_id.as_deref()))
        .register_get("user_id", |facts: &mut Facts| optional(facts.0.user_id.as_deref()))
        .register_get("route", |facts: &mut Facts| facts.0.route.to_string())
        .register_get("method", |facts: &mut Facts| facts.0.method.to_string())
        .register_get("status", |facts: &mut Facts| INT::from(facts.0.status))
        .register_get("language", |facts: &mut Facts| facts.0.language.to_string())
        .register_get("now_ms", |facts: &mut Facts| facts.0.now_ms)
        .register_get("params", |facts: &mut Facts| parameters(&facts.0));
}

fn optional(text: Option<&str>) -> Dynamic {
    text.map_or(Dynamic::UNIT, Into::into)
}

/// The parameters as a map; of one sent twice the last counts.
fn parameters(context: &Context) -> Map {
    context.params.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into())).collect()
}
