//! The rule by its properties, over generated names and values.

use std::collections::HashSet;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value};

use super::{camel, camel_name, snake, snake_name};

/// Field names of every kind, up to and past the longest.
fn names() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Za-z_][A-Za-z0-9_]{0,12}",
        "[ab_][aB2_]{0,10}",
        "_{0,2}([A-Z]{1,4}|[a-z]{1,4}|[0-9]{1,2}|_{1,2}){1,6}_{0,2}",
        "[A-Za-z_][A-Za-z0-9_]{100,140}",
        "([a-z][A-Z]){40,70}",
    ]
}

/// Values whose objects have names of few letters, so that many collide.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![any::<i64>().prop_map(Value::from), any::<bool>().prop_map(Value::from), "[a-zA-Z_]{0,8}".prop_map(Value::from)];
    leaf.prop_recursive(5, 60, 8, |inner| {
        let members = vec(("[ab][bB_]{0,3}|中|4x", inner.clone()), 0..8);
        prop_oneof![
            members.prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
            vec(inner, 0..4).prop_map(Value::Array),
        ]
    })
}

/// The values that are no containers, in their order.
fn leaves(value: &Value) -> Vec<Value> {
    match value {
        Value::Object(members) => members.values().flat_map(leaves).collect(),
        Value::Array(elements) => elements.iter().flat_map(leaves).collect(),
        leaf => vec![leaf.clone()],
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_are_idempotent(name in names()) {
        let (camel, snake) = (camel_name(&name), snake_name(&name));
        prop_assert_eq!(camel_name(&camel), camel.clone());
        prop_assert_eq!(snake_name(&snake), snake.clone());
    }

    #[test]
    fn either_undoes_the_other(name in names()) {
        let (camel, snake) = (camel_name(&name), snake_name(&name));
        prop_assert_eq!(camel_name(&snake), camel.clone());
        prop_assert_eq!(snake_name(&camel), snake.clone());
    }

    #[test]
    fn a_field_name_stays_one_and_keeps_its_letters(name in names()) {
        let letters = |text: &str| text.replace('_', "").to_ascii_lowercase();
        for spelling in [camel_name(&name), snake_name(&name)] {
            prop_assert_eq!(letters(&spelling), letters(&name));
            prop_assert!(spelling.len() <= name.len().max(128));
        }
    }

    #[test]
    fn any_text_at_all_is_borne(text in any::<String>()) {
        let (camel, snake) = (camel_name(&text), snake_name(&text));
        prop_assert_eq!(camel_name(&camel), camel.clone());
        prop_assert_eq!(snake_name(&snake), snake.clone());
    }

    #[test]
    fn nothing_is_lost_or_moved(value in values()) {
        for convert in [camel, snake] {
            let mut converted = value.clone();
            convert(&mut converted);
            prop_assert_eq!(leaves(&converted), leaves(&value));
            let mut again = converted.clone();
            convert(&mut again);
            prop_assert_eq!(again.to_string(), converted.to_string());
        }
    }

    #[test]
    fn collisions_are_the_names_that_could_not_change(value in values()) {
        if let Value::Object(members) = &value {
            let flat: Map<String, Value> = members.keys().map(|name| (name.clone(), Value::Null)).collect();
            let mut converted = Value::Object(flat.clone());
            let collisions = camel(&mut converted);
            let kept = flat.keys().filter(|name| camel_name(name) != **name && converted.get(name).is_some()).count();
            prop_assert_eq!(collisions, kept);
            let wanted: HashSet<_> = flat.keys().map(|name| camel_name(name)).collect();
            prop_assert_eq!(collisions == 0, wanted.len() == flat.len());
        }
    }
}
