//! gRPC (contract 2.3), for the gateways of v1.0 fleets: on the port of HTTP by content type, and on one of its own where
//! that is wanted. Nothing that surrounds the HTTP routes (envelope, body limit, CORS) touches it.

mod caller;
mod deadline;
mod health;
mod metadata;
mod proto;
mod sign_out;
mod switch;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use bo_auth_service::Service;
use http::header::CONTENT_TYPE;
use http::{Method, Version};
use poem::{Endpoint, Request, Response, Result};
use poem_openapi::OperationId;
use tonic::{Code, Status};

use self::proto::example_server::ExampleServer;
use self::wire::Handler;
use crate::legacy::fleets::Fleets;

pub use self::switch::GrpcBeside;

/// The largest message, in bytes: a session id has a few dozen.
const MESSAGE_BYTES: usize = 16 * 1024;

/// The package's service, whatever a client calls the package.
const EXAMPLE: &str = "Example";
const EXAMPLE_PATH: &str = "/go.micro.srv.DeleteSession.Example";

/// The endpoint. Clones are the same.
#[derive(Clone)]
pub struct Grpc(Arc<Parts>);

struct Parts {
    fleets: Fleets,
    /// What a call may take that says nothing of its own.
    timeout: Duration,
    sign_out: Handler,
    health: Handler,
    reflection: Handler,
    reflection_alpha: Handler,
}

/// Why gRPC cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("the descriptors of proto/ cannot be read")]
pub struct GrpcError(#[from] tonic_reflection::server::Error);

/// Whether a request is gRPC: by its method and content type, and over HTTP/2 only, which its trailers need.
fn is_grpc(request: &Request) -> bool {
    request.version() == Version::HTTP_2
        && request.method() == Method::POST
        && request.headers().get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

impl Grpc {
    /// Prepares the services, and keeps the health service informed for as long as the use cases live.
    ///
    /// # Errors
    /// None in practice: the descriptors are this program's own.
    pub fn new(service: &Arc<Service>, fleets: Fleets, timeout: Duration) -> std::result::Result<Self, GrpcError> {
        let example = ExampleServer::new(sign_out::SignOut::new(Arc::clone(service))).max_decoding_message_size(MESSAGE_BYTES);
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        Ok(Self(Arc::new(Parts {
            fleets,
            timeout,
            sign_out: wire::handler(example),
            health: wire::handler(health::server(service)),
            reflection: wire::handler(reflection().build_v1()?.max_decoding_message_size(MESSAGE_BYTES)),
            reflection_alpha: wire::handler(reflection().build_v1alpha()?.max_decoding_message_size(MESSAGE_BYTES)),
        })))
    }

    /// Answers a call. What is wrong with it is a status, never an HTTP error.
    async fn answer(&self, mut request: Request) -> Response {
        let path = request.uri().path().to_owned();
        let Some((service, method)) = path.strip_prefix('/').and_then(|path| path.rsplit_once('/')) else {
            return refuse("none", &Status::unimplemented("a call's path is /service/method"));
        };
        // The last part of the name decides, as it does in go-micro's own server.
        let last = service.rsplit(['.', '/']).next().unwrap_or_default();
        let (handler, operation) = match (service, last) {
            ("grpc.health.v1.Health", _) => (&self.0.health, "grpcHealth"),
            ("grpc.reflection.v1.ServerReflection", _) => (&self.0.reflection, "grpcReflection"),
            ("grpc.reflection.v1alpha.ServerReflection", _) => (&self.0.reflection_alpha, "grpcReflection"),
            (_, EXAMPLE) if method == "DeleteSession" => (&self.0.sign_out, "grpcDeleteSession"),
            _ => return refuse("none", &Status::unimplemented("there is no such service or method")),
        };
        let checked = metadata::check(&request).and_then(|()| deadline::of(request.headers()));
        let timeout = match checked {
            Ok(timeout) => timeout.map_or(self.0.timeout, |asked| asked.min(self.0.timeout)),
            Err(status) => return refuse(operation, &status),
        };
        // Whoever balances calls must be able to ask for health.
        if operation != "grpcHealth" {
            match caller::of(&request, &self.0.fleets) {
                Ok(caller) => request.extensions_mut().insert(caller),
                Err(status) => return refuse(operation, &status),
            };
        }
        if operation == "grpcDeleteSession"
            && let Ok(uri) = format!("{EXAMPLE_PATH}/{method}").parse()
        {
            *request.uri_mut() = uri;
        }
        let mut response = match tokio::time::timeout(timeout, handler(wire::request(request))).await {
            Ok(response) => wire::response(response),
            Err(_) => return refuse(operation, &Status::deadline_exceeded("the call took longer than its timeout")),
        };
        // What other servers say of a message that is too large.
        let code = response.headers().get("grpc-status").map_or(Code::Ok, |value| Code::from_bytes(value.as_bytes()));
        if code == Code::OutOfRange {
            return refuse(operation, &Status::resource_exhausted("the message is too large"));
        }
        response.set_data(OperationId(operation));
        response
    }
}

fn refuse(operation: &'static str, status: &Status) -> Response {
    let mut response = wire::refuse(status);
    response.set_data(OperationId(operation));
    response
}

/// On a port of its own: what is not gRPC is told so.
impl Endpoint for Grpc {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        if is_grpc(&request) { Ok(self.answer(request).await) } else { Ok(wire::not_grpc()) }
    }
}
