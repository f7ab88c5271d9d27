//! What scripts do with arrays: the names and meanings of rhai's own functions. Those that take a function look at the
//! budget for every element, since the interpreter does not count what happens inside one native call.

use std::cmp::Ordering;

use rhai::{Array, Dynamic, Engine, EvalAltResult, FnPtr, INT, NativeCallContext, Position};

use super::{nested, same};
use crate::budget::{self, Fallible};
use crate::limits;

pub(super) fn install(engine: &mut Engine) {
    engine
        .register_fn("len", |array: &mut Array| length(array))
        .register_get("len", |array: &mut Array| length(array))
        .register_fn("is_empty", |array: &mut Array| array.is_empty())
        .register_fn("push", |array: &mut Array, element: Dynamic| {
            grow(array, 1)?;
            array.push(element);
            nested::check_grown(array, array.len() - 1)
        })
        .register_fn("pop", |array: &mut Array| array.pop().unwrap_or_default())
        .register_fn("shift", |array: &mut Array| if array.is_empty() { Dynamic::UNIT } else { array.remove(0) })
        .register_fn("insert", |array: &mut Array, number: INT, element: Dynamic| {
            grow(array, 1)?;
            let place = place(array, number);
            array.insert(place, element);
            nested::check_grown(array, place)
        })
        .register_fn("remove", |array: &mut Array, number: INT| {
            let place = place(array, number);
            if place < array.len() { array.remove(place) } else { Dynamic::UNIT }
        })
        .register_fn("clear", |array: &mut Array| array.clear())
        .register_fn("reverse", |array: &mut Array| array.reverse())
        .register_fn("extract", |array: &mut Array, start: INT, count: INT| -> Array {
            let count = usize::try_from(count).unwrap_or(0);
            array.iter().skip(place(array, start)).take(count).cloned().collect()
        })
        .register_fn("+", |mut array: Array, other: Array| {
            grow(&array, other.len()).map(|()| {
                array.extend(other);
                array
            })
        })
        .register_fn("contains", |array: &mut Array, value: Dynamic| find(array, &value).map(|place| place.is_some()))
        .register_fn("index_of", |array: &mut Array, value: Dynamic| {
            find(array, &value).map(|place| place.and_then(|place| INT::try_from(place).ok()).unwrap_or(-1))
        })
        .register_fn("map", |context: NativeCallContext, array: &mut Array, function: FnPtr| map(&context, array, &function))
        .register_fn("filter", |context: NativeCallContext, array: &mut Array, function: FnPtr| filter(&context, array, &function))
        .register_fn("find", |context: NativeCallContext, array: &mut Array, function: FnPtr| first(&context, array, &function))
        .register_fn("some", |context: NativeCallContext, array: &mut Array, function: FnPtr| some(&context, array, &function))
        .register_fn("all", |context: NativeCallContext, array: &mut Array, function: FnPtr| all(&context, array, &function))
        .register_fn("reduce", |context: NativeCallContext, array: &mut Array, function: FnPtr, initial: Dynamic| {
            reduce(&context, array, &function, initial)
        })
        .register_fn("sort", sort)
        .register_fn("sort", |context: NativeCallContext, array: &mut Array, function: FnPtr| sort_by(&context, array, &function));
}

fn length(array: &Array) -> INT {
    INT::try_from(array.len()).unwrap_or(INT::MAX)
}

/// The place of an element, at most the array's end; numbers below zero count from there.
fn place(array: &Array, number: INT) -> usize {
    match usize::try_from(number) {
        Ok(place) => place.min(array.len()),
        Err(_) => array.len().saturating_sub(usize::try_from(number.unsigned_abs()).unwrap_or(usize::MAX)),
    }
}

fn grow(array: &Array, by: usize) -> Fallible<()> {
    if array.len() + by > limits::ELEMENTS {
        return Err(EvalAltResult::ErrorDataTooLarge("Size of array".to_owned(), Position::NONE).into());
    }
    budget::check()
}

fn find(array: &Array, value: &Dynamic) -> Fallible<Option<usize>> {
    for (place, element) in array.iter().enumerate() {
        budget::check()?;
        if same::are(element, value)? {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

/// Calls a function with one element.
fn apply(context: &NativeCallContext, function: &FnPtr, element: &Dynamic) -> Fallible<Dynamic> {
    budget::check()?;
    function.call_within_context(context, (element.clone(),))
}

/// Asks a function about one element.
fn ask(context: &NativeCallContext, function: &FnPtr, element: &Dynamic) -> Fallible<bool> {
    apply(context, function, element)?.as_bool().map_err(|_| "the function must answer true or false".into())
}

fn map(context: &NativeCallContext, array: &Array, function: &FnPtr) -> Fallible<Array> {
    array.iter().map(|element| apply(context, function, element)).collect()
}

fn filter(context: &NativeCallContext, array: &Array, function: &FnPtr) -> Fallible<Array> {
    let mut kept = Array::new();
    for element in array {
        if ask(context, function, element)? {
            kept.push(element.clone());
        }
    }
    Ok(kept)
}

fn first(context: &NativeCallContext, array: &Array, function: &FnPtr) -> Fallible<Dynamic> {
    for element in array {
        if ask(context, function, element)? {
            return Ok(element.clone());
        }
    }
    Ok(Dynamic::UNIT)
}

fn some(context: &NativeCallContext, array: &Array, function: &FnPtr) -> Fallible<bool> {
    for element in array {
        if ask(context, function, element)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn all(context: &NativeCallContext, array: &Array, function: &FnPtr) -> Fallible<bool> {
    for element in array {
        if !ask(context, function, element)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn reduce(context: &NativeCallContext, array: &Array, function: &FnPtr, initial: Dynamic) -> Fallible<Dynamic> {
    let mut result = initial;
    for element in array {
        budget::check()?;
        result = function.call_within_context(context, (result, element.clone()))?;
    }
    Ok(result)
}

/// Sorts numbers, texts, characters or booleans; mixed arrays need a function.
fn sort(array: &mut Array) -> Fallible<()> {
    let sorted = merge_sorted(array.clone(), &mut |left, right| {
        same::order(left, right).ok_or_else(|| "only values of one simple type have an order".into())
    });
    sorted.map(|sorted| *array = sorted)
}

/// Sorts by a function of two elements that answers a number: below zero where the first comes first.
fn sort_by(context: &NativeCallContext, array: &mut Array, function: &FnPtr) -> Fallible<()> {
    let sorted = merge_sorted(array.clone(), &mut |left, right| {
        let answer: Dynamic = function.call_within_context(context, (left.clone(), right.clone()))?;
        answer.as_int().map(|answer| answer.cmp(&0)).map_err(|_| "the function must answer a number".into())
    });
    sorted.map(|sorted| *array = sorted)
}

/// A stable merge sort that ends with the first error and bears answers that contradict one another: the standard library's
/// sort may panic on those, and has no way to stop.
fn merge_sorted(mut array: Array, compare: &mut dyn FnMut(&Dynamic, &Dynamic) -> Fallible<Ordering>) -> Fallible<Array> {
    if array.len() < 2 {
        return Ok(array);
    }
    let right = array.split_off(array.len() / 2);
    let mut left = merge_sorted(array, compare)?.into_iter().peekable();
    let mut right = merge_sorted(right, compare)?.into_iter().peekable();
    let mut merged = Array::with_capacity(left.len() + right.len());
    while let (Some(first), Some(second)) = (left.peek(), right.peek()) {
        budget::check()?;
        merged.extend(if compare(first, second)?.is_gt() { right.next() } else { left.next() });
    }
    merged.extend(left);
    merged.extend(right);
    Ok(merged)
}
