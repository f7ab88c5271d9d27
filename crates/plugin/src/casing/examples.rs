//! The rule by its examples: names, what is no name, collisions, order, depth.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::{DEEPEST_LEVEL, camel, camel_name, snake, snake_name};

/// A name, its lower camelCase and its `snake_case`.
const NAMES: [(&str, &str, &str); 50] = [
    ("user_name", "userName", "user_name"),
    ("User_Name", "userName", "user_name"),
    ("USER_NAME", "userName", "user_name"),
    ("UserName", "userName", "user_name"),
    ("userName", "userName", "user_name"),
    ("user__name", "userName", "user_name"),
    ("userID", "userId", "user_id"),
    ("UserID", "userId", "user_id"),
    ("user_id", "userId", "user_id"),
    ("userId", "userId", "user_id"),
    ("URLValue", "urlValue", "url_value"),
    ("ID", "id", "id"),
    ("id", "id", "id"),
    ("Id", "id", "id"),
    ("X", "x", "x"),
    ("HTTPServer", "httpServer", "http_server"),
    ("HTTPServerV2", "httpServerV2", "http_server_v2"),
    ("http_server_v2", "httpServerV2", "http_server_v2"),
    ("XMLHttpRequest", "xmlHttpRequest", "xml_http_request"),
    ("SHA512Hash", "sha512Hash", "sha512_hash"),
    ("IPhone", "iPhone", "i_phone"),
    ("area2Code", "area2Code", "area2_code"),
    ("area2_code", "area2Code", "area2_code"),
    ("address_2", "address_2", "address_2"),
    ("Address_2", "address_2", "address_2"),
    ("address2", "address2", "address2"),
    ("address_2_line", "address_2Line", "address_2_line"),
    ("v1_2", "v1_2", "v1_2"),
    ("point_x_y", "pointX_y", "point_x_y"),
    ("pointX_y", "pointX_y", "point_x_y"),
    ("pointXY", "pointXy", "point_xy"),
    ("point_x_yz", "pointXYz", "point_x_yz"),
    ("point_x_y2", "pointX_y2", "point_x_y2"),
    ("a_b_c", "aB_c", "a_b_c"),
    ("a_b_c_d", "aB_cD", "a_b_c_d"),
    ("aB_cD", "aB_cD", "a_b_c_d"),
    ("A_B", "aB", "a_b"),
    ("_id", "_id", "_id"),
    ("_Id", "_id", "_id"),
    ("__v", "__v", "__v"),
    ("trailing_", "trailing_", "trailing_"),
    ("_user_name_", "_userName_", "_user_name_"),
    ("__UserName", "__userName", "__user_name"),
    ("_", "_", "_"),
    ("___", "___", "___"),
    ("_2_x", "_2X", "_2_x"),
    ("errorCode", "errorCode", "error_code"),
    ("cache_type", "cacheType", "cache_type"),
    ("yZ", "yZ", "y_z"),
    ("point_x_yZ", "pointX_yZ", "point_x_y_z"),
];

#[test]
fn each_name_has_one_spelling_in_each_style() {
    for (name, camel, snake) in NAMES {
        assert_eq!(camel_name(name), camel, "camel of {name}");
        assert_eq!(snake_name(name), snake, "snake of {name}");
    }
}

#[test]
fn a_name_that_is_right_is_borrowed() {
    for (_, camel, snake) in NAMES {
        assert!(matches!(camel_name(camel), Cow::Borrowed(_)), "{camel}");
        assert!(matches!(snake_name(snake), Cow::Borrowed(_)), "{snake}");
    }
}

#[test]
fn every_other_key_is_data() {
    let long = format!("{}_b", "A".repeat(127));
    for key in ["", "中文", "用户_Name", "a b", "User Name", "a-B", "44010", "4_Five", "😀", "User.Name", "UserName\0", "É_A", &long]
    {
        assert_eq!(camel_name(key), key);
        assert_eq!(snake_name(key), key);
    }
}

#[test]
fn a_name_may_have_128_characters_however_it_is_spelt() {
    let longest = format!("A{}", "a".repeat(127));
    assert_eq!(camel_name(&longest), longest.to_lowercase());
    let (words, joined) = (format!("{}a", "ab_".repeat(42)), format!("ab{}A", "Ab".repeat(41)));
    assert_eq!((camel_name(&words), snake_name(&joined)), (Cow::Borrowed(joined.as_str()), Cow::Borrowed(words.as_str())));
    let too_long_in_words = "aB".repeat(50);
    assert_eq!(camel_name(&format!("{too_long_in_words}_c")), format!("{too_long_in_words}_c"));
    assert_eq!(snake_name(&too_long_in_words), too_long_in_words);
}

fn camelled(mut value: Value) -> (String, usize) {
    let collisions = camel(&mut value);
    (value.to_string(), collisions)
}

#[test]
fn order_values_and_number_texts_stay() {
    let text = r#"{"z_z":1,"a_a":1.0,"M_m":18446744073709551615,"b":-0.5,"list":[{"in_ner":"Keep_This"},[{"x_y":null}]],"中_文":true,"c_c":1e+300}"#;
    let expected =
        r#"{"zZ":1,"aA":1.0,"mM":18446744073709551615,"b":-0.5,"list":[{"inNer":"Keep_This"},[{"xY":null}]],"中_文":true,"cC":1e+300}"#;
    let value: Value = serde_json::from_str(text).unwrap();
    assert_eq!(camelled(value), (expected.to_owned(), 0));
}

#[test]
fn the_name_that_is_there_already_wins() {
    assert_eq!(camelled(json!({"user_name": 1, "userName": 2, "b_c": 3})), (r#"{"user_name":1,"userName":2,"bC":3}"#.to_owned(), 1));
    assert_eq!(camelled(json!({"userName": 2, "user_name": 1})), (r#"{"userName":2,"user_name":1}"#.to_owned(), 1));
}

#[test]
fn where_none_has_the_name_all_keep_theirs() {
    let value = json!({"a_a": 0, "user_name": 1, "User_Name": 2, "UserName": 3, "z_z": {"x_x": 4, "X_x": 5}});
    let expected = r#"{"aA":0,"user_name":1,"User_Name":2,"UserName":3,"zZ":{"x_x":4,"X_x":5}}"#;
    assert_eq!(camelled(value), (expected.to_owned(), 5));
}

#[test]
fn the_whole_envelope_is_converted() {
    let text = r#"{"code":40113,"success":false,"message":"m","cacheType":"redis","error":{"errorCode":"TOKEN_EXPIRED","errorText":"t"}}"#;
    let mut value: Value = serde_json::from_str(text).unwrap();
    assert_eq!(snake(&mut value), 0);
    assert_eq!(
        value.to_string(),
        r#"{"code":40113,"success":false,"message":"m","cache_type":"redis","error":{"error_code":"TOKEN_EXPIRED","error_text":"t"}}"#
    );
    assert_eq!(camel(&mut value), 0);
    assert_eq!(value.to_string(), text);
}

#[test]
fn levels_below_the_deepest_stay_as_they_are() {
    let nested = |levels: usize| (1..levels).fold(json!({"x_x": 0}), |inner, _| json!({"a_a": inner}));
    let deepest = camelled(nested(DEEPEST_LEVEL)).0;
    assert!(!deepest.contains('_'));
    let deeper = camelled(nested(DEEPEST_LEVEL + 1)).0;
    assert_eq!((deeper.matches("aA").count(), deeper.matches("x_x").count()), (DEEPEST_LEVEL, 1));
}
