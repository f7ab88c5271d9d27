//! Writes the envelope of contract 1.6: a success as the use case gave it, a refusal from the error table, either shaped
//! by the plugin that the request names.

use std::marker::PhantomData;
use std::sync::Arc;

use bo_auth_plugin::{Chain, Context};
use bo_auth_service::{Error, RequestFacts, Service, Shaping};
use poem::http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use poem::{IntoResponse, Request, Response};
use poem_openapi::ApiResponse;
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::Type;
use serde::Serialize;
use serde_json::Value;

use super::exchange::{Exchange, plugin_name};
use crate::cross_origin::AllowedOrigin;
use crate::fault::{Fault, FaultKind};
use crate::language::Language;
use crate::telemetry::ErrorCodeTag;

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// An answer whose success the document describes as `T`.
pub struct Reply<T>(Response, PhantomData<fn() -> T>);

impl<T> Reply<T> {
    /// The same with one more header.
    pub(super) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers_mut().insert(name, value);
        self
    }
}

impl<T> IntoResponse for Reply<T> {
    fn into_response(self) -> Response {
        self.0
    }
}

impl<T: Type> ApiResponse for Reply<T> {
    fn meta() -> MetaResponses {
        described("The operation succeeded.", "application/json", T::schema_ref())
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

/// An answer whose success is a picture.
pub(super) struct PictureReply(Response);

impl IntoResponse for PictureReply {
    fn into_response(self) -> Response {
        self.0
    }
}

impl ApiResponse for PictureReply {
    fn meta() -> MetaResponses {
        let binary = MetaSchema::new_with_format("string", "binary");
        described("The picture.", "image/png", MetaSchemaRef::Inline(Box::new(binary)))
    }

    fn register(_: &mut Registry) {}
}

fn described(description: &'static str, content_type: &'static str, schema: MetaSchemaRef) -> MetaResponses {
    let content = vec![MetaMediaType { content_type, schema }];
    MetaResponses { responses: vec![MetaResponse { description, status: Some(200), status_range: None, content, headers: vec![] }] }
}

/// The members of a refusal, in their order.
#[derive(Serialize)]
struct Refusal<'a> {
    code: i32,
    success: bool,
    message: &'a str,
    error: RefusalError<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RefusalError<'a> {
    error_code: &'a str,
    error_text: &'a str,
}

/// Writes answers.
#[derive(Clone)]
pub struct Answerer {
    service: Arc<Service>,
}

impl Answerer {
    /// Writes answers with the service's plugins and clock.
    pub fn new(service: Arc<Service>) -> Self {
        Self { service }
    }

    /// The answer to an exchange.
    pub(super) async fn answer<T: Serialize>(
        &self,
        exchange: &Exchange<'_>,
        mut shaping: Shaping,
        route: &'static str,
        result: Result<T, Error>,
    ) -> Reply<T> {
        let refused = match result {
            Ok(success) => return Reply(self.write(exchange, &shaping, route, StatusCode::OK, &success).await, PhantomData),
            Err(error) => fault_of(exchange, &error, route),
        };
        if shaping.owner_id.is_none() {
            shaping = self.shaping_of(&exchange.naming(), refused.kind.status >= 500).await;
        }
        Reply(self.refuse(exchange, &shaping, route, &refused).await, PhantomData)
    }

    /// The answer to an exchange whose success is a picture.
    pub(super) async fn answer_picture(
        &self,
        exchange: &Exchange<'_>,
        route: &'static str,
        result: Result<Vec<u8>, Error>,
    ) -> PictureReply {
        let refused = match result {
            Ok(picture) => {
                let mut response = Response::builder().content_type("image/png").body(picture);
                response.headers_mut().insert(header::CACHE_CONTROL, NO_STORE);
                return PictureReply(response);
            }
            Err(error) => fault_of(exchange, &error, route),
        };
        // Here the tenant travels in the query.
        let naming = RequestFacts { owner_id: exchange.query("ownerId"), ..exchange.naming() };
        let shaping = self.shaping_of(&naming, refused.kind.status >= 500).await;
        PictureReply(self.refuse(exchange, &shaping, route, &refused).await)
    }

    /// The answer to a request that no handler has seen.
    pub async fn refuse_unseen(&self, request: &Unseen, fault: &Fault) -> Response {
        let language = request.language;
        let plugin = plugin_name(request.uri.query());
        let naming = RequestFacts {
            owner_id: request.owner_id.as_ref().and_then(text_of),
            sys_id: request.sys_id.as_ref().and_then(text_of),
            plugin: plugin.as_deref(),
            ..RequestFacts::of_legacy("", None)
        };
        let mut shaping = self.shaping_of(&naming, fault.kind == FaultKind::RATE_LIMITED || fault.kind.status >= 500).await;
        shaping.legacy_status200 &= below_api(request.path());
        let text = fault.text(language);
        let body = refusal(fault, &text);
        let status = status_of(&shaping, fault.kind);
        let context = Context {
            owner_id: shaping.owner_id.clone(),
            sys_id: shaping.sys_id.clone(),
            route: "".into(),
            method: request.method.as_str().into(),
            status: status.as_u16(),
            language: language.tag().into(),
            now_ms: self.service.clock.now().millis(),
            ..Context::default()
        };
        let response = self.shape(&shaping, status, &body, || context).await;
        finish_refusal(response, fault)
    }

    /// How a refusal is shaped that comes before its tenant was looked for. Where no store answers none is asked again, and
    /// what refuses a flood runs no script.
    async fn shaping_of(&self, naming: &RequestFacts<'_>, by_memory: bool) -> Shaping {
        if by_memory { self.service.shaping_from_memory(naming).await } else { self.service.shaping_of(naming).await }
    }

    async fn refuse(&self, exchange: &Exchange<'_>, shaping: &Shaping, route: &'static str, fault: &Fault) -> Response {
        let text = fault.text(exchange.language);
        let response = self.write(exchange, shaping, route, status_of(shaping, fault.kind), &refusal(fault, &text)).await;
        finish_refusal(response, fault)
    }

    async fn write<T: Serialize>(
        &self,
        exchange: &Exchange<'_>,
        shaping: &Shaping,
        route: &'static str,
        status: StatusCode,
        body: &T,
    ) -> Response {
        let context = || Context {
            owner_id: shaping.owner_id.clone(),
            sys_id: shaping.sys_id.clone(),
            route: route.into(),
            method: exchange.request.method().as_str().into(),
            status: status.as_u16(),
            language: exchange.language.tag().into(),
            user_id: shaping.user_id.clone(),
            now_ms: self.service.clock.now().millis(),
            params: exchange.plugin_parameters(),
        };
        let mut response = self.shape(shaping, status, body, context).await;
        if let Some(allowed) = shaping.origin_allowed {
            response.extensions_mut().insert(AllowedOrigin(allowed));
        }
        response
    }

    /// Writes a body, through the plugins where there are any. What they make impossible to write goes out untouched.
    async fn shape<T: Serialize>(&self, shaping: &Shaping, status: StatusCode, body: &T, context: impl FnOnce() -> Context) -> Response {
        let is_recorded = self.service.plugin_activity.records(shaping.owner_id.as_deref());
        let (bytes, failure) = if shaping.plugins.is_empty() && !is_recorded {
            (serde_json::to_vec(body), None)
        } else {
            self.run(&shaping.plugins, body, context).await
        };
        // The bodies are our own structs and JSON values; neither can fail to be written.
        let mut response = Response::builder().status(status).body(bytes.unwrap_or_default());
        response.headers_mut().insert(header::CONTENT_TYPE, JSON);
        response.headers_mut().insert(header::CACHE_CONTROL, NO_STORE);
        if let Some(code) = failure {
            response.headers_mut().insert("x-plugin-error", HeaderValue::from_static(code));
        }
        response
    }

    async fn run<T: Serialize>(
        &self,
        plugins: &Chain,
        body: &T,
        context: impl FnOnce() -> Context,
    ) -> (serde_json::Result<Vec<u8>>, Option<&'static str>) {
        let envelope = match serde_json::to_value(body) {
            Ok(envelope) => envelope,
            Err(error) => return (Err(error), None),
        };
        let shaped = self.service.shape(plugins, envelope, &context()).await;
        (serde_json::to_vec::<Value>(&shaped.response), shaped.failure.map(|(_, failure)| failure.code.as_str()))
    }
}

/// A body that could not be read has a code of its own; where something failed that must not fail, it is logged here
/// and nowhere else.
fn fault_of(exchange: &Exchange<'_>, error: &Error, route: &'static str) -> Fault {
    if let Some(body_fault) = exchange.body_fault() {
        return Fault::of(body_fault.kind());
    }
    let fault = Fault::from(error);
    if fault.kind.status >= 500 {
        tracing::error!(route, code = fault.kind.error_code, error = %Causes(error), "a request failed");
    }
    fault
}

/// What is kept of a request for the case that no handler will have seen it: shared with it, and read only then.
pub struct Unseen {
    method: Method,
    uri: Uri,
    language: Language,
    owner_id: Option<HeaderValue>,
    sys_id: Option<HeaderValue>,
}

impl Unseen {
    /// Keeps it before the request is given away.
    pub fn of(request: &Request) -> Self {
        Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            language: Language::of(request.headers()),
            owner_id: only(request, "xownerid"),
            sys_id: only(request, "xsysid"),
        }
    }

    /// The path.
    pub fn path(&self) -> &str {
        self.uri.path()
    }
}

/// What a header says; empty and absent are one.
fn text_of(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok().map(str::trim).filter(|text| !text.is_empty())
}

/// A header that was sent once.
fn only(request: &Request, name: &'static str) -> Option<HeaderValue> {
    let mut values = request.headers().get_all(name).iter();
    values.next().filter(|_| values.next().is_none()).cloned()
}

/// Whether a path is below `/bo/api`, where every answer is an envelope.
pub(crate) fn below_api(path: &str) -> bool {
    path.strip_prefix("/bo/api").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn refusal<'a>(fault: &Fault, text: &'a str) -> Refusal<'a> {
    let error = RefusalError { error_code: fault.kind.error_code, error_text: text };
    Refusal { code: fault.kind.code, success: false, message: text, error }
}

fn status_of(shaping: &Shaping, kind: FaultKind) -> StatusCode {
    if shaping.legacy_status200 { StatusCode::OK } else { StatusCode::from_u16(kind.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR) }
}

fn finish_refusal(mut response: Response, fault: &Fault) -> Response {
    if let Some(retry_after) = fault.retry_after {
        let seconds = retry_after.as_millis().div_ceil(1000).max(1);
        if let Ok(value) = HeaderValue::from_str(&seconds.to_string()) {
            response.headers_mut().insert(header::RETRY_AFTER, value);
        }
    }
    if response.status() == StatusCode::UNAUTHORIZED {
        // RFC 9110 section 11.6.1 asks for a challenge with every 401.
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response.extensions_mut().insert(ErrorCodeTag(fault.kind.error_code));
    response
}

/// An error with its causes on one line.
pub(crate) struct Causes<'a>(pub(crate) &'a Error);

impl std::fmt::Display for Causes<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", self.0)?;
        let mut cause = std::error::Error::source(self.0);
        while let Some(error) = cause {
            write!(formatter, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
