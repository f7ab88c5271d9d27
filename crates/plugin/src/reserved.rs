//! The members whose values a script has to keep: `code`, `success`, `error.errorCode`, and below `data` every token and every
//! lifetime. Their names may change. Linear in both values, since rows of a list may hold tokens as well.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use crate::failure::{Failure, FailureCode};

/// Members of the envelope itself, as [`bare`] names.
const OF_ENVELOPE: [&str; 2] = ["code", "success"];
/// The member of `error`.
const OF_ERROR: &str = "errorcode";
/// What the names of tokens and their companions end with.
const TOKENS: [&str; 3] = ["token", "tokens", "tokentype"];
/// What the names of lifetimes hold.
const LIFETIMES: [&str; 3] = ["expire", "expiry", "lifetime"];

/// Fails where a reserved value of the envelope is missing from the response, or another stands under its name.
pub(crate) fn check(envelope: &Value, response: &Value) -> Result<(), Failure> {
    let (before, after) = (Members::of(own(envelope)), Members::of(own(response)));
    before.only(|name| OF_ENVELOPE.contains(&name)).kept(&before, &after)?;

    let (before, after) = (Members::below(envelope), Members::below(response));
    let error = Members::of(envelope.get("error").into_iter().flat_map(own));
    error.only(|name| name == OF_ERROR).kept(&before, &after)?;
    let data = envelope.get("data").map(Members::below).unwrap_or_default();
    data.only(is_token_or_lifetime).kept(&before, &after)
}

/// Whether a member of this name holds a token.
pub(crate) fn is_secret(name: &str) -> bool {
    let name = bare(name);
    name.ends_with("token") || name.ends_with("tokens")
}

fn is_token_or_lifetime(name: &str) -> bool {
    TOKENS.iter().any(|ending| name.ends_with(ending)) || LIFETIMES.iter().any(|part| name.contains(part))
}

/// A name without its spelling: lower case, no underscores.
fn bare(name: &str) -> String {
    name.chars().filter(|character| *character != '_').map(|character| character.to_ascii_lowercase()).collect()
}

fn own(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

/// The simple values that stand under each bare name, as JSON.
#[derive(Default)]
struct Members(HashMap<String, HashSet<String>>);

impl Members {
    fn of<'value>(members: impl Iterator<Item = (&'value String, &'value Value)>) -> Self {
        let mut collected = Self::default();
        members.for_each(|(name, value)| collected.add(name, value));
        collected
    }

    /// The members at every level.
    fn below(value: &Value) -> Self {
        fn walk(value: &Value, collected: &mut Members) {
            match value {
                Value::Object(members) => {
                    for (name, member) in members {
                        collected.add(name, member);
                        walk(member, collected);
                    }
                }
                Value::Array(elements) => elements.iter().for_each(|element| walk(element, collected)),
                _ => {}
            }
        }
        let mut collected = Self::default();
        walk(value, &mut collected);
        collected
    }

    fn add(&mut self, name: &str, value: &Value) {
        let values = self.0.entry(bare(name)).or_default();
        if !value.is_object() && !value.is_array() {
            values.insert(value.to_string());
        }
    }

    fn only(&self, wanted: impl Fn(&str) -> bool) -> Self {
        Self(self.0.iter().filter(|(name, _)| wanted(name)).map(|(name, values)| (name.clone(), values.clone())).collect())
    }

    /// Whether every one of these members is found again, under its name or under one the envelope did not have, and nothing
    /// stands under their names that did not before.
    fn kept(&self, before: &Self, after: &Self) -> Result<(), Failure> {
        let renamed: HashSet<&String> =
            after.0.iter().filter(|(name, _)| !before.0.contains_key(*name)).flat_map(|(_, values)| values).collect();
        let none = HashSet::new();
        for (name, values) in &self.0 {
            let now = after.0.get(name).unwrap_or(&none);
            let lost = values.iter().any(|value| !now.contains(value) && !renamed.contains(value));
            if lost || !now.is_subset(before.0.get(name).unwrap_or(&none)) {
                return Err(Failure::new(FailureCode::ReservedChanged, format!("the value of `{name}` must stay as it is")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn envelope() -> Value {
        json!({
            "code": 40113, "success": false, "message": "expired",
            "data": {"accessToken": "a.b.c", "refreshToken": "1xyz", "expiresIn": 7200, "rows": [{"code": 7, "errorCode": "OTHER"}]},
            "error": {"errorCode": "TOKEN_EXPIRED", "errorText": "expired"},
        })
    }

    fn changed(change: impl FnOnce(&mut Value)) -> Result<(), FailureCode> {
        let mut response = envelope();
        change(&mut response);
        check(&envelope(), &response).map_err(|failure| failure.code)
    }

    #[test]
    fn everything_else_may_change() {
        let changes: [fn(&mut Value); 6] = [
            |_| {},
            |response| response["message"] = json!("anything"),
            |response| response["data"]["rows"][0]["code"] = json!(8),
            |response| response["data"]["more"] = json!({"a": 1}),
            |response| _ = crate::casing::snake(response),
            |response| response["error"]["errorText"] = json!(null),
        ];
        for change in changes {
            assert_eq!(changed(change), Ok(()));
        }
    }

    #[test]
    fn names_may_change_and_places_below_data_too() {
        let renamed = json!({
            "status": 40113, "ok": false, "message": "expired",
            "data": {"tokens": {"access": "a.b.c", "refresh": "1xyz"}, "seconds": 7200},
            "problem": {"kind": "TOKEN_EXPIRED"},
        });
        assert_eq!(check(&envelope(), &renamed), Ok(()));
    }

    #[test]
    fn a_reserved_value_that_changes_or_goes_is_found() {
        let changes: [fn(&mut Value); 12] = [
            |response| response["code"] = json!(0),
            |response| response["code"] = json!("40113"),
            |response| response["success"] = json!(true),
            |response| response["data"]["accessToken"] = json!("forged"),
            |response| response["data"]["expiresIn"] = json!(7201),
            |response| response["data"]["more"] = json!({"access_token": "forged"}),
            |response| response["data"] = json!(null),
            |response| response["error"]["errorCode"] = json!("OK"),
            |response| response["error"] = json!(null),
            |response| _ = response["data"].as_object_mut().and_then(|data| data.remove("refreshToken")),
            |response| _ = response.as_object_mut().and_then(|members| members.remove("success")),
            |response| *response = response["data"].clone(),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            assert_eq!(changed(change), Err(FailureCode::ReservedChanged), "change {number}");
        }
    }
}
