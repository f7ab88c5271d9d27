//! Who may call: gateways of this machine, and those that show a fleet's service token. Whoever has a session's id can end
//! it, so this keeps out only those who would try; ids cannot be guessed.

use std::sync::Arc;

use bo_auth_service::legacy_fleet::Fleet;
use http::header::{AUTHORIZATION, FORWARDED, VIA};
use poem::Request;
use tonic::Status;

use crate::header_field::lines;
use crate::legacy::fleets::{Fleets, GatewayRefusal, host_of};
use crate::proxy::client_address;

/// A gateway, and whose.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) fleet: Arc<Fleet>,
    pub(super) address: String,
}

/// The fleet that the request's sender speaks for.
pub(super) fn of(request: &Request, fleets: &Fleets) -> Result<Caller, Status> {
    let headers = request.headers();
    // A gateway may pass on what its user has sent beside what is its own.
    let tokens = lines(headers, AUTHORIZATION).filter_map(bearer);
    let address = client_address(request);
    // A proxy on this machine speaks for the world, listed among the trusted or not.
    let came_through_proxy = headers.contains_key(FORWARDED) || headers.contains_key(VIA) || headers.contains_key("x-forwarded-for");
    let host = host_of(headers, request.uri());
    match fleets.of_gateway(host.as_deref(), tokens, address.is_loopback() && !came_through_proxy) {
        Ok(served) => Ok(Caller { fleet: Arc::clone(&served.fleet), address: address.to_string() }),
        Err(GatewayRefusal::Unknown) => Err(Status::unauthenticated("show the fleet's service token: authorization: Bearer TOKEN")),
        Err(GatewayRefusal::Remote) => {
            Err(Status::permission_denied("only gateways of this machine may call, unless the fleet has a service_token"))
        }
        Err(GatewayRefusal::Ambiguous) => {
            Err(Status::failed_precondition("several fleets are served: say which by :authority or service token"))
        }
    }
}

fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(b"bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token.trim_ascii())
}
