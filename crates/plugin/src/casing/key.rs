//! One name: cut into words, joined again in the wanted spelling.
//!
//! Words are cut at runs of `_`, between a lower-case letter or digit and a capital, and before the last capital of a run
//! that a lower-case letter follows. Bytes are enough: a field name is ASCII.

use super::Style;

/// The longest field name, in characters; a name whose `snake_case` spelling is longer is no field name either, since it
/// could not be read back.
const LONGEST: usize = 128;

/// The key in the wanted spelling, or `None` where it has that already or is no field name.
pub(super) fn respelled(key: &str, style: Style) -> Option<String> {
    let bytes = key.as_bytes();
    if !needs_cutting(bytes, style) {
        return None;
    }
    let mut buffer = [0; LONGEST];
    let length = spell(bytes, style, &mut buffer)?;
    let spelling = buffer.get(..length)?;
    if spelling == bytes {
        return None;
    }
    if style == Style::Camel && bytes.len() > LONGEST / 2 {
        spell(bytes, Style::Snake, &mut [0; LONGEST])?;
    }
    std::str::from_utf8(spelling).ok().map(str::to_owned)
}

/// Whether the key is a field name that one look does not show to be right already. Most names of a response that is in the
/// wanted spelling end here.
fn needs_cutting(bytes: &[u8], style: Style) -> bool {
    let Some(first) = bytes.first().filter(|first| first.is_ascii_alphabetic() || **first == b'_') else { return false };
    if bytes.len() > LONGEST {
        return false;
    }
    let mut is_right = style == Style::Snake || first.is_ascii_lowercase();
    let mut before = b'a';
    for byte in bytes {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' => {}
            b'A'..=b'Z' => is_right &= style == Style::Camel && !before.is_ascii_uppercase(),
            b'_' => is_right &= style == Style::Snake && before != b'_',
            _ => return false,
        }
        before = *byte;
    }
    !is_right
}

/// Writes the key in the wanted spelling and returns its length; `None` where it does not fit.
fn spell(key: &[u8], style: Style, buffer: &mut [u8; LONGEST]) -> Option<usize> {
    let head = key.iter().take_while(|byte| **byte == b'_').count();
    let tail = key.iter().rev().take_while(|byte| **byte == b'_').count();
    let words = key.get(head..key.len().saturating_sub(tail)).filter(|words| !words.is_empty())?;

    let mut spelling = Spelling { buffer, length: 0 };
    spelling.underscores(head)?;
    let mut lone_capital = false;
    for (at, byte) in words.iter().enumerate() {
        if *byte == b'_' {
            continue;
        }
        let begins = at > 0 && begins_word(words, at);
        if begins && (style == Style::Snake || must_stay_apart(words, at, lone_capital)) {
            spelling.push(b'_')?;
            spelling.push(byte.to_ascii_lowercase())?;
            lone_capital = false;
        } else if begins {
            spelling.push(byte.to_ascii_uppercase())?;
            lone_capital = true;
        } else {
            spelling.push(byte.to_ascii_lowercase())?;
            lone_capital = false;
        }
    }
    spelling.underscores(tail)?;
    Some(spelling.length)
}

/// Whether a word begins at this place, which is not the first and holds a letter or digit.
fn begins_word(words: &[u8], at: usize) -> bool {
    let before = words.get(at.wrapping_sub(1)).copied().unwrap_or(b'_');
    let here = words.get(at).copied().unwrap_or(b'_');
    before == b'_' || here.is_ascii_uppercase() && (!before.is_ascii_uppercase() || words.get(at + 1).is_some_and(u8::is_ascii_lowercase))
}

/// Whether joining the word that begins here to the one before would hide the cut between them: it begins with a digit, or
/// it follows a single capital and its own second character is no letter, so that two capitals would stand together.
fn must_stay_apart(words: &[u8], at: usize, after_lone_capital: bool) -> bool {
    let begins_with_digit = words.get(at).is_some_and(u8::is_ascii_digit);
    let second_is_letter = words.get(at + 1).is_some_and(u8::is_ascii_alphabetic) && !begins_word(words, at + 1);
    begins_with_digit || after_lone_capital && !second_is_letter
}

/// A name being written.
struct Spelling<'buffer> {
    buffer: &'buffer mut [u8; LONGEST],
    length: usize,
}

impl Spelling<'_> {
    fn push(&mut self, byte: u8) -> Option<()> {
        *self.buffer.get_mut(self.length)? = byte;
        self.length += 1;
        Some(())
    }

    fn underscores(&mut self, count: usize) -> Option<()> {
        for _ in 0..count {
            self.push(b'_')?;
        }
        Some(())
    }
}
