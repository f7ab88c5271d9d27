//! Tokens behind a veil: a tenant's script sees a sign in the place of each, and the token itself comes back where the sign
//! still stands alone when the script is done. So no token can reach a log, an error or another text.

use serde_json::Value;

use crate::reserved;

/// What a sign begins with: a character of private use, which means nothing to anyone else.
const SIGN: char = '\u{f8fe}';

/// Whether a text stands in the place of a token.
pub(crate) fn is_sign(text: &str) -> bool {
    text.starts_with(SIGN)
}

/// The tokens of one envelope, in the order of their signs; and texts of it that read as signs, so that a user's name cannot
/// be one.
#[derive(Default)]
pub(crate) struct Veil(Vec<String>);

impl Veil {
    /// Takes every token out of an envelope and leaves its sign.
    pub(crate) fn over(envelope: &mut Value) -> Self {
        let mut veil = Self::default();
        veil.walk(envelope, false);
        veil
    }

    fn walk(&mut self, value: &mut Value, is_token: bool) {
        match value {
            Value::Object(members) => {
                for (name, member) in members.iter_mut() {
                    self.walk(member, reserved::is_secret(name));
                }
            }
            Value::Array(elements) => elements.iter_mut().for_each(|element| self.walk(element, is_token)),
            Value::String(text) if is_token && !text.is_empty() || is_sign(text) => {
                let sign = format!("{SIGN}token {}{SIGN}", self.0.len());
                self.0.push(std::mem::replace(text, sign));
            }
            _ => {}
        }
    }

    /// Puts the tokens back.
    pub(crate) fn lift(&self, value: &mut Value) {
        if self.0.is_empty() {
            return;
        }
        match value {
            Value::Object(members) => members.values_mut().for_each(|member| self.lift(member)),
            Value::Array(elements) => elements.iter_mut().for_each(|element| self.lift(element)),
            Value::String(text) => {
                if let Some(token) = self.token_of(text) {
                    token.clone_into(text);
                }
            }
            _ => {}
        }
    }

    fn token_of(&self, text: &str) -> Option<&String> {
        let number = text.strip_prefix(SIGN)?.strip_suffix(SIGN)?.strip_prefix("token ")?;
        self.0.get(number.parse::<usize>().ok()?)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Veil;

    #[test]
    fn tokens_are_hidden_and_come_back_wherever_their_sign_stands_alone() {
        let envelope = json!({"code": 0, "data": {"token": {"accessToken": "a.b.c", "refresh_token": "1xyz", "tokenType": "Bearer", "expiresIn": 7}, "name": "a.b.c"}});
        let mut veiled = envelope.clone();
        let veil = Veil::over(&mut veiled);
        assert!(!veiled["data"]["token"].to_string().contains("a.b.c") && !veiled.to_string().contains("1xyz"));
        assert_eq!((&veiled["data"]["name"], &veiled["data"]["token"]["tokenType"]), (&json!("a.b.c"), &json!("Bearer")));
        let mut moved = json!({"access": veiled["data"]["token"]["accessToken"], "other": "\u{f8fe}token 9\u{f8fe}"});
        veil.lift(&mut moved);
        assert_eq!(moved, json!({"access": "a.b.c", "other": "\u{f8fe}token 9\u{f8fe}"}));
        veil.lift(&mut veiled);
        assert_eq!(veiled, envelope);
    }

    #[test]
    fn a_text_that_reads_as_a_sign_comes_back_as_itself() {
        let envelope = json!({"data": {"accessToken": "a.b.c", "name": "\u{f8fe}token 0\u{f8fe}", "other": "\u{f8fe}"}});
        let mut veiled = envelope.clone();
        let veil = Veil::over(&mut veiled);
        veil.lift(&mut veiled);
        assert_eq!(veiled, envelope);
    }
}
