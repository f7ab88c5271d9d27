//! Reads a request's headers and query once, into what the use cases take (contract 1.2). A value that is repeated or
//! badly encoded is found here; everything else about it is the use case's to judge.

use std::borrow::Cow;

use bo_auth_core::stamp::SignedRequest;
use bo_auth_service::{Error, RequestFacts};
use percent_encoding::percent_decode_str;
use poem::Request;
use poem::http::HeaderName;
use poem::http::header::{AUTHORIZATION, ORIGIN};

use super::body::{BodyFault, ReadBody};
use super::parameters::{AREA, OWNER_ID, SHARE_FIRST, SHARE_SECOND, STAMP, SYS_ID};
use super::preference::wants_representation;
use crate::header_field::user_agent;
use crate::language::Language;
use crate::proxy::{address_text, client_address};

/// Query parameters that are read; repeating one of them is a mistake.
const KNOWN: [&str; 4] = ["refreshToken", "_nodejs", "scope", "ownerId"];

/// One request, read.
pub(super) struct Exchange<'a> {
    pub(super) request: &'a Request,
    pub(super) language: Language,
    body: &'a ReadBody,
    address: String,
    user_agent: Option<Cow<'a, str>>,
    query: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// The first header or parameter that could not be read.
    unreadable: Option<&'static str>,
    headers: [Option<&'a str>; 7],
    signed_headers: Vec<(&'a str, &'a str)>,
}

/// Headers that are read, in the order of `Exchange::headers`.
static HEADERS: [(HeaderName, &str); 7] = [
    (HeaderName::from_static("xownerid"), OWNER_ID),
    (HeaderName::from_static("xsysid"), SYS_ID),
    (HeaderName::from_static("xverifyapi"), STAMP),
    (HeaderName::from_static("xuserfromfirstshareid"), SHARE_FIRST),
    (HeaderName::from_static("xuserfromsecondshareid"), SHARE_SECOND),
    (HeaderName::from_static("xfilterareacode"), AREA),
    (AUTHORIZATION, "Authorization"),
];

impl<'a> Exchange<'a> {
    pub(super) fn read(request: &'a Request, body: &'a ReadBody) -> Self {
        let mut unreadable = None;
        let mut headers = [None; 7];
        for (slot, (name, spelling)) in headers.iter_mut().zip(&HEADERS) {
            let mut values = request.headers().get_all(name).iter();
            let Some(value) = values.next() else { continue };
            match value.to_str() {
                Ok(text) if values.next().is_none() => *slot = Some(text.trim()).filter(|text| !text.is_empty()),
                _ => unreadable = unreadable.or(Some(*spelling)),
            }
        }
        let query = read_query(request.uri().query().unwrap_or_default(), &mut unreadable);
        let is_second_version = headers[2].is_some_and(|stamp| stamp.starts_with("v2."));
        Self {
            language: Language::of(request.headers()),
            address: address_text(client_address(request)),
            user_agent: user_agent(request.headers()),
            // Only a stamp of the second version covers them.
            signed_headers: if is_second_version { signed_headers(request) } else { Vec::new() },
            request,
            body,
            query,
            unreadable,
            headers,
        }
    }

    /// Whether every header and parameter could be read.
    pub(super) fn readable(&self) -> Result<(), Error> {
        self.unreadable.map_or(Ok(()), |name| {
            // What cannot be read as a token or stamp is one that does not verify; the table has codes for these.
            Err(match name {
                "Authorization" => Error::TokenInvalid,
                name => Error::ParameterInvalid(name),
            })
        })
    }

    /// What the use cases take.
    pub(super) fn facts(&self) -> Result<RequestFacts<'_>, Error> {
        self.readable()?;
        if self.body.fault().is_some() {
            return Err(Error::BadRequest);
        }
        let [owner_id, sys_id, stamp, first_share_user_id, second_share_user_id, area_code, authorization] = self.headers;
        let uri = self.request.original_uri();
        Ok(RequestFacts {
            owner_id,
            sys_id,
            stamp,
            first_share_user_id,
            second_share_user_id,
            area_code,
            authorization,
            plugin: self.query("_nodejs"),
            // An origin is ASCII; whatever else is sent is listed nowhere.
            origin: self.request.headers().get(ORIGIN).and_then(|value| value.to_str().ok()),
            address: &self.address,
            user_agent: self.user_agent.as_deref(),
            signed: SignedRequest {
                method: self.request.method().as_str(),
                path: uri.path(),
                query: uri.query().unwrap_or_default(),
                body: self.body.bytes(),
                headers: &self.signed_headers,
            },
        })
    }

    /// What says how a refusal is shaped that comes before the tenant was looked for.
    pub(super) fn naming(&self) -> RequestFacts<'_> {
        let [owner_id, sys_id, ..] = self.headers;
        RequestFacts { owner_id, sys_id, plugin: self.query("_nodejs"), ..RequestFacts::of_legacy(&self.address, None) }
    }

    /// Why the body is refused, if it is.
    pub(super) fn body_fault(&self) -> Option<BodyFault> {
        self.unreadable.is_none().then(|| self.body.fault()).flatten()
    }

    /// A query parameter; absent and empty are one.
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_ref()).filter(|value| !value.is_empty())
    }

    /// The client's address.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// The refresh token of the query or of the body.
    pub(super) fn refresh_token<'b>(&'b self, body: &'b ReadBody) -> Result<Option<&'b str>, Error> {
        match (self.query("refreshToken"), body.members()?.text("refreshToken")?) {
            (Some(in_query), Some(in_body)) if in_query != in_body => Err(Error::ParameterInvalid("refreshToken")),
            (in_query, in_body) => Ok(in_query.or(in_body)),
        }
    }

    /// `Prefer: return=representation` (RFC 7240 section 4.2).
    pub(super) fn wants_representation(&self) -> bool {
        wants_representation(self.request.headers())
    }

    /// The request's parameters whose names begin with `_`: what a plugin may see.
    pub(super) fn plugin_parameters(&self) -> Vec<(String, String)> {
        let shown = self.query.iter().filter(|(name, _)| name.starts_with('_'));
        shown.map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }
}

/// The `_nodejs` of any query, also of a request that no handler sees.
pub(super) fn plugin_name(query: Option<&str>) -> Option<Cow<'_, str>> {
    let query = read_query(query.unwrap_or_default(), &mut None);
    query.into_iter().find(|(name, value)| name == "_nodejs" && !value.is_empty()).map(|(_, value)| value)
}

/// Decodes a query as browsers write it (`application/x-www-form-urlencoded`).
fn read_query<'a>(query: &'a str, unreadable: &mut Option<&'static str>) -> Vec<(Cow<'a, str>, Cow<'a, str>)> {
    let mut pairs: Vec<(Cow<'a, str>, Cow<'a, str>)> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        // A name that cannot be decoded is none of ours.
        let Some(name) = decode(name) else { continue };
        let known = KNOWN.into_iter().find(|known| *known == name);
        let repeated = known.is_some() && pairs.iter().any(|(earlier, _)| *earlier == name);
        match decode(value) {
            Some(value) if !repeated => pairs.push((name, value)),
            _ => *unreadable = unreadable.or(known),
        }
    }
    pairs
}

fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Some(Cow::Borrowed(text));
    }
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(|decoded| Cow::Owned(decoded.into_owned()))
}

fn signed_headers(request: &Request) -> Vec<(&str, &str)> {
    let readable = request.headers().iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    readable.filter(|(name, _)| name.starts_with('x') && HEADERS.iter().any(|(known, _)| known == name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(query: &str) -> (Vec<(String, String)>, Option<&'static str>) {
        let mut unreadable = None;
        let read = read_query(query, &mut unreadable);
        (read.into_iter().map(|(name, value)| (name.into_owned(), value.into_owned())).collect(), unreadable)
    }

    #[test]
    fn queries_are_decoded_once() {
        let (read, unreadable) = pairs("refreshToken=a%2Bb&_nodejs=common-data&x=%E9%80%80+y&&=z");
        assert_eq!(unreadable, None);
        let expected = [("refreshToken", "a+b"), ("_nodejs", "common-data"), ("x", "退 y"), ("", "z")];
        assert_eq!(read, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn what_is_repeated_or_not_utf_8_is_named() {
        assert_eq!(pairs("scope=all&scope=local").1, Some("scope"));
        assert_eq!(pairs("refreshToken=%ff").1, Some("refreshToken"));
        assert_eq!(pairs("other=%ff&other=1&other=2").1, None);
    }
}
