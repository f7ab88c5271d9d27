//! `to_string`, `to_debug`, `print` and `debug` for every type, and `+` between a text and anything else. Every writer stops
//! where its room ends, and looks at the budget on the way: an escape makes six bytes of one, and rhai's own writers recurse
//! without bound.

use std::fmt::{self, Write};
use std::io;

use rhai::{Array, Dynamic, Engine, EvalAltResult, ImmutableString, Map, Position};

use crate::budget::{self, Fallible, Work};
use crate::json::Json;
use crate::{limits, words};

pub(super) fn install(engine: &mut Engine) {
    for name in ["to_string", "to_debug"] {
        engine.register_fn(name, |value: &mut Dynamic| of(value, limits::STRING));
    }
    for name in ["print", "debug"] {
        engine.register_fn(name, |value: &mut Dynamic| of(value, limits::LOG)).register_fn(name, String::new);
    }
    engine
        .register_fn("+", |text: ImmutableString, value: Dynamic| joined(text, &value, false))
        .register_fn("+", |value: Dynamic, text: ImmutableString| joined(text, &value, true));
}

/// A text and a value, in one of two orders; fails before it is built if it would be too long.
fn joined(text: ImmutableString, value: &Dynamic, value_first: bool) -> Fallible<ImmutableString> {
    let written = of(value, limits::STRING)?;
    if text.len() + written.len() > limits::STRING {
        return Err(EvalAltResult::ErrorDataTooLarge("Length of string".to_owned(), Position::NONE).into());
    }
    Ok(if value_first { (written + text.as_str()).into() } else { text + written })
}

/// A value as text of at most so many bytes: a text as it is, everything else much as JSON has it.
pub(super) fn of(value: &Dynamic, room: usize) -> Fallible<String> {
    let mut writer = Writer { text: Vec::new(), room, work: Work::default() };
    // A writer fails if it is full, which ends the text, and if the budget has ended, which is found below.
    let _ = if let Ok(text) = value.as_immutable_string_ref() {
        writer.write_str(&text)
    } else if let Ok(character) = value.as_char() {
        writer.write_char(character)
    } else if value.is_unit() {
        Ok(())
    } else {
        writer.value(value, limits::VALUE_DEPTH)
    };
    budget::check()?;
    Ok(writer.into_text())
}

/// A text that stops growing at the limit.
struct Writer {
    text: Vec<u8>,
    room: usize,
    work: Work,
}

impl Write for Writer {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        io::Write::write_all(self, part.as_bytes()).map_err(|_| fmt::Error)
    }
}

/// For JSON, which is written as bytes.
impl io::Write for Writer {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        let written = part.len().min(self.room - self.text.len());
        let part = part.get(..written).filter(|part| !part.is_empty() && self.work.add(part.len()).is_ok());
        let part = part.ok_or(io::ErrorKind::WriteZero)?;
        self.text.extend_from_slice(part);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Writer {
    /// What was written, without half a character at its end.
    fn into_text(mut self) -> String {
        if let Err(error) = std::str::from_utf8(&self.text) {
            self.text.truncate(error.valid_up_to());
        }
        String::from_utf8(self.text).unwrap_or_default()
    }

    fn value(&mut self, value: &Dynamic, room: usize) -> fmt::Result {
        if let Ok(array) = value.as_array_ref() {
            return self.array(&array, room);
        }
        if let Ok(map) = value.as_map_ref() {
            return self.map(&map, room);
        }
        if let Ok(text) = value.as_immutable_string_ref() {
            write!(self, "{:?}", text.as_str())
        } else if let Some(json) = value.read_lock::<Json>() {
            json.read(|value| serde_json::to_writer(&mut *self, value)).map_err(|_| fmt::Error)
        } else if let Ok(real) = value.as_float() {
            write!(self, "{real:?}")
        } else if let Ok(integer) = value.as_int() {
            write!(self, "{integer}")
        } else if let Ok(truth) = value.as_bool() {
            write!(self, "{truth}")
        } else if let Ok(character) = value.as_char() {
            write!(self, "{character:?}")
        } else if value.is_unit() {
            self.write_str("()")
        } else {
            self.write_str(words::type_word(value.type_name()))
        }
    }

    fn array(&mut self, array: &Array, room: usize) -> fmt::Result {
        let Some(room) = room.checked_sub(1) else { return self.write_char('…') };
        self.write_char('[')?;
        for (at, element) in array.iter().enumerate() {
            if at > 0 {
                self.write_str(", ")?;
            }
            self.value(element, room)?;
        }
        self.write_char(']')
    }

    fn map(&mut self, map: &Map, room: usize) -> fmt::Result {
        let Some(room) = room.checked_sub(1) else { return self.write_char('…') };
        self.write_str("#{")?;
        for (at, (name, member)) in map.iter().enumerate() {
            if at > 0 {
                self.write_str(", ")?;
            }
            write!(self, "{name:?}: ")?;
            self.value(member, room)?;
        }
        self.write_char('}')
    }
}

#[cfg(test)]
mod tests {
    use rhai::Dynamic;
    use serde_json::json;

    use super::of;
    use crate::json::Json;

    #[test]
    fn a_text_ends_where_its_room_does() {
        let control = "\u{1}".repeat(100_000);
        for (value, room, text) in [
            (Dynamic::from(control.clone()), 3, "\u{1}\u{1}\u{1}"),
            (vec![Dynamic::from(control.clone())].into(), 8, r#"["\u{1}\"#),
            (Dynamic::from(Json::owned(json!({"a": control}))), 14, r#"{"a":"\u0001\u"#),
            ("退出".into(), 4, "退"),
            (Dynamic::from(Json::owned(json!(["退出"]))), 6, "[\"退"),
            (vec![Dynamic::from(1_i64), 'x'.into(), ().into(), 1.5.into()].into(), 100, "[1, 'x', (), 1.5]"),
            (().into(), 100, ""),
        ] {
            assert_eq!(of(&value, room).unwrap(), text);
        }
    }
}
