//! The page that shows the document to people, and files as they are served. All of it is made at the start and works
//! without the internet.

use bytes::Bytes;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use poem::{Endpoint, Request, Response, Result};
use poem_openapi::OpenApiService;

/// Lets the page have what it brings along and nothing else, wherever its scripts would like to look.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src 'self' data:; font-src data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// Something that is always answered the same.
#[derive(Debug, Clone)]
pub struct Asset {
    content_type: HeaderValue,
    policy: Option<HeaderValue>,
    body: Bytes,
}

impl Asset {
    /// A JSON file.
    pub fn json(body: impl Into<Bytes>) -> Self {
        Self { content_type: HeaderValue::from_static("application/json; charset=utf-8"), policy: None, body: body.into() }
    }

    /// A YAML file (RFC 9512).
    pub fn yaml(body: impl Into<Bytes>) -> Self {
        Self { content_type: HeaderValue::from_static("application/yaml; charset=utf-8"), policy: None, body: body.into() }
    }

    /// The page that shows the document at `document_path`, a path on this server.
    pub fn reference_page(document_path: &str) -> Self {
        let content_type = HeaderValue::from_static("text/html; charset=utf-8");
        Self { content_type, policy: Some(PAGE_POLICY), body: page(document_path).into() }
    }
}

impl Endpoint for Asset {
    type Output = Response;

    async fn call(&self, _: Request) -> Result<Response> {
        let mut response = Response::from(self.body.clone());
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, self.content_type.clone());
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if let Some(policy) = &self.policy {
            headers.insert(CONTENT_SECURITY_POLICY, policy.clone());
        }
        Ok(response)
    }
}

/// Swagger UI as poem-openapi embeds it, in a page of ours. Its validator badge, which asks a server on the internet about
/// the document, is off.
fn page(document_path: &str) -> String {
    let embedded = OpenApiService::new((), "", "").swagger_ui_html();
    let style = between(&embedded, "<style", "</style>");
    let script = between(&embedded, "<script", "</script>");
    let path = serde_json::Value::from(document_path);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>bo-auth</title>\n{style}\n{script}\n</head>\n\
         <body>\n<div id=\"ui\"></div>\n<script>\n\
         SwaggerUIBundle({{ dom_id: '#ui', url: {path}, deepLinking: true, validatorUrl: null }})\n</script>\n</body>\n</html>\n"
    )
}

/// The first element that begins and ends so, both included.
fn between<'a>(text: &'a str, begin: &str, end: &str) -> &'a str {
    let from = text.find(begin).unwrap_or(text.len());
    let length = text[from..].find(end).map_or(0, |length| length + end.len());
    &text[from..from + length]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_brings_everything_along() {
        let page = page("/openapi/bo-v3.json");
        assert!(page.len() > 500_000, "Swagger UI is not in the page");
        assert!(page.contains("url: \"/openapi/bo-v3.json\"") && page.contains("validatorUrl: null"));
        let style = between(&page, "<style", "</style>");
        for outside in ["url(http", "url(//", "url(\"http", "url('http", "@import"] {
            assert!(!style.contains(outside), "{outside}");
        }
        let (script, around) = (between(&page, "<script", "</script>"), page.replace(style, ""));
        let around = around.replace(script, "");
        for outside in ["http:", "https:", "src=", "href=", "<link"] {
            assert!(!around.contains(outside), "{outside} in {around}");
        }
        assert!(script.contains("SwaggerUIBundle") && script.ends_with("</script>"));
    }

    #[tokio::test]
    async fn the_page_may_not_ask_anybody_else() {
        let response = Asset::reference_page("/openapi/bo-v3.json").get_response(Request::default()).await;
        let policy = response.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("http"));
    }
}
