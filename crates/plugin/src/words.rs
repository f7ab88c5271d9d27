//! Types by the words that scripts and their documentation use. What the interpreter says of a mistake names them as Rust does.

/// The names of types in Rust and in the interpreter, and what scripts call them; the longest first.
const WORDS: [(&str, &str); 30] = [
    ("alloc::vec::Vec<rhai::types::dynamic::Dynamic>", "array"),
    ("&str | ImmutableString | String", "string"),
    ("rhai::types::immutable_string::ImmutableString", "string"),
    ("core::ops::range::RangeInclusive<i64>", "range"),
    ("bo_auth_plugin::library::facts::Facts", "Context"),
    ("rhai::types::dynamic::Dynamic", "any"),
    ("core::ops::range::Range<i64>", "range"),
    ("RangeInclusive<i64>", "range"),
    ("range inclusive", "range"),
    ("rhai::types::fn_ptr::FnPtr", "Fn"),
    ("rhai::FnPtr", "Fn"),
    ("bo_auth_plugin::json::Json", "Json"),
    ("types::dynamic::Dynamic", "any"),
    ("alloc::string::String", "string"),
    ("rhai::ImmutableString", "string"),
    ("ImmutableString", "string"),
    ("rhai::Dynamic", "any"),
    ("rhai::Array", "array"),
    ("rhai::Map", "map"),
    ("Range<i64>", "range"),
    ("&mut Dynamic", "any"),
    ("Dynamic", "any"),
    ("String", "string"),
    ("&str", "string"),
    ("FnPtr", "Fn"),
    ("FLOAT", "float"),
    ("INT", "int"),
    ("i64", "int"),
    ("f64", "float"),
    ("()", "nothing"),
];

/// A type's name as scripts know it.
pub(crate) fn type_word(name: &str) -> &str {
    let name = name.trim_start_matches("&mut ");
    if let Some((_, word)) = WORDS.iter().find(|(known, _)| *known == name) {
        return word;
    }
    // Of any other the path is left out; the interpreter's own words (`array`, `map`, `bool`, `char`) are as they are.
    let name = name.split('<').next().unwrap_or(name);
    name.rsplit("::").next().unwrap_or(name)
}

/// A sentence of the interpreter in which every type goes by its word. Letters, digits and `_` beside a name make it another.
pub(crate) fn with_type_words(sentence: &str) -> String {
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    let mut text = String::with_capacity(sentence.len());
    let mut rest = sentence;
    while let Some(first) = rest.chars().next() {
        let stands_alone = !text.chars().next_back().is_some_and(is_part) || !is_part(first);
        let known = WORDS.iter().find(|(name, _)| {
            // `()` after a name is a call.
            *name != "()"
                && rest.strip_prefix(name).is_some_and(|after| !after.chars().next().is_some_and(is_part) || !name.ends_with(is_part))
        });
        if let (true, Some((name, word))) = (stands_alone, known) {
            text.push_str(word);
            rest = rest.get(name.len()..).unwrap_or_default();
        } else {
            text.push(first);
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{type_word, with_type_words};

    #[test]
    fn types_go_by_the_words_of_scripts() {
        for (name, word) in [
            ("&str | ImmutableString | String", "string"),
            ("i64", "int"),
            ("()", "nothing"),
            ("bo_auth_plugin::library::facts::Facts", "Context"),
            ("some::other::Thing<core::T>", "Thing"),
            ("array", "array"),
        ] {
            assert_eq!(type_word(name), word);
        }
        for (sentence, told) in [
            ("Function not found: f (Json, &str | ImmutableString | String, i64)", "Function not found: f (Json, string, int)"),
            ("my_i64 and i64s stay, f64 does not", "my_i64 and i64s stay, float does not"),
            ("中文 (alloc::string::String)", "中文 (string)"),
        ] {
            assert_eq!(with_type_words(sentence), told);
        }
    }
}
