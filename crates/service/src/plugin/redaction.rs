//! Makes an answer fit to be kept: no token, and no text below `data` that could name a person or a thing. What is left is the
//! answer's shape: names, numbers, truth values, instants, and texts of the same length.

use serde_json::Value;

/// Redacts an envelope in place. The envelope's own texts (`message`, `error`) come from the error table and stay.
pub fn redact(envelope: &mut Value) {
    if let Some(data) = envelope.get_mut("data") {
        walk(data, "");
    }
}

fn walk(value: &mut Value, name: &str) {
    match value {
        Value::Object(members) => members.iter_mut().for_each(|(name, member)| walk(member, name)),
        Value::Array(elements) => elements.iter_mut().for_each(|element| walk(element, name)),
        Value::String(text) => {
            let name = name.to_ascii_lowercase();
            if name.ends_with("token") || name.ends_with("tokens") {
                "redacted".clone_into(text);
            } else if !is_instant(text) {
                *text = text.chars().map(veiled).collect();
            }
        }
        // A number may be a telephone number or an id; small ones are counts and lifetimes.
        Value::Number(number) if number.as_i64().is_none_or(|number| number.abs() >= 100_000_000) && !number.is_f64() => {
            *value = Value::from(123_456_789);
        }
        _ => {}
    }
}

/// Another character of the same kind.
const fn veiled(character: char) -> char {
    match character {
        'a'..='z' => 'x',
        'A'..='Z' => 'X',
        '0'..='9' => '0',
        character if character.is_ascii() => character,
        _ => '某',
    }
}

/// RFC 3339, as the service writes instants.
fn is_instant(text: &str) -> bool {
    let pattern = b"0000-00-00T00:00:00";
    text.len() >= pattern.len()
        && text.len() <= 35
        && text.bytes().zip(pattern).all(|(byte, expected)| if *expected == b'0' { byte.is_ascii_digit() } else { byte == *expected })
        && text.bytes().skip(pattern.len()).all(|byte| byte.is_ascii_digit() || b".Z+-:".contains(&byte))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::redact;

    #[test]
    fn only_the_shape_is_left() {
        let mut envelope = json!({"code": 0, "success": true, "message": "登录成功", "data": {
            "token": {"accessToken": "a.b.c", "refresh_token": "1xyz", "tokenType": "Bearer", "expiresIn": 7200},
            "user": {"userName": "王芳", "mobile": "13800008000", "id": "u-Ab1", "number": 13_800_008_000_i64, "admin": false, "none": null},
            "sessions": [{"createdAt": "2026-11-21T12:00:00.000Z", "userAgent": "Firefox/1"}],
        }, "cacheType": "redis"});
        redact(&mut envelope);
        assert_eq!(
            envelope,
            json!({"code": 0, "success": true, "message": "登录成功", "data": {
                "token": {"accessToken": "redacted", "refresh_token": "redacted", "tokenType": "Xxxxxx", "expiresIn": 7200},
                "user": {"userName": "某某", "mobile": "00000000000", "id": "x-Xx0", "number": 123_456_789, "admin": false, "none": null},
                "sessions": [{"createdAt": "2026-11-21T12:00:00.000Z", "userAgent": "Xxxxxxx/0"}],
            }, "cacheType": "redis"})
        );
    }
}
