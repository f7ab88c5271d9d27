//! The members whose values a script has to keep: `code`, `success`, `error.errorCode`, and below `data` every token and
//! every lifetime. Their names may change. Nothing but the identical value may stand under such a name, at any level:
//! `[true]` and `{}` pass for true in some clients.
//!
//! Linear in both values, since rows of a list may hold tokens as well. Nothing is copied or written.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::budget::Work;
use crate::failure::{Failure, FailureCode};
use crate::veil;

/// The members that say how a request ended, as [`bare`] names.
const VERDICT: [&str; 2] = ["code", "success"];
/// The member of `error`.
const ERROR_CODE: &str = "errorcode";
/// What the names of tokens and their companions end with.
const TOKENS: [&str; 3] = ["token", "tokens", "tokentype"];
/// What the names of lifetimes hold.
const LIFETIMES: [&str; 3] = ["expire", "expiry", "lifetime"];
/// The bytes of a name that count; no client reads a longer one.
const LONGEST_NAME: usize = 512;

/// Fails if a reserved value of the envelope is missing from the response, or if another stands under its name.
pub(crate) fn check(envelope: &Value, response: &Value) -> Result<(), Failure> {
    let kept = Kept::of(envelope)?;
    let missing = kept.compare(response)?;
    if missing.is_empty() { Ok(()) } else { kept.find_renamed(envelope, response, &missing) }
}

/// Whether a member of this name holds a token.
pub(crate) fn is_secret(name: &str) -> bool {
    is_token(&bare(name))
}

fn is_token(bare: &str) -> bool {
    bare.ends_with("token") || bare.ends_with("tokens")
}

fn is_token_or_lifetime(bare: &str) -> bool {
    TOKENS.iter().any(|ending| bare.ends_with(ending)) || LIFETIMES.iter().any(|part| bare.contains(part))
}

/// A name without its spelling: lower case, letters and digits only. So whatever a client or a conversion makes of a name
/// (`access-token`, `ACCESS_TOKEN`; Go reads the long `ſ` as an `s`) stays one name.
fn bare(name: &str) -> String {
    let name = name.get(..name.floor_char_boundary(LONGEST_NAME)).unwrap_or(name);
    let bare: String = if name.is_ascii() {
        name.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| char::from(byte.to_ascii_lowercase())).collect()
    } else {
        let letters = name.chars().filter(|character| character.is_alphanumeric());
        letters.flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
    };
    if bare.is_empty() { name.to_owned() } else { bare }
}

fn changed(name: &str) -> Failure {
    Failure::new(FailureCode::ReservedChanged, format!("the value of `{name}` must stay as it is"))
}

fn no_token(name: &str) -> Failure {
    let detail = format!("`{name}` reads as a token's name, and what stands there is no token of the answer");
    Failure::new(FailureCode::ReservedChanged, detail)
}

/// What stands under one name.
#[derive(Default)]
struct Held<'value> {
    simple: HashSet<&'value Value>,
    has_array: bool,
    has_object: bool,
}

impl<'value> Held<'value> {
    fn add(&mut self, value: &'value Value) {
        match value {
            Value::Object(_) => self.has_object = true,
            Value::Array(elements) => {
                self.has_array = true;
                for element in elements {
                    self.add(element);
                }
            }
            simple => _ = self.simple.insert(simple),
        }
    }

    fn is_empty(&self) -> bool {
        self.simple.is_empty() && !self.has_array && !self.has_object
    }

    /// Whether a value may stand under the name: one of these, or an array of them where there was an array. An object may
    /// stand where there was one; its members are looked at under their own names.
    fn admits(&self, value: &Value) -> bool {
        match value {
            Value::Object(_) => self.has_object,
            Value::Array(elements) => self.has_array && elements.iter().all(|element| self.admits(element)),
            simple => self.simple.contains(simple),
        }
    }
}

/// Where a member stands.
struct Member<'walk> {
    name: &'walk str,
    bare: &'walk str,
    is_top: bool,
    /// Whether it stands below the envelope's own `error` or `data`.
    of_error: bool,
    of_data: bool,
}

/// A walk through all members of a value that looks at the budget.
#[derive(Default)]
struct Walk(Work);

type Visit<'visit, 'value> = &'visit mut dyn FnMut(&Member<'_>, &'value Value) -> Result<(), Failure>;

impl Walk {
    fn all<'value>(value: &'value Value, visit: Visit<'_, 'value>) -> Result<(), Failure> {
        Self::default().below(value, None, visit)
    }

    /// `section` is the bare name of the envelope's own member that all of this stands in.
    fn below<'value>(&mut self, value: &'value Value, section: Option<&str>, visit: Visit<'_, 'value>) -> Result<(), Failure> {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    self.look(name.len())?;
                    let bare = bare(name);
                    let place = Member {
                        name,
                        bare: &bare,
                        is_top: section.is_none(),
                        of_error: section == Some("error"),
                        of_data: section == Some("data"),
                    };
                    visit(&place, member)?;
                    self.below(member, section.or(Some(&bare)), visit)?;
                }
            }
            Value::Array(elements) => {
                for element in elements {
                    self.look(0)?;
                    self.below(element, section, visit)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn look(&mut self, bytes: usize) -> Result<(), Failure> {
        // Which limit it was is told by the budget itself.
        self.0.add(bytes).map_err(|_| Failure::new(FailureCode::Deadline, "the result could not be looked through"))
    }
}

/// Simple values that are still to be found, by the bare name they had. Those of the verdict stand at the top.
type Missing<'value> = HashMap<String, HashSet<&'value Value>>;

/// The reserved members of an envelope.
#[derive(Default)]
struct Kept<'value> {
    /// `code` and `success` at the top, and which of these names the data has members of its own of.
    verdict: HashMap<&'static str, Held<'value>>,
    of_data: HashSet<&'static str>,
    error_code: Held<'value>,
    /// Tokens and lifetimes at every level, by bare name.
    others: HashMap<String, Held<'value>>,
    /// Those of them below `data`.
    needed: Missing<'value>,
    tokens: HashSet<&'value Value>,
}

impl<'value> Kept<'value> {
    fn of(envelope: &'value Value) -> Result<Self, Failure> {
        let mut kept = Self::default();
        Walk::all(envelope, &mut |member, value| {
            kept.add(member, value);
            Ok(())
        })?;
        Ok(kept)
    }

    fn add(&mut self, member: &Member<'_>, value: &'value Value) {
        if let Some(name) = VERDICT.into_iter().find(|name| *name == member.bare) {
            if member.is_top {
                self.verdict.entry(name).or_default().add(value);
            } else {
                self.of_data.insert(name);
            }
        } else if member.bare == ERROR_CODE {
            if member.of_error {
                self.error_code.add(value);
            } else {
                self.of_data.insert(ERROR_CODE);
            }
        } else if is_token_or_lifetime(member.bare) {
            self.others.entry(member.bare.to_owned()).or_default().add(value);
            if member.of_data {
                simple_values(value, &mut |value| _ = self.needed.entry(member.bare.to_owned()).or_default().insert(value));
            }
        }
        let is_token = is_token(member.bare);
        simple_values(value, &mut |value| {
            if value.as_str().is_some_and(|text| !text.is_empty() && (is_token || veil::is_sign(text))) {
                self.tokens.insert(value);
            }
        });
    }

    /// What may not stand where it stands is found, and what is not there any more is returned.
    fn compare(&self, response: &Value) -> Result<Missing<'value>, Failure> {
        let mut missing = self.needed.clone();
        for (name, held) in self.verdict.iter().map(|(name, held)| (*name, held)).chain([(ERROR_CODE, &self.error_code)]) {
            missing.insert(name.to_owned(), held.simple.clone());
        }
        Walk::all(response, &mut |member, value| {
            if !self.admits(member, value) {
                let is_new = !self.others.contains_key(member.bare) && is_token(member.bare);
                return Err(if is_new { no_token(member.name) } else { changed(member.name) });
            }
            if (!VERDICT.contains(&member.bare) || member.is_top)
                && let Some(missing) = missing.get_mut(member.bare)
            {
                simple_values(value, &mut |value| _ = missing.remove(value));
            }
            Ok(())
        })?;
        missing.retain(|_, values| !values.is_empty());
        Ok(missing)
    }

    /// Whether a value may stand under this name, at this place of the response.
    fn admits(&self, member: &Member<'_>, value: &Value) -> bool {
        if let Some(held) = self.verdict.get(member.bare) {
            // A member of the data's own, such as the code of an area, is the script's to change.
            return held.admits(value) || !member.is_top && self.of_data.contains(member.bare);
        }
        if member.bare == ERROR_CODE {
            let of_data = self.of_data.contains(ERROR_CODE);
            if self.error_code.is_empty() {
                return of_data || !self.succeeded();
            }
            return self.error_code.admits(value) || of_data && !member.of_error && !member.is_top;
        }
        match self.others.get(member.bare) {
            Some(held) => held.admits(value),
            None => !is_token(member.bare) || self.is_token_or_nothing(value),
        }
    }

    fn succeeded(&self) -> bool {
        self.verdict.get("success").is_some_and(|held| held.simple.contains(&Value::Bool(true)))
    }

    /// What may stand under a token's name that the envelope has not. An object may gather the tokens there are.
    fn is_token_or_nothing(&self, value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::String(text) => text.is_empty() || self.tokens.contains(value),
            Value::Array(elements) => elements.iter().all(|element| self.is_token_or_nothing(element)),
            Value::Object(_) => !self.tokens.is_empty(),
            Value::Bool(_) | Value::Number(_) => false,
        }
    }

    /// Whether what is missing stands under names that the envelope had not, and nothing else stands under those.
    fn find_renamed(&self, envelope: &Value, response: &Value, missing: &Missing<'_>) -> Result<(), Failure> {
        for name in VERDICT {
            let values: HashSet<&Value> = missing.get(name).into_iter().flatten().copied().collect();
            let found = renamed(envelope, response, &Wanted::new(values.clone()), &Wanted::new(values.clone()), true)?;
            if !values.is_subset(&found) {
                return Err(changed(name));
            }
        }
        let rest = || missing.iter().filter(|(name, _)| !VERDICT.contains(&name.as_str()));
        let wanted = Wanted::new(rest().flat_map(|(_, values)| values).copied().collect());
        let allowed = self.needed.values().flatten().chain(&self.error_code.simple).copied();
        let found = renamed(envelope, response, &wanted, &Wanted::new(allowed.collect()), false)?;
        let lost = rest().find(|(_, values)| !values.is_subset(&found));
        lost.map_or(Ok(()), |(name, _)| Err(changed(name)))
    }
}

/// Values to look for, of which the longest text bounds what is compared.
struct Wanted<'value> {
    values: HashSet<&'value Value>,
    longest: usize,
}

impl<'value> Wanted<'value> {
    fn new(values: HashSet<&'value Value>) -> Self {
        let longest = values.iter().filter_map(|value| value.as_str()).map(str::len).max().unwrap_or_default();
        Self { values, longest }
    }

    fn contains(&self, value: &Value) -> bool {
        value.as_str().is_none_or(|text| text.len() <= self.longest) && self.values.contains(value)
    }
}

/// Those of the wanted values that stand under names which the envelope had not, and which hold allowed values only.
fn renamed<'response>(
    envelope: &Value,
    response: &'response Value,
    wanted: &Wanted<'_>,
    allowed: &Wanted<'_>,
    is_top: bool,
) -> Result<HashSet<&'response Value>, Failure> {
    let (mut known, mut candidates) = (HashSet::new(), HashMap::<String, HashSet<&Value>>::new());
    if wanted.values.is_empty() {
        return Ok(HashSet::new());
    }
    Walk::all(envelope, &mut |member, _| {
        if member.is_top || !is_top {
            known.insert(member.bare.to_owned());
        }
        Ok(())
    })?;
    Walk::all(response, &mut |member, value| {
        if (member.is_top || !is_top) && !known.contains(member.bare) {
            simple_values(value, &mut |value| {
                if wanted.contains(value) {
                    candidates.entry(member.bare.to_owned()).or_default().insert(value);
                }
            });
        }
        Ok(())
    })?;
    Walk::all(response, &mut |member, value| {
        if (member.is_top || !is_top) && candidates.contains_key(member.bare) {
            // The verdict is one value: an array of it is not the same.
            let mut is_allowed = !(is_top && (value.is_array() || value.is_object()));
            simple_values(value, &mut |value| is_allowed &= allowed.contains(value));
            if !is_allowed {
                candidates.remove(member.bare);
            }
        }
        Ok(())
    })?;
    Ok(candidates.into_values().flatten().collect())
}

/// The simple values that stand under a name: the value itself, or the elements of arrays.
fn simple_values<'value>(value: &'value Value, take: &mut dyn FnMut(&'value Value)) {
    match value {
        Value::Object(_) => {}
        Value::Array(elements) => elements.iter().for_each(|element| simple_values(element, take)),
        simple => take(simple),
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

    /// A change after which the verdict and the tokens go by other names.
    fn after_renaming(change: impl FnOnce(&mut Value)) -> Result<(), FailureCode> {
        let verdict = |name: &str| ["code", "success"].contains(&name).then(|| if name == "code" { "c0" } else { "s0" });
        let tokens = |name: &str| match name {
            "accessToken" => Some("a0"),
            "refreshToken" => Some("r0"),
            "expiresIn" => Some("e0"),
            _ => None,
        };
        changed(|response| {
            crate::casing::rename_members(response.as_object_mut().unwrap(), verdict);
            crate::casing::rename_members(response["data"].as_object_mut().unwrap(), tokens);
            change(response);
        })
    }

    #[test]
    fn nothing_that_passes_for_a_reserved_value_stands_under_its_name() {
        assert_eq!(after_renaming(|_| {}), Ok(()));
        let names = ["code", "success", "accessToken", "refreshToken", "expiresIn", "errorCode"];
        let spellings: [fn(&str) -> String; 7] = [
            str::to_owned,
            |name| crate::casing::snake_name(name).into_owned(),
            str::to_uppercase,
            |name| format!("_{name}_"),
            |name| crate::casing::snake_name(name).replace('_', "-"),
            |name| name.replace('s', "\u{17f}").replace('k', "\u{212a}"),
            |name| crate::casing::snake_name(name).replace('_', " "),
        ];
        let values = [
            json!([true]),
            json!([0]),
            json!({}),
            json!([]),
            json!(["forged"]),
            json!([["forged"]]),
            json!({"a": "forged"}),
            json!("forged"),
            json!(true),
            json!(0),
            json!(1),
            json!("0"),
            json!([false]),
            json!([40113]),
            json!([7200]),
            json!(["a.b.c"]),
            json!(7200.0),
        ];
        for name in names.into_iter().flat_map(|name| spellings.map(|spelling| spelling(name))) {
            for value in &values {
                let places: [fn(&mut Value, &str, &Value); 4] = [
                    |response, name, value| response[name] = value.clone(),
                    |response, name, value| response["data"][name] = value.clone(),
                    |response, name, value| response["data"]["rows"][0]["deep"] = json!([{name: value}]),
                    |response, name, value| response["__proto__"] = json!({name: value}),
                ];
                for (place, put) in places.into_iter().enumerate() {
                    // The rows have a code and an error code of their own, which are theirs to change.
                    if place > 0 && ["code", "errorcode"].contains(&bare(name.as_str()).as_str()) {
                        continue;
                    }
                    let outcome = after_renaming(|response| put(response, &name, value));
                    assert_eq!(outcome, Err(FailureCode::ReservedChanged), "{name}: {value} at {place}");
                }
            }
        }
    }

    #[test]
    fn a_refusal_gets_no_second_verdict_and_no_token_at_any_level() {
        let refused = json!({"code": 40113, "success": false, "message": "x", "error": {"errorCode": "TOKEN_EXPIRED", "errorText": "x"}});
        let with = |change: fn(&mut Value)| {
            let mut response = refused.clone();
            change(&mut response);
            check(&refused, &response).map_err(|failure| failure.code)
        };
        let changes: [fn(&mut Value); 9] = [
            |response| response["data"] = json!({"success": true}),
            |response| response["data"] = json!({"result": [{"code": 0}]}),
            |response| response["error"]["success"] = json!([true]),
            |response| response["data"] = json!({"accessToken": "forged"}),
            |response| response["data"] = json!({"token": {"accessToken": ["forged"]}}),
            |response| response["data"] = json!({"token": {}}),
            |response| response["data"] = json!({"accessToken": true}),
            |response| response["error"]["errorCode"] = json!(["TOKEN_EXPIRED"]),
            |response| response["data"] = json!({"errorCode": {}}),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            assert_eq!(with(change), Err(FailureCode::ReservedChanged), "change {number}");
        }
        assert_eq!(with(|response| response["data"] = json!({"accessToken": "", "success": false, "code": 40113})), Ok(()));
        let done = json!({"code": 0, "success": true, "message": "x"});
        let failed = json!({"code": 0, "success": true, "message": "x", "error": {"errorCode": "FAILED"}});
        assert_eq!(check(&done, &failed).map_err(|failure| failure.code), Err(FailureCode::ReservedChanged));
    }

    #[test]
    fn what_goes_by_a_new_name_stands_there_alone() {
        for change in [
            (|response| response["c0"] = json!([40113])) as fn(&mut Value),
            |response| response["C0"] = json!(0),
            |response| response["s_0"] = json!([false]),
            |response| response["data"]["more"] = json!({"a_0": "forged"}),
            |response| response["data"]["A0"] = json!(["a.b.c", "forged"]),
            |response| response["data"]["r0"] = json!({"r0": "forged"}),
            |response| response["e0"] = json!(7201),
        ] {
            assert_eq!(after_renaming(change), Err(FailureCode::ReservedChanged));
        }
    }

    #[test]
    fn arrays_and_objects_of_tokens_are_kept_as_they_are() {
        let envelope = json!({"code": 0, "success": true, "data": {"refreshTokens": ["1a", "1b"], "token": {"accessToken": "a.b.c"}}});
        let mut snake = envelope.clone();
        crate::casing::snake(&mut snake);
        assert_eq!(check(&envelope, &snake), Ok(()));
        for (tokens, is_kept) in [
            (json!(["1b", "1a"]), true),
            (json!(["1a"]), false),
            (json!(["1a", "1b", "forged"]), false),
            (json!({"1a": "1b"}), false),
            (json!("1a"), false),
        ] {
            let mut response = envelope.clone();
            response["data"]["refreshTokens"] = tokens;
            assert_eq!(check(&envelope, &response).is_ok(), is_kept, "{response}");
        }
    }

    #[test]
    fn conversions_never_make_another_name_a_reserved_one() {
        for name in ["code", "s_uccess", "SUCCESS", "accessToken", "Access_Token", "expires_In", "_error__code", "HTTPCode2"] {
            for spelled in [crate::casing::camel_name(name), crate::casing::snake_name(name)] {
                assert_eq!(bare(&spelled), bare(name), "{name}");
            }
        }
    }
}
