//! `keep(list)`, `remove(list)` and `defaults(map)`: which members an object has.

use std::collections::HashSet;

use rhai::{Array, Dynamic, Engine, FuncRegistration, ImmutableString, Map};
use serde_json::Value;

use crate::budget::{self, Fallible, Work};
use crate::convert;
use crate::json::Json;

pub(super) fn install(engine: &mut Engine) {
    FuncRegistration::new("keep")
        .with_params_info(["json: Json", "names: array", "Json"])
        .with_comments(["/// Keeps only the named members of this object, in their order. Returns the value."])
        .register_into_engine(engine, |json: &mut Json, names: Array| {
            let names = names_of(names)?;
            retain(json, |name| names.contains(name))
        });
    FuncRegistration::new("remove")
        .with_params_info(["json: Json", "names: array", "Json"])
        .with_comments(["/// Removes the named members of this object. Returns the value."])
        .register_into_engine(engine, |json: &mut Json, names: Array| {
            let names = names_of(names)?;
            retain(json, |name| !names.contains(name))
        });
    FuncRegistration::new("defaults")
        .with_params_info(["json: Json", "members: map", "Json"])
        .with_comments(["/// Adds the members this object has not, at its end. Returns the value."])
        .register_into_engine(engine, defaults);
}

fn defaults(json: &mut Json, defaults: Map) -> Fallible<Json> {
    let mut added = Vec::with_capacity(defaults.len());
    for (name, value) in defaults {
        added.push((name.to_string(), convert::within_depth(convert::to_json(value)?, 2)?));
    }
    on_members(json, |members| {
        for (name, value) in added {
            members.entry(name).or_insert(value);
        }
    })
}

fn on_members(json: &mut Json, edit: impl FnOnce(&mut serde_json::Map<String, Value>)) -> Fallible<Json> {
    let edited = json.change(|value| value.as_object_mut().map(edit))?;
    edited.ok_or("only an object has members")?;
    budget::check()?;
    Ok(json.clone())
}

/// Keeps the members of these names, unless the budget ends on the way.
fn retain(json: &mut Json, is_kept: impl Fn(&str) -> bool) -> Fallible<Json> {
    let (mut work, mut looked) = (Work::default(), Ok(()));
    let json = on_members(json, |members| {
        members.retain(|name, _| {
            if looked.is_ok() {
                looked = work.add(name.len());
            }
            looked.is_err() || is_kept(name)
        });
    });
    looked.and(json)
}

fn names_of(names: Array) -> Fallible<HashSet<ImmutableString>> {
    let mut work = Work::default();
    let name_of = |name: Dynamic| {
        let name = name.into_immutable_string().map_err(|_| "a member's name is a text")?;
        work.add(name.len()).map(|()| name)
    };
    names.into_iter().map(name_of).collect()
}
