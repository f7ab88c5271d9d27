//! One form for what people type: the same name and the same password, whichever keyboard or system they come from.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfkc_quick};

/// A name to sign in with, in its normal form: NFKC (Unicode Standard Annex 15), and no white space around it. Full-width
/// digits become digits, and a letter with its accent one character. Case counts.
pub fn account_form(typed: &str) -> Cow<'_, str> {
    let trimmed = typed.trim();
    match nfkc(trimmed) {
        Cow::Borrowed(form) => Cow::Borrowed(form),
        // Compatibility characters can become spaces at the ends, too.
        Cow::Owned(form) => Cow::Owned(form.trim().to_owned()),
    }
}

/// A password in its normal form: NFKC, as NIST SP 800-63B section 3.1.1.2 asks for. White space counts.
pub fn password_form(typed: &[u8]) -> Cow<'_, [u8]> {
    match std::str::from_utf8(typed).map(nfkc) {
        Ok(Cow::Owned(form)) => Cow::Owned(form.into_bytes()),
        // What is no text is compared byte by byte.
        Ok(Cow::Borrowed(_)) | Err(_) => Cow::Borrowed(typed),
    }
}

/// How many forms [`stored_forms`] answers.
pub const NAME_FORMS: usize = 6;

/// The forms in which an older version may have stored a name that is typed so: first the typed one, then the normal one.
/// They are few, so that one look-up by an index finds whichever it is, and always as many, so that it is one statement.
pub fn stored_forms(typed: &str) -> [String; NAME_FORMS] {
    let normal = account_form(typed).into_owned();
    let composed = typed.trim().nfc().collect();
    let (decomposed, compatible) = (normal.nfd().collect(), normal.nfkd().collect());
    let wide = normal.chars().map(full_width).collect();
    [typed.to_owned(), normal, composed, decomposed, compatible, wide]
}

fn nfkc(text: &str) -> Cow<'_, str> {
    if is_nfkc_quick(text.chars()) == IsNormalized::Yes { Cow::Borrowed(text) } else { Cow::Owned(text.nfkc().collect()) }
}

/// The full-width form of a printable ASCII character, as Chinese and Japanese keyboards type it.
fn full_width(character: char) -> char {
    match character {
        '!'..='~' => char::from_u32(u32::from(character) + 0xFEE0).unwrap_or(character),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_have_one_form() {
        for (typed, form) in [
            ("li", "li"),
            ("  li\t", "li"),
            ("ｌｉ４２", "li42"),
            ("１３８００００００４２", "13800000042"),
            // Composed and decomposed.
            ("Zoe\u{308}", "Zo\u{eb}"),
            ("\u{3000}张三\u{3000}", "张三"),
            ("\u{fa10}", "\u{585a}"),
            ("ﬁona", "fiona"),
            ("\u{1100}\u{1161}", "\u{ac00}"),
            ("LI", "LI"),
            ("", ""),
            ("\u{a0}", ""),
        ] {
            assert_eq!(account_form(typed), form, "{typed:?}");
            assert_eq!(account_form(&account_form(typed)), form, "twice is once: {typed:?}");
        }
    }

    #[test]
    fn passwords_have_one_form_and_keep_their_spaces() {
        for (typed, form) in
            [("  two  ", "  two  "), ("ｐａｓｓ１２", "pass12"), ("e\u{301}", "\u{e9}"), ("密码 １", "密码 1"), ("\u{212b}", "\u{c5}")]
        {
            assert_eq!(*password_form(typed.as_bytes()), *form.as_bytes(), "{typed:?}");
        }
        assert_eq!(*password_form(&[0xff, 0xfe]), [0xff, 0xfe], "no text");
    }

    #[test]
    fn a_name_is_found_in_the_form_in_which_it_was_once_stored() {
        for (typed, stored) in [
            ("li", "li"),
            ("li", "ｌｉ"),
            ("ｌｉ", "li"),
            (" li", " li"),
            (" li", "li"),
            ("Zo\u{eb}", "Zoe\u{308}"),
            ("Zoe\u{308}", "Zo\u{eb}"),
            ("１３８", "138"),
        ] {
            assert!(stored_forms(typed).contains(&stored.to_owned()), "{typed:?} {stored:?}");
        }
        assert_eq!(stored_forms("张三"), ["张三"; NAME_FORMS]);
        assert_eq!(stored_forms("ｌｉ")[..2], ["ｌｉ".to_owned(), "li".to_owned()]);
    }
}
