//! `to_string`, `to_debug`, `print` and `debug` for every type, and `+` between a text and anything else. Never longer than a
//! string may be and never deeper than a value may be: rhai's own recurse without bound.

use rhai::{Array, Dynamic, Engine, ImmutableString, Map};

use crate::json::Json;
use crate::limits;

pub(super) fn install(engine: &mut Engine) {
    for name in ["to_string", "print", "to_debug", "debug"] {
        engine.register_fn(name, |value: &mut Dynamic| of(value));
    }
    engine
        .register_fn("print", String::new)
        .register_fn("debug", String::new)
        .register_fn("+", |text: ImmutableString, value: Dynamic| text + of(&value))
        .register_fn("+", |value: Dynamic, text: ImmutableString| of(&value) + text.as_str());
}

/// A value as text: a text as it is, everything else much as JSON has it.
pub(super) fn of(value: &Dynamic) -> String {
    if let Ok(text) = value.as_immutable_string_ref() {
        return text.to_string();
    }
    if let Ok(character) = value.as_char() {
        return character.to_string();
    }
    if value.is_unit() {
        return String::new();
    }
    let mut writer = Writer { text: String::new() };
    writer.value(value, limits::VALUE_DEPTH);
    writer.text.truncate(writer.text.floor_char_boundary(limits::STRING));
    writer.text
}

/// A text that stops growing at the limit.
struct Writer {
    text: String,
}

impl Writer {
    fn is_full(&self) -> bool {
        self.text.len() > limits::STRING
    }

    fn value(&mut self, value: &Dynamic, room: usize) {
        if self.is_full() {
            return;
        }
        if let Ok(array) = value.as_array_ref() {
            return self.array(&array, room);
        }
        if let Ok(map) = value.as_map_ref() {
            return self.map(&map, room);
        }
        let text = if let Ok(text) = value.as_immutable_string_ref() {
            format!("{:?}", text.as_str())
        } else if let Some(json) = value.read_lock::<Json>() {
            json.read(ToString::to_string)
        } else if let Ok(real) = value.as_float() {
            format!("{real:?}")
        } else if let Ok(integer) = value.as_int() {
            integer.to_string()
        } else if let Ok(truth) = value.as_bool() {
            truth.to_string()
        } else if let Ok(character) = value.as_char() {
            format!("{character:?}")
        } else if value.is_unit() {
            "()".to_owned()
        } else {
            value.type_name().to_owned()
        };
        self.text.push_str(&text);
    }

    fn array(&mut self, array: &Array, room: usize) {
        let Some(room) = room.checked_sub(1) else { return self.text.push('…') };
        self.text.push('[');
        for (at, element) in array.iter().enumerate() {
            if self.is_full() {
                return;
            }
            if at > 0 {
                self.text.push_str(", ");
            }
            self.value(element, room);
        }
        self.text.push(']');
    }

    fn map(&mut self, map: &Map, room: usize) {
        let Some(room) = room.checked_sub(1) else { return self.text.push('…') };
        self.text.push_str("#{");
        for (at, (name, member)) in map.iter().enumerate() {
            if self.is_full() {
                return;
            }
            if at > 0 {
                self.text.push_str(", ");
            }
            let name = format!("{name:?}: ");
            self.text.push_str(&name);
            self.value(member, room);
        }
        self.text.push('}');
    }
}
