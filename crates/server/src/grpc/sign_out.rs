//! `Example.DeleteSession`: the same sign-out as over HTTP. A refusal of the domain is an `Errno` in a good answer, as the
//! old server had it; a gRPC status says that there was no such answer.

use std::sync::Arc;

use bo_auth_service::legacy_session::LegacyCaller;
use bo_auth_service::{RequestFacts, Service};
use tonic::{Request, Response, Status};

use super::caller::Caller;
use super::proto;
use super::proto::example_server::Example;
use crate::legacy::errno::Errno;
use crate::legacy::refused;
use crate::telemetry::ErrorCodeTag;

/// The service.
pub(super) struct SignOut(Arc<Service>);

impl SignOut {
    pub(super) const fn new(service: Arc<Service>) -> Self {
        Self(service)
    }

    async fn end(&self, caller: &Caller, session_id: String) -> Errno {
        if session_id.is_empty() {
            return Errno::SESSION;
        }
        let facts = RequestFacts::of_legacy(&caller.address, None);
        let ended = self.0.legacy_sign_out(&caller.fleet, &facts, LegacyCaller::Gateway, &[session_id]).await;
        ended.map_or_else(|error| refused(&error).errno, |()| Errno::OK)
    }
}

#[tonic::async_trait]
impl Example for SignOut {
    async fn delete_session(&self, request: Request<proto::Request>) -> Result<Response<proto::Response>, Status> {
        let (_, extensions, message) = request.into_parts();
        let caller = extensions.get::<Caller>().ok_or_else(|| Status::internal("the caller is not known"))?;
        let errno = self.end(caller, message.sessionid).await;
        let mut response = Response::new(proto::Response { errno: errno.code.to_owned(), errmsg: errno.text.to_owned() });
        if errno != Errno::OK {
            response.extensions_mut().insert(ErrorCodeTag(errno.code));
        }
        Ok(response)
    }
}
