//! The administrator's own session: sign in, who am I, sign out; and the captcha of a sign-in.

use std::sync::Arc;

use bo_auth_service::admin::{Admin, AdminPasswordChange, AdminSignIn};
use bo_auth_store::record::AdminReach;
use http::HeaderValue;
use http::header::SET_COOKIE;
use poem::Request;
use poem_openapi::param::Path;
use poem_openapi::{Object, OpenApi};

use super::Frame;
use super::caller::COOKIE;
use super::problem::Problem;
use super::reply::{NoContent, Picture, Reply, Success};
use super::users::EndedView;
use crate::api::body::JsonBody;
use crate::header_field::user_agent;
use crate::proxy::{address_text, client_address, is_https};

/// The routes of the administrator's own session.
pub(super) struct Sessions(pub(super) Arc<Frame>);

/// What a sign-in is asked with.
#[derive(Object)]
#[oai(rename = "AdminSignInRequest", rename_all = "camelCase")]
pub(super) struct SignInBody {
    /// The name to sign in with.
    account: String,
    /// The password.
    password: String,
    /// GUID whose captcha picture was shown.
    verify_guid: Option<String>,
    /// What was read from the picture.
    verify_code: Option<String>,
}

/// What an administrator changes their own password with.
#[derive(Object)]
#[oai(rename = "OwnPasswordRequest", rename_all = "camelCase")]
pub(super) struct OwnPasswordBody {
    /// The password until now.
    current_password: String,
    /// The password from now on: ten characters at least, and not a common one.
    new_password: String,
    /// GUID whose captcha picture was shown.
    verify_guid: Option<String>,
    /// What was read from the picture.
    verify_code: Option<String>,
}

/// An administrator.
#[derive(Object)]
#[oai(rename = "Admin", rename_all = "camelCase")]
pub(super) struct AdminView {
    /// The id, as it stands in the audit trail.
    user_id: String,
    /// The name to sign in with.
    account: String,
    /// The name for people.
    name: String,
    /// `platform` reaches all tenants, `tenant` one.
    role: String,
    /// The tenant that is reached; null for all.
    owner_id: Option<String>,
}

/// A session that was opened.
#[derive(Object)]
#[oai(rename = "AdminSession", rename_all = "camelCase")]
pub(super) struct SessionView {
    /// Proves the session, as `Authorization: Bearer` or as the console's cookie.
    token: String,
    /// When the session is over in any case (Unix ms).
    expires_at: i64,
    /// When it is over if it is not used (Unix ms).
    idle_expires_at: i64,
    /// Who.
    admin: AdminView,
}

impl AdminView {
    fn new(admin: &Admin) -> Self {
        let (user, reach) = (&admin.record.user, &admin.record.reach);
        Self {
            user_id: user.user_id.to_string(),
            account: user.account.clone(),
            name: user.name.clone(),
            role: reach.role().to_owned(),
            owner_id: match reach {
                AdminReach::Platform => None,
                AdminReach::Tenant(owner_id) => Some(owner_id.to_string()),
            },
        }
    }
}

#[OpenApi]
impl Sessions {
    /// Sign in
    ///
    /// Opens a session of at most eight hours, half an hour where it is not used, and sets the console's cookie. After
    /// repeated failures a captcha is asked for.
    #[oai(path = "/sessions", method = "post", operation_id = "adminSignIn")]
    async fn sign_in(&self, request: &Request, body: JsonBody<SignInBody>) -> Reply<SessionView, 201> {
        self.open(request, body).await.into()
    }

    /// Who am I
    #[oai(path = "/sessions/current", method = "get", operation_id = "currentAdmin")]
    async fn current(&self, request: &Request) -> Reply<AdminView> {
        self.0.admin(request).await.map(|admin| Success::of(AdminView::new(&admin))).into()
    }

    /// Change one's own password
    ///
    /// Ends the administrator's other sessions with the reason `PASSWORD_CHANGED`; this one goes on. A wrong current password
    /// is `LOGIN_FAILED` and counts as a failed sign-in; after repeated ones a captcha is asked for.
    #[oai(path = "/sessions/current/password", method = "post", operation_id = "changeOwnPassword")]
    async fn change_password(&self, request: &Request, body: JsonBody<OwnPasswordBody>) -> Reply<EndedView> {
        self.renew_password(request, body).await.into()
    }

    /// Sign out
    ///
    /// Ends the session and takes the console's cookie back.
    #[oai(path = "/sessions/current", method = "delete", operation_id = "adminSignOut")]
    async fn sign_out(&self, request: &Request) -> NoContent {
        self.close(request).await.into()
    }

    /// Captcha picture
    ///
    /// Draws the captcha that a sign-in needs after repeated failures, for a GUID of the caller's choice. It is valid for
    /// five minutes and for one sign-in.
    #[oai(path = "/captchas/:verifyGuid", method = "get", operation_id = "drawAdminCaptcha")]
    async fn draw_captcha(&self, request: &Request, #[oai(name = "verifyGuid")] verify_guid: Path<String>) -> Picture {
        let address = address_text(client_address(request));
        self.0.service.draw_admin_captcha(&verify_guid, &address).await.map_err(Problem::from).into()
    }
}

impl Sessions {
    async fn open(&self, request: &Request, body: JsonBody<SignInBody>) -> Result<Success<SessionView>, Problem> {
        let mut members = self.0.read(request, body).await?;
        let (account, password) = (members.required_text("account"), members.required_text("password"));
        let (guid, code) = (members.text("verifyGuid"), members.text("verifyCode"));
        members.finish()?;
        let captcha = guid.as_deref().zip(code.as_deref());
        let sign_in = AdminSignIn { account: &account, password: &password, captcha };
        let user_agent = user_agent(request.headers());
        let address = address_text(client_address(request));
        let opened = self.0.service.admin_sign_in(&address, user_agent.as_deref(), &sign_in).await?;
        let seconds = self.0.service.clock.now().until(opened.expires_at).as_secs();
        let cookie = cookie(&opened.token, seconds, is_https(request));
        let view = SessionView {
            expires_at: opened.expires_at.0,
            idle_expires_at: opened.idle_expires_at.0,
            admin: AdminView::new(&opened.admin),
            token: opened.token,
        };
        Ok(Success::of(view).header(SET_COOKIE, cookie))
    }

    async fn renew_password(&self, request: &Request, body: JsonBody<OwnPasswordBody>) -> Result<Success<EndedView>, Problem> {
        let admin = self.0.admin(request).await?;
        let mut members = self.0.read(request, body).await?;
        let (current, new) = (members.required_text("currentPassword"), members.required_text("newPassword"));
        let (guid, code) = (members.text("verifyGuid"), members.text("verifyCode"));
        members.finish()?;
        let captcha = guid.as_deref().zip(code.as_deref());
        let change = AdminPasswordChange { current: &current, new: &new, captcha };
        let ended = self.0.service.change_admin_password(&admin, &change).await?;
        Ok(Success::of(EndedView { ended_sessions: ended as u64 }))
    }

    async fn close(&self, request: &Request) -> Result<Success<()>, Problem> {
        let admin = self.0.admin(request).await?;
        self.0.service.admin_sign_out(&admin).await?;
        Ok(Success::of(()).header(SET_COOKIE, cookie("", 0, is_https(request))))
    }
}

/// For no script to read, for no other site's request to carry, for the admin API alone, and under TLS for nothing else.
fn cookie(token: &str, seconds: u64, https: bool) -> HeaderValue {
    let secure = if https { "; Secure" } else { "" };
    let text = format!("{COOKIE}={token}; Path=/admin; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    // A token has letters, digits, `-` and `_` only.
    let mut value = HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}
