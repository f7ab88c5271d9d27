//! `camel()`, `snake()` and `rename(map)`: what members are called.

use std::collections::HashMap;

use rhai::{Engine, FuncRegistration, ImmutableString, Map};
use serde_json::Value;

use crate::budget::{self, Fallible, Work};
use crate::casing;
use crate::json::Json;

pub(super) fn install(engine: &mut Engine) {
    FuncRegistration::new("camel")
        .with_params_info(["json: Json", "Json"])
        .with_comments(["/// Spells every member name in lower camelCase, at every level. Returns the value."])
        .register_into_engine(engine, |json: &mut Json| respell(json, casing::camel));
    FuncRegistration::new("snake")
        .with_params_info(["json: Json", "Json"])
        .with_comments(["/// Spells every member name in snake_case, at every level. Returns the value."])
        .register_into_engine(engine, |json: &mut Json| respell(json, casing::snake));
    FuncRegistration::new("rename")
        .with_params_info(["json: Json", "names: map", "Json"])
        .with_comments(["/// Renames members of this object: `#{old: \"new\"}`. A name that is taken is not given. Returns the value."])
        .register_into_engine(engine, rename);
}

fn respell(json: &mut Json, convert: fn(&mut Value) -> usize) -> Fallible<Json> {
    let collisions = json.change(convert)?;
    if collisions > 0 {
        metrics::counter!("bo_auth_plugin_name_collisions_total").increment(collisions as u64);
    }
    budget::check()?;
    Ok(json.clone())
}

fn rename(json: &mut Json, names: Map) -> Fallible<Json> {
    // New names are shared, not copied: many members may ask for one long name, and at most one gets it.
    let mut wanted = HashMap::with_capacity(names.len());
    let mut work = Work::default();
    for (old, new) in names {
        let new = new.into_immutable_string().map_err(|_| format!("the new name of `{:.100}` is no text", old.as_str()))?;
        work.add(old.len() + new.len())?;
        if new != old {
            wanted.insert(old, new);
        }
    }
    let collisions = json.change(|value| match value {
        Value::Object(members) => Ok(casing::rename_members(members, |name| wanted.get(name).map(ImmutableString::as_str))),
        _ => Err("only an object has members to rename"),
    })??;
    if collisions > 0 {
        metrics::counter!("bo_auth_plugin_name_collisions_total").increment(collisions as u64);
    }
    budget::check()?;
    Ok(json.clone())
}
