//! Every row of the error table (contract 1.6), produced over HTTP. A row that nothing produces fails the test.

use std::time::Duration;

use bo_auth_core::identifier::KeyId;
use bo_auth_core::session::EndReason;
use bo_auth_server::fault::FaultKind;
use bo_auth_service::operator::Change;
use bo_auth_service::operator::system::SystemChange;
use bo_auth_store::record::KeyRecord;
use http::Method;
use serde_json::json;

use crate::not_everywhere::Untellable;
use crate::support::{Answer, Backend, Session, Tenant, TestApp, User, route};

each_backend!(every_row_is_produced);

async fn every_row_is_produced(app: TestApp) {
    // A node that is alone has nobody to tell.
    let alone = app.backend() != Backend::Redis;
    let mut kinds: Vec<_> = FaultKind::ALL.iter().filter(|kind| !alone || **kind != FaultKind::DONE_NOT_EVERYWHERE).collect();
    // The row that closes the database comes last.
    kinds.sort_by_key(|kind| **kind == FaultKind::UNAVAILABLE);
    for kind in kinds {
        let scene = Scene::new(&app).await;
        let (answer, parameter) = scene.produce(kind.error_code).await;
        answer.assert_fault_about(*kind, parameter);
        let retry_after = answer.header("retry-after").map(|seconds| seconds.parse::<u32>().unwrap() >= 1);
        assert_eq!(retry_after, matches!(kind.status, 429 | 503).then_some(true), "{}", kind.error_code);
    }
}

/// A tenant of its own for each row, so that no row meets what another has left.
struct Scene<'a> {
    app: &'a TestApp,
    tenant: Tenant,
    user: User,
    session: Session,
}

impl<'a> Scene<'a> {
    async fn new(app: &'a TestApp) -> Self {
        let tenant = app.with_tenant("acme").await;
        let user = tenant.with_user("li").await;
        let session = user.signed_in().await;
        Self { app, tenant, user, session }
    }

    /// An answer with this error code, and the parameter its text names.
    async fn produce(&self, error_code: &str) -> (Answer, &'static str) {
        let (tenant, user, session) = (&self.tenant, &self.user, &self.session);
        let request = match error_code {
            "BAD_REQUEST" => tenant.request(Method::POST, route::LOGIN).body("application/json", "{"),
            "PARAMETER_MISSING" => return (session.logout().without("XownerId").send().await, "XownerId"),
            "PARAMETER_INVALID" => return (session.logout().query("scope", "x").send().await, "scope"),
            "PLUGIN_UNKNOWN" => session.logout().query("_nodejs", "no-such"),
            "SHARE_USER_UNKNOWN" => session.current_user().header("XuserFromFirstShareId", "nobody"),
            "AREA_UNKNOWN" => session.current_user().header("XfilterAreaCode", "990000"),
            "VERIFY_API_INVALID" => session.current_user().header("XverifyApi", "x"),
            "VERIFY_API_EXPIRED" => {
                let request = session.current_user();
                self.app.advance(Duration::from_secs(301));
                request
            }
            "VERIFY_API_REPLAYED" => {
                let request = session.current_user();
                assert_eq!(request.send().await.status, 200);
                request
            }
            "TOKEN_MISSING" => session.current_user().without("Authorization"),
            "TOKEN_INVALID" => session.current_user().header("Authorization", "Bearer x"),
            "TOKEN_EXPIRED" => {
                session.outlive_access_token();
                session.current_user()
            }
            "REFRESH_TOKEN_INVALID" => session.refresh().query("refreshToken", "x"),
            "REFRESH_TOKEN_MISMATCH" => session.logout().query("refreshToken", &user.signed_in().await.refresh_token),
            "LOGIN_FAILED" => user.login_with("wrong"),
            "CAPTCHA_REQUIRED" | "CAPTCHA_INVALID" => return (self.captcha(error_code).await, ""),
            "ROUTE_UNKNOWN" => tenant.request(Method::GET, "/bo/api/v3/auth/nothing"),
            "TENANT_UNKNOWN" => session.current_user().header("XownerId", "nobody"),
            "SYSTEM_UNKNOWN" => session.current_user().header("XsysId", "nowhere"),
            "METHOD_NOT_ALLOWED" => session.logout_by(Method::POST),
            "PAYLOAD_TOO_LARGE" => tenant.request(Method::POST, route::LOGIN).body("application/json", vec![b' '; (64 << 10) + 1]),
            "MEDIA_TYPE_UNSUPPORTED" => tenant.request(Method::POST, route::LOGIN).body("text/plain", "{}"),
            "TENANT_DISABLED" | "SYSTEM_DISABLED" | "USER_DISABLED" | "AREA_FORBIDDEN" => {
                return (self.forbidden(error_code).await, "");
            }
            "REQUEST_TIMEOUT" | "RATE_LIMITED" | "INTERNAL" | "UNAVAILABLE" => return (self.overtaxed(error_code).await, ""),
            "DONE_NOT_EVERYWHERE" => {
                let cut_off = self.app.node_without_redis().await;
                let untellable = Untellable::make(self.app).await;
                let answer = session.logout().on(&cut_off).send().await;
                untellable.end().await;
                return (answer, "");
            }
            reason if reason.starts_with("SESSION_") => return (self.ended(reason).await, ""),
            other => panic!("nothing here produces {other}"),
        };
        (request.send().await, "")
    }

    async fn captcha(&self, error_code: &str) -> Answer {
        for _ in 0..3 {
            assert_eq!(self.user.login_with("wrong").send().await.error_code(), "LOGIN_FAILED");
        }
        if error_code == "CAPTCHA_REQUIRED" {
            return self.user.login().send().await;
        }
        let password = self.user.system.encrypt(&self.user.password());
        let body = json!({"userName": self.user.account, "password": password, "verifyGuid": "g", "verifyCode": "AAAAA"});
        self.tenant.request(Method::POST, route::LOGIN).json(&body).send().await
    }

    /// The current user's answer after the session has ended for this reason.
    async fn ended(&self, error_code: &str) -> Answer {
        let (tenant, user, session) = (&self.tenant, &self.user, &self.session);
        let operator = tenant.node.operator();
        let owner_id = &tenant.owner_id;
        let change: Option<Change> = match error_code {
            "SESSION_LOGGED_OUT" => {
                assert_eq!(session.logout().send().await.status, 200);
                None
            }
            "SESSION_KICKED" => Some(operator.end_session(owner_id, session.id, EndReason::Kicked).await.unwrap().0),
            "SESSION_REPLACED" => {
                tenant.web().change(json!({"sessionLimit": 1})).await;
                user.log_in().await;
                None
            }
            "SESSION_REUSE_DETECTED" => {
                session.refreshed().await.refreshed().await;
                assert_eq!(session.refresh().send().await.error_code(), error_code);
                None
            }
            "SESSION_PASSWORD_CHANGED" => Some(operator.set_password(owner_id, &user.account, "another horse").await.unwrap().0),
            "SESSION_EXPIRED" => {
                self.app.advance(Duration::from_hours(31 * 24));
                return session.refresh().send().await;
            }
            other => panic!("nothing here ends a session with {other}"),
        };
        if let Some(change) = change {
            tenant.node.apply(change).await;
        }
        session.current_user().send().await
    }

    async fn forbidden(&self, error_code: &str) -> Answer {
        let (tenant, session) = (&self.tenant, &self.session);
        match error_code {
            "TENANT_DISABLED" => tenant.set_disabled(true).await,
            "SYSTEM_DISABLED" => tenant.web().alter(SystemChange { disabled: Some(true), ..SystemChange::default() }).await,
            "USER_DISABLED" => {
                let (change, _) = tenant.node.operator().set_user_disabled(&tenant.owner_id, "li", true).await.unwrap();
                tenant.node.apply(change).await;
            }
            _ => {
                tenant.with_areas().await;
                let confined = tenant.with_user_in("wang", &["440100"]).await.signed_in().await;
                return confined.current_user().header("XfilterAreaCode", "110000").send().await;
            }
        }
        session.current_user().send().await
    }

    /// What needs a server in trouble, or one with other limits. The server is as before afterwards, but for the last.
    async fn overtaxed(&self, error_code: &str) -> Answer {
        match error_code {
            "REQUEST_TIMEOUT" => {
                self.app.restart_with(|configuration| configuration.request_timeout = Duration::from_millis(50)).await;
                let request = self.user.login();
                // The promised body does not come.
                let request = request.body("application/json", Vec::new()).header("Content-Length", "5");
                let answer = request.send_raw().await;
                self.app.restart_with(|configuration| configuration.request_timeout = Duration::from_secs(10)).await;
                answer
            }
            "RATE_LIMITED" => {
                self.tenant.web().change(json!({"addressRequestsPerMinute": 1})).await;
                loop {
                    let answer = self.session.current_user().send().await;
                    if answer.status != 200 {
                        break answer;
                    }
                }
            }
            // A key that the master key does not open: nothing that a request could bring about.
            "INTERNAL" => {
                let (service, owner_id) = (self.app.service(), &self.tenant.owner_id);
                let key = service.db.find_tenant(owner_id).await.unwrap().unwrap().keys.pop().unwrap();
                let (key_id, created_at) = (KeyId::parse("broken").unwrap(), key.created_at.plus(Duration::from_secs(1)));
                let broken = KeyRecord { key_id, created_at, sealed: vec![0; 64], ..key };
                service.db.insert_key(owner_id, &broken).await.unwrap();
                self.tenant.node.apply(Change { owner_id: owner_id.clone(), user_id: None }).await;
                self.session.current_user().send().await
            }
            _ => {
                self.app.service().db.close().await;
                self.session.logout().send().await
            }
        }
    }
}
