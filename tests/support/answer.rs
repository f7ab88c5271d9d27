//! An answer, and what tests ask of it.

use bo_auth_server::fault::FaultKind;
use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;

/// Status, headers and body of an answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// The body as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("bodies are UTF-8")
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// `error.errorCode`; empty where there is none.
    pub(crate) fn error_code(&self) -> String {
        self.json()["error"]["errorCode"].as_str().unwrap_or_default().to_owned()
    }

    /// The only value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next().map(|value| value.to_str().unwrap());
        assert!(values.next().is_none(), "{name} comes once");
        value
    }

    /// Asserts a success of exactly these bytes.
    #[track_caller]
    pub(crate) fn assert_body(&self, expected: &str) {
        assert_eq!((self.status, self.text()), (200, expected));
        self.assert_envelope_headers();
    }

    /// Asserts a refusal by a row of the table, to the byte, in Chinese.
    #[track_caller]
    pub(crate) fn assert_fault(&self, kind: FaultKind) {
        self.assert_fault_about(kind, "{}");
    }

    /// The same, where the text names a parameter.
    #[track_caller]
    pub(crate) fn assert_fault_about(&self, kind: FaultKind, parameter: &str) {
        assert_eq!((self.status, self.text()), (kind.status, envelope(kind, parameter).as_str()));
        self.assert_envelope_headers();
    }

    /// What every answer in the envelope carries.
    #[track_caller]
    fn assert_envelope_headers(&self) {
        assert_eq!(self.header("content-type"), Some("application/json; charset=utf-8"));
        assert_eq!(self.header("cache-control"), Some("no-store"));
    }
}

/// A refusal as it is written in Chinese.
pub(crate) fn envelope(kind: FaultKind, parameter: &str) -> String {
    let (code, error_code, text) = (kind.code, kind.error_code, kind.chinese.replace("{}", parameter));
    format!(r#"{{"code":{code},"success":false,"message":"{text}","error":{{"errorCode":"{error_code}","errorText":"{text}"}}}}"#)
}
