//! Whether two values are the same, and which comes first. Bounded in depth and by the budget, unlike rhai's own.

use std::cmp::Ordering;

use rhai::{Array, Dynamic, Engine, Map};
use serde_json::Value;

use crate::budget::{self, Fallible, Work};
use crate::json::Json;
use crate::limits;

pub(super) fn install(engine: &mut Engine) {
    engine
        .register_fn("==", |left: &mut Array, right: Array| Comparison::default().arrays(left, &right, limits::VALUE_DEPTH))
        .register_fn("!=", |left: &mut Array, right: Array| {
            Comparison::default().arrays(left, &right, limits::VALUE_DEPTH).map(|same| !same)
        })
        .register_fn("==", |left: &mut Map, right: Map| Comparison::default().maps(left, &right, limits::VALUE_DEPTH))
        .register_fn("!=", |left: &mut Map, right: Map| Comparison::default().maps(left, &right, limits::VALUE_DEPTH).map(|same| !same))
        .register_fn("==", |left: &mut Json, right: Json| Comparison::default().jsons(left, &right))
        .register_fn("!=", |left: &mut Json, right: Json| Comparison::default().jsons(left, &right).map(|same| !same));
}

/// Whether two values are the same; numbers of different types are compared by value.
pub(super) fn are(left: &Dynamic, right: &Dynamic) -> Fallible<bool> {
    Comparison::default().at_depth(left, right, limits::VALUE_DEPTH)
}

/// The order of two simple values of one type.
pub(super) fn order(left: &Dynamic, right: &Dynamic) -> Option<Ordering> {
    if let (Ok(left), Ok(right)) = (left.as_int(), right.as_int()) {
        return Some(left.cmp(&right));
    }
    if let (Ok(left), Ok(right)) = (left.as_float(), right.as_float()) {
        return Some(left.total_cmp(&right));
    }
    if let (Ok(left), Ok(right)) = (left.as_immutable_string_ref(), right.as_immutable_string_ref()) {
        return Some(left.as_str().cmp(right.as_str()));
    }
    if let (Ok(left), Ok(right)) = (left.as_char(), right.as_char()) {
        return Some(left.cmp(&right));
    }
    left.as_bool().ok().zip(right.as_bool().ok()).map(|(left, right)| left.cmp(&right))
}

fn deeper(room: usize) -> Fallible<usize> {
    room.checked_sub(1).ok_or_else(|| format!("a value of more than {} levels", limits::VALUE_DEPTH).into())
}

/// One comparison, which looks at the budget on its way: a few large texts may stand in many places.
#[derive(Default)]
struct Comparison(Work);

impl Comparison {
    fn at_depth(&mut self, left: &Dynamic, right: &Dynamic, room: usize) -> Fallible<bool> {
        self.0.add(left.as_immutable_string_ref().map_or(0, |text| text.len()))?;
        if let Some(order) = order(left, right) {
            return Ok(order.is_eq());
        }
        if let (Ok(left), Ok(right)) = (left.as_array_ref(), right.as_array_ref()) {
            return self.arrays(&left, &right, room);
        }
        if let (Ok(left), Ok(right)) = (left.as_map_ref(), right.as_map_ref()) {
            return self.maps(&left, &right, room);
        }
        if let (Some(left), Some(right)) = (left.read_lock::<Json>(), right.read_lock::<Json>()) {
            return self.jsons(&left, &right);
        }
        Ok(left.is_unit() && right.is_unit())
    }

    fn arrays(&mut self, left: &Array, right: &Array, room: usize) -> Fallible<bool> {
        let room = deeper(room)?;
        if left.len() != right.len() {
            return Ok(false);
        }
        for (left, right) in left.iter().zip(right) {
            if !self.at_depth(left, right, room)? {
                return Ok(false);
            }
        }
        budget::check().map(|()| true)
    }

    fn maps(&mut self, left: &Map, right: &Map, room: usize) -> Fallible<bool> {
        let room = deeper(room)?;
        if left.len() != right.len() {
            return Ok(false);
        }
        for ((left_name, left), (right_name, right)) in left.iter().zip(right) {
            self.0.add(left_name.len())?;
            if left_name != right_name || !self.at_depth(left, right, room)? {
                return Ok(false);
            }
        }
        budget::check().map(|()| true)
    }

    /// JSON is compared as it stands; the order of members does not count.
    fn jsons(&mut self, left: &Json, right: &Json) -> Fallible<bool> {
        match (left, right) {
            (Json::Owned(left), Json::Owned(right)) => self.values(left, right),
            // Two handles of one lent value would wait for each other.
            _ => Ok(left.read(Clone::clone) == right.read(Clone::clone)),
        }
    }

    fn values(&mut self, left: &Value, right: &Value) -> Fallible<bool> {
        self.0.add(left.as_str().map_or(0, str::len))?;
        match (left, right) {
            (Value::Object(left), Value::Object(right)) => {
                if left.len() != right.len() {
                    return Ok(false);
                }
                for (name, left) in left {
                    self.0.add(name.len())?;
                    let Some(right) = right.get(name) else { return Ok(false) };
                    if !self.values(left, right)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (Value::Array(left), Value::Array(right)) => {
                if left.len() != right.len() {
                    return Ok(false);
                }
                for (left, right) in left.iter().zip(right) {
                    if !self.values(left, right)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (left, right) => Ok(left == right),
        }
    }
}
