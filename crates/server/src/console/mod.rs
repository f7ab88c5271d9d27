//! The console: a page for administrators, served beside all other routes and below no envelope. Its files are in the binary;
//! it asks nobody but this server, and its policy lets it have nothing that is not among them.

mod file;
mod files;

use std::sync::Arc;

use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, StatusCode};
use poem::{Endpoint, IntoResponse, Middleware, PathPattern, Request, Response, Result};

use self::file::File;

/// Where the page is.
pub const PATH: &str = "/console";

/// What the log calls every request for it.
const PATTERN: &str = "/console/*";

/// The middleware.
#[derive(Clone)]
pub struct Console(Arc<[File]>);

impl Console {
    /// Prepares every file once.
    pub fn new() -> Self {
        Self(files::all().collect())
    }

    fn answer(&self, request: &Request) -> Response {
        // HEAD has become a GET by now.
        if request.method() != Method::GET {
            let mut response = refuse(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed\n");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        let name = request.uri().path().strip_prefix(PATH).unwrap_or_default().trim_start_matches('/');
        let name = if name.is_empty() { "index.html" } else { name };
        match self.0.iter().find(|file| file.name == name) {
            Some(file) => file.answer(request.headers()),
            None => refuse(StatusCode::NOT_FOUND, "Not found\n"),
        }
    }
}

impl Default for Console {
    fn default() -> Self {
        Self::new()
    }
}

fn refuse(status: StatusCode, text: &'static str) -> Response {
    let mut response = Response::builder().status(status).body(text);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// Whether a path is the console's.
pub fn owns(path: &str) -> bool {
    path.strip_prefix(PATH).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl<E: Endpoint> Middleware<E> for Console {
    type Output = Beside<E>;

    fn transform(&self, endpoint: E) -> Beside<E> {
        Beside { endpoint, console: self.clone() }
    }
}

/// An endpoint with the console beside it.
pub struct Beside<E> {
    endpoint: E,
    console: Console,
}

impl<E: Endpoint> Endpoint for Beside<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        if !owns(request.uri().path()) {
            return self.endpoint.call(request).await.map(IntoResponse::into_response);
        }
        let mut response = self.console.answer(&request);
        response.set_data(PathPattern(PATTERN.into()));
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_paths_are_the_consoles() {
        for path in ["/console", "/console/", "/console/main.js", "/console/vendor/codemirror.js"] {
            assert!(owns(path), "{path}");
        }
        for path in ["/", "/consoles", "/bo/console", "/console.js", "/docs"] {
            assert!(!owns(path), "{path}");
        }
    }
}
