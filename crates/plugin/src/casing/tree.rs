//! A whole value: every object's names, in place. An object whose names are right already is not touched at all.

use std::borrow::Cow;
use std::collections::HashMap;
use std::mem;

use serde_json::Value;
use serde_json::map::{Entry, Map};

use super::{DEEPEST_LEVEL, Style, key};

/// Converts the value, which is at this level, and everything below it; returns how many members kept their name because of
/// a collision.
pub(super) fn convert(value: &mut Value, style: Style, level: usize) -> usize {
    if level > DEEPEST_LEVEL {
        return 0;
    }
    match value {
        Value::Object(members) => {
            let collisions = rename(members, style);
            members.values_mut().map(|member| convert(member, style, level + 1)).sum::<usize>() + collisions
        }
        Value::Array(elements) => elements.iter_mut().map(|element| convert(element, style, level + 1)).sum(),
        _ => 0,
    }
}

/// Renames one object's members. Builds a new map only from the first name on that changes, and expects no collision; where
/// one turns up, the members get their former names back and the careful way is taken.
fn rename(members: &mut Map<String, Value>, style: Style) -> usize {
    if !members.keys().any(|name| key::respelled(name, style).is_some()) {
        return 0;
    }
    let mut renamed = Map::with_capacity(members.len());
    let mut former_names = Vec::with_capacity(members.len());
    let mut rest = mem::take(members).into_iter();
    let clash = loop {
        let Some((name, value)) = rest.next() else {
            *members = renamed;
            return 0;
        };
        let (name, former) = match key::respelled(&name, style) {
            Some(new) => (new, Some(name)),
            None => (name, None),
        };
        match renamed.entry(name) {
            Entry::Vacant(place) => {
                place.insert(value);
                former_names.push(former);
            }
            Entry::Occupied(place) => break (former.unwrap_or_else(|| place.key().clone()), value),
        }
    };
    let taken = renamed.into_iter().zip(former_names).map(|((name, value), former)| (former.unwrap_or(name), value));
    let (map, collisions) = rename_apart(taken.chain([clash]).chain(rest).collect(), |name| key::respelled(name, style).map(Cow::Owned));
    *members = map;
    collisions
}

/// Renames members, in place, to what the function wants for a name; a name that two members would have is given to none
/// that has another. Returns how many kept their name because of that.
pub(crate) fn rename_members<'names>(members: &mut Map<String, Value>, wanted: impl Fn(&str) -> Option<&'names str>) -> usize {
    let (renamed, collisions) = rename_apart(mem::take(members).into_iter().collect(), |name| wanted(name).map(Cow::Borrowed));
    *members = renamed;
    collisions
}

/// Renames members of which some would get one name: those keep the names they had. Names are compared where they stand, and
/// copied only for the member that gets one.
fn rename_apart<'names>(members: Vec<(String, Value)>, wanted: impl Fn(&str) -> Option<Cow<'names, str>>) -> (Map<String, Value>, usize) {
    let mut takers: HashMap<Cow<'_, str>, usize> = HashMap::with_capacity(members.len());
    for (name, _) in &members {
        *takers.entry(wanted(name).unwrap_or(Cow::Borrowed(name))).or_default() += 1;
    }
    let is_given: Vec<Option<bool>> = members.iter().map(|(name, _)| wanted(name).map(|new| takers.get(&new) == Some(&1))).collect();
    drop(takers);
    let mut collisions = 0;
    let mut renamed = Map::with_capacity(members.len());
    for ((name, value), is_given) in members.into_iter().zip(is_given) {
        let name = match is_given {
            Some(true) => wanted(&name).map_or(name, Cow::into_owned),
            Some(false) => {
                collisions += 1;
                name
            }
            None => name,
        };
        renamed.insert(name, value);
    }
    (renamed, collisions)
}
