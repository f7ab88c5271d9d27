//! What the document shows as successful answers: sample values written by the very structs that write real ones.

use std::sync::Arc;

use bo_auth_core::identifier::{AreaCode, SystemId, UserId};
use bo_auth_core::session::{EndReason, LogoutScope, SessionId};
use bo_auth_core::time::Timestamp;
use bo_auth_service::TokenPair;
use bo_auth_service::current_user::CurrentUser;
use bo_auth_service::login::LoggedIn;
use bo_auth_service::logout::Receipt;
use bo_auth_service::session_list::ListedSession;
use bo_auth_service::user_profile::Fetched;
use bo_auth_store::cache::CacheKind;
use bo_auth_store::record::{SessionRecord, UserRecord};
use serde::Serialize;
use serde_json::Value;

use super::replies::{CurrentUserReply, EndSessionReply, LoginReply, LogoutReply, RefreshReply, SessionsReply};
use crate::language::Language;

/// 2026-01-02T03:04:05.678Z.
const OPENED: Timestamp = Timestamp(1_767_323_045_678);

/// A successful answer of an operation, where it is JSON.
pub fn success_of(operation_id: &str) -> Option<Value> {
    let language = Language::Chinese;
    match operation_id {
        "login" => written(&LoginReply::new(logged_in()?, "demo", language)),
        "refresh" | "refreshByQuery" => written(&RefreshReply::new(tokens(), language)),
        "logout" | "logoutByGet" => written(&LogoutReply::new(&receipt(), false, language)),
        "currentUser" => written(&CurrentUserReply::new(&current_user()?, language)),
        "listSessions" => written(&SessionsReply::new(vec![listed_session()?], language)),
        "endSession" => written(&EndSessionReply::new(language)),
        _ => None,
    }
}

fn written(reply: &impl Serialize) -> Option<Value> {
    serde_json::to_value(reply).ok()
}

fn tokens() -> TokenPair {
    TokenPair {
        access_token: "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6IjdhUTJ4VjFiWm0ifQ.eyJpc3MiOiJiby1hdXRoIn0.c2lnbmF0dXJl".to_owned(),
        refresh_token: "1tP0zZx1gZE66xDnhwd1UV973XoVL4nT".to_owned(),
        token_type: "Bearer",
        expires_in: 7200,
    }
}

fn user() -> Option<Fetched<UserRecord>> {
    let value = UserRecord {
        user_id: UserId::parse("u-demo").ok()?,
        account: "demo".to_owned(),
        name: "演示用户".to_owned(),
        mobile: None,
        push_name: None,
        area_codes: vec![AreaCode::parse("440100").ok()?],
        disabled: false,
        updated_at: OPENED,
    };
    Some(Fetched { value: Arc::new(value), cache_type: CacheKind::Redis, cache_date: OPENED })
}

fn session() -> Option<SessionRecord> {
    Some(SessionRecord {
        session_id: SessionId::from_number(0x66df_7ad5_b82c_2d13),
        sys_id: SystemId::parse("web").ok()?,
        user_id: UserId::parse("u-demo").ok()?,
        generation: 0,
        created_at: OPENED,
        refreshed_at: OPENED,
        idle_expires_at: Timestamp(OPENED.0 + 30 * 86_400_000),
        expires_at: Timestamp(OPENED.0 + 90 * 86_400_000),
        first_share_user_id: None,
        second_share_user_id: None,
        area_code: None,
        address: Some("192.0.2.7".to_owned()),
        user_agent: Some("Mozilla/5.0".to_owned()),
        ended: None,
    })
}

fn logged_in() -> Option<LoggedIn> {
    Some(LoggedIn { user: user()?, session: session()?, tokens: tokens() })
}

fn current_user() -> Option<CurrentUser> {
    Some(CurrentUser { user: user()?, owner_id: "demo".into(), sys_id: "web".into() })
}

fn listed_session() -> Option<ListedSession> {
    Some(ListedSession { session: session()?, system_name: "网站".to_owned(), current: true })
}

fn receipt() -> Receipt {
    let (scope, reason) = (LogoutScope::Local, EndReason::LoggedOut);
    Receipt { scope, sessions: 1, already_ended: false, effective_at: OPENED, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logout_answer_is_the_seeds_to_the_byte() {
        assert_eq!(success_of("logout").unwrap().to_string(), r#"{"code":0,"success":true,"message":"退出成功"}"#);
    }
}
