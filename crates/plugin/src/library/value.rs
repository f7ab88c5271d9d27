//! What every JSON value can do: be read and written by name or number, and be looked through.

use rhai::{Array, Dynamic, Engine, EvalAltResult, FuncRegistration, INT, ImmutableString, Position};
use serde_json::{Map, Value};

use crate::budget::{self, Fallible, Work};
use crate::json::Json;
use crate::{convert, limits};

pub(super) fn install(engine: &mut Engine) {
    engine
        .register_type_with_name::<Json>("Json")
        .register_indexer_get(|json: &mut Json, name: ImmutableString| {
            let member = json.read(|value| value.get(name.as_str()).map_or(Ok(Dynamic::UNIT), convert::to_script))?;
            budget::check().map(|()| member)
        })
        .register_indexer_get(|json: &mut Json, number: INT| {
            let element = json.read(|value| Some(convert::to_script(value.as_array()?.get(position(value, number)?)?)));
            budget::check()?;
            element.ok_or_else(|| Box::new(out_of_bounds(json, number)))?
        })
        .register_indexer_set(|json: &mut Json, name: ImmutableString, value: Dynamic| set_member(json, &name, value))
        .register_indexer_set(set_element);
    FuncRegistration::new("len")
        .with_params_info(["json: Json", "int"])
        .with_purity(true)
        .with_comments(["/// How many members or elements there are; 0 for anything else."])
        .register_into_engine(engine, |json: &mut Json| INT::try_from(json.read(length)).unwrap_or(INT::MAX));
    FuncRegistration::new("is_empty")
        .with_params_info(["json: Json", "bool"])
        .with_purity(true)
        .with_comments(["/// Whether there are no members or elements."])
        .register_into_engine(engine, |json: &mut Json| json.read(length) == 0);
    FuncRegistration::new("contains")
        .with_params_info(["json: Json", "name: string", "bool"])
        .with_purity(true)
        .with_comments(["/// Whether the object has a member of this name: `\"data\" in response`."])
        .register_into_engine(engine, |json: &mut Json, name: &str| json.read(|value| value.get(name).is_some()));
    FuncRegistration::new("is_object")
        .with_params_info(["json: Json", "bool"])
        .with_purity(true)
        .with_comments(["/// Whether this is an object."])
        .register_into_engine(engine, |json: &mut Json| json.read(Value::is_object));
    FuncRegistration::new("is_array")
        .with_params_info(["json: Json", "bool"])
        .with_purity(true)
        .with_comments(["/// Whether this is an array."])
        .register_into_engine(engine, |json: &mut Json| json.read(Value::is_array));
    FuncRegistration::new("keys")
        .with_params_info(["json: Json", "array"])
        .with_purity(true)
        .with_comments(["/// The names of the members, in their order."])
        .register_into_engine(engine, |json: &mut Json| {
            list(json, |value| {
                let (mut work, names) = (Work::default(), value.as_object().into_iter().flat_map(Map::keys));
                names.map(|name| work.add(name.len()).map(|()| name.as_str().into())).collect()
            })
        });
    FuncRegistration::new("values")
        .with_params_info(["json: Json", "array"])
        .with_purity(true)
        .with_comments(["/// Copies of the members or elements, in their order."])
        .register_into_engine(engine, |json: &mut Json| {
            list(json, |value| match value {
                Value::Object(members) => members.values().map(counted(convert::to_script)).collect(),
                Value::Array(elements) => elements.iter().map(counted(convert::to_script)).collect(),
                _ => Ok(Array::new()),
            })
        });
}

fn set_member(json: &mut Json, name: &str, value: Dynamic) -> Fallible<()> {
    let value = convert::within_depth(convert::to_json(value)?, 2)?;
    json.change(|object| match object {
        Value::Object(members) => {
            members.insert(name.to_owned(), value);
            Ok(())
        }
        _ => Err("only an object has members"),
    })??;
    budget::check()
}

fn set_element(json: &mut Json, number: INT, value: Dynamic) -> Fallible<()> {
    let value = convert::within_depth(convert::to_json(value)?, 2)?;
    let place = json.read(|array| position(array, number)).ok_or_else(|| out_of_bounds(json, number))?;
    json.change(|array| {
        if let Some(element) = array.get_mut(place) {
            *element = value;
        }
    })?;
    budget::check()
}

/// The place of an element; numbers below zero count from the end, as in the script's own arrays.
fn position(value: &Value, number: INT) -> Option<usize> {
    let length = value.as_array()?.len();
    let place = match usize::try_from(number) {
        Ok(place) => place,
        Err(_) => length.checked_sub(usize::try_from(number.unsigned_abs()).ok()?)?,
    };
    (place < length).then_some(place)
}

fn out_of_bounds(json: &Json, number: INT) -> EvalAltResult {
    EvalAltResult::ErrorArrayBounds(json.read(length), number, Position::NONE)
}

fn length(value: &Value) -> usize {
    match value {
        Value::Object(members) => members.len(),
        Value::Array(elements) => elements.len(),
        _ => 0,
    }
}

/// As `convert`, with every text counted before it is copied.
fn counted(convert: impl Fn(&Value) -> Fallible<Dynamic>) -> impl FnMut(&Value) -> Fallible<Dynamic> {
    let mut work = Work::default();
    move |value| {
        work.add(value.as_str().map_or(0, str::len))?;
        convert(value)
    }
}

fn list(json: &Json, collect: impl FnOnce(&Value) -> Fallible<Array>) -> Fallible<Array> {
    if json.read(length) > limits::ELEMENTS {
        return Err(EvalAltResult::ErrorDataTooLarge("Size of array".to_owned(), Position::NONE).into());
    }
    let list = json.read(collect)?;
    budget::check()?;
    Ok(list)
}
