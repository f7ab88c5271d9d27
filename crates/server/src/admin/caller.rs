//! Who calls: the administrator of a bearer token or of the console's cookie, and the tenant that is within reach.

use bo_auth_core::identifier::OwnerId;
use bo_auth_service::Error;
use bo_auth_service::admin::Admin;
use bo_auth_service::operator::Operator;
use http::header::AUTHORIZATION;
use http::{HeaderName, Method};
use poem::Request;

use super::Frame;
use super::problem::{CROSS_SITE, Problem};
use crate::legacy::cookies;
use crate::proxy::{address_text, client_address};

/// The console's cookie.
pub(super) const COOKIE: &str = "bo_console";

/// What a change by cookie must carry. A page of another origin could send it only after a preflight, which is refused.
const REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");
const CONSOLE: &str = "bo-console";

/// An administrator and the tenant that the request is about.
pub(super) struct Caller {
    /// Who.
    pub(super) admin: Admin,
    /// Within the administrator's reach; whether it exists, the operator says.
    pub(super) owner_id: OwnerId,
    /// Carries out what is asked for, in the administrator's name.
    pub(super) operator: Operator,
}

impl Frame {
    /// The administrator of a request.
    ///
    /// # Errors
    /// 401 without a live session, 403 where the administrator or their tenant is disabled, or another site's page may
    /// have sent the cookie.
    pub(super) async fn admin(&self, request: &Request) -> Result<Admin, Problem> {
        let address = address_text(client_address(request));
        let tokens = match bearer(request)? {
            Some(token) => vec![token],
            None => of_console(request)?,
        };
        let mut refusal = Error::TokenMissing;
        for token in tokens {
            match self.service.verify_admin(&token, &address).await {
                Ok(admin) => return Ok(admin),
                // One that was never ours says nothing about another.
                Err(Error::TokenInvalid) if !matches!(refusal, Error::TokenMissing) => {}
                Err(error) => refusal = error,
            }
        }
        Err(refusal.into())
    }

    /// The administrator of a request about a tenant.
    ///
    /// # Errors
    /// As [`Frame::admin`]; 404 where the tenant is out of reach or there is none.
    pub(super) async fn caller(&self, request: &Request, owner_id: &str) -> Result<Caller, Problem> {
        let admin = self.admin(request).await?;
        let owner_id = admin.reaches(owner_id)?;
        let operator = admin.operator(&self.service);
        Ok(Caller { admin, owner_id, operator })
    }
}

/// RFC 6750 section 2.1.
fn bearer(request: &Request) -> Result<Option<String>, Problem> {
    let mut values = request.headers().get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let only = values.next().is_none().then(|| value.to_str().ok()).flatten();
    let token = only.and_then(|text| text.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    Ok(Some(token.ok_or(Error::TokenInvalid)?.1.trim().to_owned()))
}

/// The cookies of the console's name: a page of a neighbouring path or domain may have set one too.
fn of_console(request: &Request) -> Result<Vec<String>, Problem> {
    let cookies = cookies::read(request.headers(), COOKIE);
    let is_console = request.headers().get(REQUESTED_WITH).is_some_and(|value| value == CONSOLE);
    if !cookies.is_empty() && request.method() != Method::GET && !is_console {
        return Err(Problem::of(CROSS_SITE));
    }
    Ok(cookies)
}
