//! Between JSON and the script's own values. Texts, numbers, booleans and null become native; objects, arrays and numbers
//! the script cannot hold stay JSON.

use rhai::{Array, Dynamic, EvalAltResult, Map, Position};
use serde_json::{Number, Value};

use crate::budget::{Fallible, Work};
use crate::json::{self, Json};
use crate::{limits, words};

/// A value as the script sees it; null is `()`.
pub(crate) fn to_script(value: &Value) -> Fallible<Dynamic> {
    match value {
        Value::Object(_) | Value::Array(_) => Ok(Dynamic::from(Json::owned(json::copy(value)?))),
        simple => Ok(simple_to_script(simple)),
    }
}

/// As [`to_script`], without a copy of the value.
pub(crate) fn into_script(value: Value) -> Dynamic {
    match value {
        Value::Object(_) | Value::Array(_) => Dynamic::from(Json::owned(value)),
        simple => simple_to_script(&simple),
    }
}

fn simple_to_script(value: &Value) -> Dynamic {
    match value {
        Value::Bool(truth) => (*truth).into(),
        Value::String(text) => text.as_str().into(),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => integer.into(),
            (None, Some(real)) if number.is_f64() => real.into(),
            _ => Dynamic::from(Json::owned(value.clone())),
        },
        Value::Null | Value::Object(_) | Value::Array(_) => Dynamic::UNIT,
    }
}

/// A script's value as JSON. Fails on what JSON has not (functions, ranges, infinite numbers) and on too many levels.
pub(crate) fn to_json(value: Dynamic) -> Fallible<Value> {
    to_json_at(value, 1, &mut Work::default())
}

/// Every text is counted before it is copied: the script's own collections share texts, and JSON does not.
fn to_json_at(value: Dynamic, level: usize, work: &mut Work) -> Fallible<Value> {
    if level > limits::VALUE_DEPTH {
        return Err(format!("a value of more than {} levels", limits::VALUE_DEPTH).into());
    }
    work.add(value.as_immutable_string_ref().map_or(0, |text| text.len()))?;
    if value.is_unit() {
        return Ok(Value::Null);
    }
    if let Ok(truth) = value.as_bool() {
        return Ok(Value::Bool(truth));
    }
    if let Ok(integer) = value.as_int() {
        return Ok(integer.into());
    }
    if let Ok(real) = value.as_float() {
        return Number::from_f64(real).map(Value::Number).ok_or_else(|| "JSON has no such number".into());
    }
    if let Ok(character) = value.as_char() {
        return Ok(character.to_string().into());
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return Ok(text.as_str().into());
    }
    let type_name = value.type_name();
    match value.try_cast_result::<Json>().map_err(rhai_collection) {
        Ok(json) => within_depth(json.into_value()?, level),
        Err(Some(Collection::Array(elements))) => {
            elements.into_iter().map(|element| to_json_at(element, level + 1, work)).collect::<Fallible<Vec<_>>>().map(Value::Array)
        }
        Err(Some(Collection::Map(members))) => {
            let members = members.into_iter().map(|(name, member)| {
                work.add(name.len())?;
                Ok((name.to_string(), to_json_at(member, level + 1, work)?))
            });
            members.collect::<Fallible<serde_json::Map<_, _>>>().map(Value::Object)
        }
        Err(None) => {
            let text = format!("JSON has no value of type {}", words::type_word(type_name));
            Err(EvalAltResult::ErrorRuntime(text.into(), Position::NONE).into())
        }
    }
}

enum Collection {
    Array(Array),
    Map(Map),
}

fn rhai_collection(value: Dynamic) -> Option<Collection> {
    match value.try_cast_result::<Array>() {
        Ok(array) => Some(Collection::Array(array)),
        Err(value) => value.try_cast::<Map>().map(Collection::Map),
    }
}

/// The value, if with the levels above it it stays within the limit.
pub(crate) fn within_depth(value: Value, level: usize) -> Fallible<Value> {
    fn fits(value: &Value, room: usize) -> bool {
        match value {
            Value::Object(members) => room > 0 && members.values().all(|member| fits(member, room - 1)),
            Value::Array(elements) => room > 0 && elements.iter().all(|element| fits(element, room - 1)),
            _ => true,
        }
    }
    if fits(&value, (limits::VALUE_DEPTH + 1).saturating_sub(level)) {
        Ok(value)
    } else {
        Err(format!("a value of more than {} levels", limits::VALUE_DEPTH).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_script_cannot_hold_stays_as_it_is() {
        for value in [json!(u64::MAX), json!({"b": 1, "a": [1.0, 2]}), json!([]), json!(i64::MIN), json!(0.1), json!("退出")] {
            assert_eq!(to_json(to_script(&value).unwrap()).unwrap(), value);
            assert_eq!(to_json(into_script(value.clone())).unwrap(), value);
        }
    }

    #[test]
    fn a_scripts_own_collections_become_json() {
        let mut map = Map::new();
        map.insert("a".into(), vec![Dynamic::from('x'), Dynamic::UNIT, Dynamic::from(1_i64)].into());
        assert_eq!(to_json(map.into()).unwrap(), json!({"a": ["x", null, 1]}));
    }

    #[test]
    fn infinite_numbers_and_endless_nesting_are_refused() {
        assert!(to_json(f64::INFINITY.into()).is_err());
        let nested = |levels| (0..levels).fold(Dynamic::UNIT, |inner, _| vec![inner].into());
        assert!(to_json(nested(limits::VALUE_DEPTH - 1)).is_ok());
        assert!(to_json(nested(limits::VALUE_DEPTH + 1)).is_err());
        let deep = (0..=limits::VALUE_DEPTH).fold(Value::Null, |inner, _| json!([inner]));
        assert!(to_json(Dynamic::from(Json::owned(deep))).is_err());
    }
}
