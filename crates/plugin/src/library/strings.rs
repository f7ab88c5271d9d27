//! What scripts do with texts: the names and meanings of rhai's own functions, each checked before it builds anything.
//! Lengths and places count characters.

use rhai::{Array, Engine, EvalAltResult, INT, ImmutableString, Position};

use crate::budget::{self, Fallible};
use crate::limits;

pub(super) fn install(engine: &mut Engine) {
    engine
        .register_fn("len", |text: &str| count(text.chars().count()))
        .register_get("len", |text: &mut ImmutableString| count(text.chars().count()))
        .register_fn("is_empty", |text: &str| text.is_empty())
        .register_fn("contains", |text: &str, part: &str| text.contains(part))
        .register_fn("starts_with", |text: &str, part: &str| text.starts_with(part))
        .register_fn("ends_with", |text: &str, part: &str| text.ends_with(part))
        .register_fn("index_of", index_of)
        .register_fn("sub_string", |text: &str, start: INT| sub_string(text, start, INT::MAX))
        .register_fn("sub_string", sub_string)
        .register_fn("to_upper", |text: &str| spelled(text, char::to_uppercase))
        .register_fn("to_lower", lower)
        .register_fn("trim", |text: &mut ImmutableString| *text = text.trim().into())
        .register_fn("truncate", |text: &mut ImmutableString, length: INT| *text = sub_string(text, 0, length).into())
        .register_fn("replace", replace)
        .register_fn("pad", |text: &mut ImmutableString, length: INT, filler: char| pad(text, length, filler.encode_utf8(&mut [0; 4])))
        .register_fn("pad", pad)
        .register_fn("split", split);
}

fn count(count: usize) -> INT {
    INT::try_from(count).unwrap_or(INT::MAX)
}

fn too_large<T>() -> Fallible<T> {
    Err(EvalAltResult::ErrorDataTooLarge("Length of string".to_owned(), Position::NONE).into())
}

/// The place of the first occurrence, or -1.
fn index_of(text: &str, part: &str) -> INT {
    let found = text.find(part).and_then(|at| text.get(..at));
    found.map_or(-1, |before| count(before.chars().count()))
}

/// A part of the text; a start below zero counts from the end.
fn sub_string(text: &str, start: INT, length: INT) -> String {
    let skipped = match usize::try_from(start) {
        Ok(start) => start,
        Err(_) => text.chars().count().saturating_sub(usize::try_from(start.unsigned_abs()).unwrap_or(usize::MAX)),
    };
    text.chars().skip(skipped).take(usize::try_from(length).unwrap_or(0)).collect()
}

/// Each character of the text in another case, which may have three times the bytes.
fn spelled<I: Iterator<Item = char>>(text: &str, spell: fn(char) -> I) -> Fallible<String> {
    collected(text.chars().flat_map(spell))
}

fn lower(text: &str) -> Fallible<String> {
    // The one letter whose lower case depends on its place, a final sigma, is written as the standard library has it.
    if text.contains('Σ') && text.len() <= limits::STRING / 3 {
        return Ok(text.to_lowercase());
    }
    spelled(text, char::to_lowercase)
}

/// Characters as a text, which fails at the first that has no room.
fn collected(characters: impl Iterator<Item = char>) -> Fallible<String> {
    let mut text = String::new();
    for character in characters {
        if text.len() + character.len_utf8() > limits::STRING {
            return too_large();
        }
        text.push(character);
    }
    budget::check().map(|()| text)
}

/// Replaces every occurrence, in place. An empty part occurs nowhere.
fn replace(text: &mut ImmutableString, part: &str, by: &str) -> Fallible<()> {
    if part.is_empty() {
        return Ok(());
    }
    let occurrences = text.matches(part).count();
    let length = text.len() - occurrences * part.len() + occurrences.saturating_mul(by.len());
    if length > limits::STRING {
        return too_large();
    }
    if occurrences > 0 {
        *text = text.replace(part, by).into();
    }
    budget::check()
}

/// Fills the text up to a length, in place. An empty filler fills nothing.
fn pad(text: &mut ImmutableString, length: INT, filler: &str) -> Fallible<()> {
    let wanted = usize::try_from(length).unwrap_or(0);
    let missing = wanted.saturating_sub(text.chars().count());
    if missing == 0 || filler.is_empty() {
        return Ok(());
    }
    // A character has one byte at least, so this bounds the work as well.
    if wanted > limits::STRING {
        return too_large();
    }
    *text = collected(text.chars().chain(filler.chars().cycle().take(missing)))?.into();
    Ok(())
}

/// The parts between the occurrences of a delimiter; an empty one occurs nowhere.
fn split(text: &str, delimiter: &str) -> Fallible<Array> {
    if delimiter.is_empty() {
        return Ok(vec![text.into()]);
    }
    if text.matches(delimiter).take(limits::ELEMENTS).count() >= limits::ELEMENTS {
        return Err(EvalAltResult::ErrorDataTooLarge("Size of array".to_owned(), Position::NONE).into());
    }
    let parts = text.split(delimiter).map(Into::into).collect();
    budget::check().map(|()| parts)
}
