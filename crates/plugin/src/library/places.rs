//! `at(path)`, `set(path, value)`, `each(path, fn)` and `mask(path, head, tail)`: one place inside the value.

use rhai::{Dynamic, Engine, FnPtr, FuncRegistration, INT, NativeCallContext};
use serde_json::Value;

use crate::budget::{self, Fallible};
use crate::json::Json;
use crate::path::Path;
use crate::{convert, limits};

pub(super) fn install(engine: &mut Engine) {
    FuncRegistration::new("at")
        .with_params_info(["json: Json", "path: string", "any"])
        .with_purity(true)
        .with_comments(["/// A copy of what stands at the path, such as `data.rows.0.name`, or `()` where nothing does."])
        .register_into_engine(engine, at);
    FuncRegistration::new("set")
        .with_params_info(["json: Json", "path: string", "value: any", "Json"])
        .with_comments(["/// Puts a value at the path and makes the objects missing on the way. Returns the value."])
        .register_into_engine(engine, set);
    FuncRegistration::new("each")
        .with_params_info(["json: Json", "path: string", "function: Fn", "Json"])
        .with_comments(["/// Replaces each element of the array at the path by what the function returns for it. Returns the value."])
        .register_into_engine(engine, |context: NativeCallContext, json: &mut Json, path: &str, function: FnPtr| {
            each(&context, json, path, &function)
        });
    FuncRegistration::new("mask")
        .with_params_info(["json: Json", "path: string", "keep_head: int", "keep_tail: int", "Json"])
        .with_comments([
            "/// Replaces the text at the path by `*`, but for so many characters at its head and tail; all of a text that",
            "/// is no longer than those. Returns the value.",
        ])
        .register_into_engine(engine, mask);
}

fn at(json: &mut Json, path: &str) -> Fallible<Dynamic> {
    let path = Path::parse(path)?;
    let found = json.read(|root| path.find(root).map_or(Ok(Dynamic::UNIT), convert::to_script))?;
    budget::check()?;
    Ok(found)
}

fn set(json: &mut Json, path: &str, value: Dynamic) -> Fallible<Json> {
    let path = Path::parse(path)?;
    let value = convert::within_depth(convert::to_json(value)?, path.len() + 1)?;
    json.change(|root| path.put(root, value))??;
    budget::check()?;
    Ok(json.clone())
}

fn each(context: &NativeCallContext, json: &mut Json, path: &str, function: &FnPtr) -> Fallible<Json> {
    let path = Path::parse(path)?;
    let before = json.clone();
    let elements = match json.change(|root| path.find_mut(root).map(Value::take))? {
        Some(Value::Array(elements)) => elements,
        other => {
            *json = before;
            return match other {
                None | Some(Value::Null) => Ok(json.clone()),
                Some(_) => Err("`each` needs an array at the path".into()),
            };
        }
    };
    let replaced = elements.into_iter().map(|element| replace(context, function, element, path.len() + 2)).collect();
    match replaced {
        Ok(elements) => {
            json.change(|root| path.put(root, Value::Array(elements)))??;
            Ok(json.clone())
        }
        Err(error) => {
            *json = before;
            Err(error)
        }
    }
}

fn replace(context: &NativeCallContext, function: &FnPtr, element: Value, level: usize) -> Fallible<Value> {
    budget::check()?;
    let result: Dynamic = function.call_within_context(context, (convert::into_script(element),))?;
    if result.is_unit() {
        return Err("the function of `each` returned nothing".into());
    }
    convert::within_depth(convert::to_json(result)?, level)
}

fn mask(json: &mut Json, path: &str, head: INT, tail: INT) -> Fallible<Json> {
    let path = Path::parse(path)?;
    let (head, tail) = (kept(head)?, kept(tail)?);
    json.change(|root| match path.find_mut(root) {
        None | Some(Value::Null) => Ok(()),
        Some(Value::String(text)) => {
            *text = masked(text, head, tail);
            Ok(())
        }
        Some(number @ Value::Number(_)) => {
            *number = Value::String(masked(&number.to_string(), head, tail));
            Ok(())
        }
        Some(_) => Err("`mask` needs a text at the path"),
    })??;
    budget::check()?;
    Ok(json.clone())
}

fn kept(count: INT) -> Fallible<usize> {
    usize::try_from(count).ok().filter(|count| *count <= limits::STRING).ok_or_else(|| "a count from 0 up is needed".into())
}

fn masked(text: &str, head: usize, tail: usize) -> String {
    let length = text.chars().count();
    let all = head + tail >= length;
    text.chars().enumerate().map(|(at, character)| if !all && (at < head || at >= length - tail) { character } else { '*' }).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_mask_keeps_head_and_tail_or_nothing() {
        for (head, tail, masked) in [(3, 4, "138****8000"), (0, 0, "***********"), (6, 5, "***********"), (11, 0, "***********")] {
            assert_eq!(super::masked("13800008000", head, tail), masked);
        }
        assert_eq!(super::masked("张三丰", 1, 0), "张**");
    }
}
