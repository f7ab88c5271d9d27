//! Which passwords may be set: long enough, and none that many people have (NIST SP 800-63B section 3.1.1.2). Whoever has
//! another one already goes on signing in with it.

use crate::Error;
use crate::text::password_form;

/// What a new password must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordRule {
    /// The fewest characters.
    pub min_length: u32,
    /// Refuse what is on the list of common passwords.
    pub refuse_common: bool,
}

/// Words that common passwords are made of, one a line: English, keyboard rows, pinyin, numbers that sound like words.
const WORDS: &str = include_str!("common_passwords.txt");

/// The most characters that are not letters around a word: a year, or three digits and a mark.
const AROUND: usize = 4;

impl PasswordRule {
    /// Whether a password may be set by the user of these names.
    ///
    /// # Errors
    /// [`Error::PasswordRefused`] with what is wrong; the password is not repeated.
    pub fn verify(&self, password: &str, names: &[&str]) -> Result<(), Error> {
        let form = String::from_utf8_lossy(&password_form(password.as_bytes())).to_lowercase();
        let length = form.chars().count();
        if length < self.min_length as usize {
            return Err(Error::PasswordRefused(format!("a password has at least {} characters", self.min_length)));
        }
        if self.refuse_common && (is_common(&form) || names.iter().any(|name| is_made_of(&form, &name.to_lowercase()))) {
            return Err(Error::PasswordRefused("the password is one that many people have, or little more than a name".to_owned()));
        }
        Ok(())
    }
}

/// Whether it is a common word with little around it, in plain letters or with the usual digits and marks for letters; a
/// short group over and over; a row; or a date.
fn is_common(form: &str) -> bool {
    // Digits behind the last letter are a year or the like, and stand for no letters.
    let core = form.trim_end_matches(|character: char| !character.is_alphabetic());
    let plain: String = core.chars().map(letter_for).collect();
    let is_little = is_little(&form[core.len()..]);
    let is_word = |word| is_made_of(form, word) || (is_little && is_made_of(&plain, word));
    WORDS.lines().any(is_word) || is_repetition(form) || is_row(form) || is_date(form)
}

/// The letter that a digit or mark often stands for.
const fn letter_for(character: char) -> char {
    match character {
        '0' => 'o',
        '1' | '!' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    }
}

/// The word, once or more often, and no letter and little else around it.
fn is_made_of(form: &str, word: &str) -> bool {
    if word.is_empty() || !form.contains(word) {
        return false;
    }
    is_little(&form.replace(word, ""))
}

/// What may stand around a word without making it another password: no letter, and a few characters or a date.
fn is_little(rest: &str) -> bool {
    !rest.chars().any(char::is_alphabetic) && (rest.chars().count() <= AROUND || is_date(rest))
}

/// Eight digits that are a day: `19900131`.
fn is_date(text: &str) -> bool {
    let number = |range: std::ops::Range<usize>| text.get(range).and_then(|digits| digits.parse::<u16>().ok());
    text.len() == 8
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && number(0..4).is_some_and(|year| (1900..2100).contains(&year))
        && number(4..6).is_some_and(|month| (1..=12).contains(&month))
        && number(6..8).is_some_and(|day| (1..=31).contains(&day))
}

fn is_repetition(form: &str) -> bool {
    let characters: Vec<char> = form.chars().collect();
    (1..=4).any(|group| characters.len() > group && characters.iter().zip(&characters[group..]).all(|(one, next)| one == next))
}

/// `12345678`, `hgfedcba` and their like, `90` and `09` included.
fn is_row(form: &str) -> bool {
    let step = |one: u8, next: u8| match (one, next) {
        (b'9', b'0') => 1,
        (b'0', b'9') => -1,
        _ => i16::from(next) - i16::from(one),
    };
    let bytes = form.as_bytes();
    let alphanumeric = bytes.iter().all(u8::is_ascii_alphanumeric);
    alphanumeric && bytes.len() > 2 && [1, -1].iter().any(|way| bytes.windows(2).all(|pair| step(pair[0], pair[1]) == *way))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: PasswordRule = PasswordRule { min_length: 8, refuse_common: true };

    #[test]
    fn short_and_common_passwords_are_refused() {
        for password in [
            "",
            "x",
            "1234567",
            "密码密码密码1",
            "password",
            "Password1",
            "12345678",
            "1234567890",
            "0987654321",
            "abcdefgh",
            "aaaaaaaa",
            "abcabcabc",
            "1qaz2wsx",
            "qwertyuiop",
            "woaini1314",
            "5201314520",
            "ｐａｓｓｗｏｒｄ",
            "11111111",
            "a1234567",
            "88888888",
            "iloveyou",
            "qwer1234",
            "zhangsan1",
            "zhangsanzhangsan",
            "P@ssw0rd2024",
            "19900131",
            "liwei19900131",
            "wangfang520",
            "我爱你我爱你我爱你",
            "xm-zhu-778",
        ] {
            assert!(RULE.verify(password, &["zhangsan", "xm-zhu"]).is_err(), "{password}");
        }
        for password in
            ["correct horse", "床前明月光疑是地上霜", "password of li", "from a pipe", "13986420753", "zhangsan and li si", "demo-password"]
        {
            RULE.verify(password, &["zhangsan", "demo", "li"]).unwrap();
        }
    }

    #[test]
    fn a_setting_allows_both() {
        let lenient = PasswordRule { min_length: 1, refuse_common: false };
        lenient.verify("1", &[]).unwrap();
        lenient.verify("password", &["password"]).unwrap();
        assert!(lenient.verify("", &[]).is_err());
    }

    #[test]
    fn the_words_are_in_order_and_in_their_form() {
        let words: Vec<&str> = WORDS.lines().collect();
        assert!(words.windows(2).all(|pair| pair[0] < pair[1]));
        for word in words {
            assert_eq!(word, word.to_lowercase());
            assert!(word.len() >= 3, "{word}");
        }
    }
}
