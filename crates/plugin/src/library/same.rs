//! Whether two values are the same, and which comes first. Bounded in depth and by the budget, unlike rhai's own.

use std::cmp::Ordering;

use rhai::{Array, Dynamic, Engine, Map};

use crate::budget::{self, Fallible};
use crate::json::Json;
use crate::limits;

pub(super) fn install(engine: &mut Engine) {
    engine
        .register_fn("==", |left: &mut Array, right: Array| arrays(left, &right, limits::VALUE_DEPTH))
        .register_fn("!=", |left: &mut Array, right: Array| arrays(left, &right, limits::VALUE_DEPTH).map(|same| !same))
        .register_fn("==", |left: &mut Map, right: Map| maps(left, &right, limits::VALUE_DEPTH))
        .register_fn("!=", |left: &mut Map, right: Map| maps(left, &right, limits::VALUE_DEPTH).map(|same| !same))
        .register_fn("==", |left: &mut Json, right: Json| budget::check().map(|()| jsons(left, &right)))
        .register_fn("!=", |left: &mut Json, right: Json| budget::check().map(|()| !jsons(left, &right)));
}

/// Whether two values are the same; numbers of different types are compared by value.
pub(super) fn are(left: &Dynamic, right: &Dynamic) -> Fallible<bool> {
    at_depth(left, right, limits::VALUE_DEPTH)
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

fn at_depth(left: &Dynamic, right: &Dynamic, room: usize) -> Fallible<bool> {
    if let Some(order) = order(left, right) {
        return Ok(order.is_eq());
    }
    if let (Ok(left), Ok(right)) = (left.as_array_ref(), right.as_array_ref()) {
        return arrays(&left, &right, room);
    }
    if let (Ok(left), Ok(right)) = (left.as_map_ref(), right.as_map_ref()) {
        return maps(&left, &right, room);
    }
    if let (Some(left), Some(right)) = (left.read_lock::<Json>(), right.read_lock::<Json>()) {
        return Ok(jsons(&left, &right));
    }
    Ok(left.is_unit() && right.is_unit())
}

fn deeper(room: usize) -> Fallible<usize> {
    budget::check()?;
    room.checked_sub(1).ok_or_else(|| format!("a value of more than {} levels", limits::VALUE_DEPTH).into())
}

fn arrays(left: &Array, right: &Array, room: usize) -> Fallible<bool> {
    let room = deeper(room)?;
    if left.len() != right.len() {
        return Ok(false);
    }
    for (left, right) in left.iter().zip(right) {
        if !at_depth(left, right, room)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn maps(left: &Map, right: &Map, room: usize) -> Fallible<bool> {
    let room = deeper(room)?;
    if left.len() != right.len() {
        return Ok(false);
    }
    for ((left_name, left), (right_name, right)) in left.iter().zip(right) {
        if left_name != right_name || !at_depth(left, right, room)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// JSON is compared as it stands; the order of members does not count.
fn jsons(left: &Json, right: &Json) -> bool {
    match (left, right) {
        (Json::Owned(left), Json::Owned(right)) => left == right,
        // Two handles of one lent value would wait for each other.
        _ => left.read(Clone::clone) == right.read(Clone::clone),
    }
}
