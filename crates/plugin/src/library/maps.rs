//! What scripts do with object maps: the names and meanings of rhai's own functions.

use rhai::{Array, Dynamic, Engine, EvalAltResult, INT, Map, Position};

use crate::budget::{self, Fallible, Work};
use crate::limits;

pub(super) fn install(engine: &mut Engine) {
    engine
        .register_fn("len", |map: &mut Map| INT::try_from(map.len()).unwrap_or(INT::MAX))
        .register_fn("is_empty", |map: &mut Map| map.is_empty())
        .register_fn("contains", |map: &mut Map, name: &str| map.contains_key(name))
        .register_fn("remove", |map: &mut Map, name: &str| map.remove(name).unwrap_or_default())
        .register_fn("keys", keys)
        .register_fn("values", |map: &mut Map| -> Array { map.values().cloned().collect() })
        .register_fn("+", merged);
}

fn keys(map: &mut Map) -> Fallible<Array> {
    let mut work = Work::default();
    map.keys().map(|name| work.add(name.len()).map(|()| name.as_str().into())).collect()
}

/// Both maps' members; of one that both have, the second's.
fn merged(mut map: Map, other: Map) -> Fallible<Dynamic> {
    if map.len() + other.len() > limits::ELEMENTS {
        return Err(EvalAltResult::ErrorDataTooLarge("Size of object map".to_owned(), Position::NONE).into());
    }
    map.extend(other);
    budget::check().map(|()| map.into())
}
