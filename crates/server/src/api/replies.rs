//! What each operation answers when it succeeds, member by member: written as it stands, and described so in the document.

#![expect(clippy::struct_field_names, reason = "the members' names are the contract's")]

use bo_auth_core::session::LogoutScope;
use bo_auth_service::TokenPair;
use bo_auth_service::current_user::CurrentUser;
use bo_auth_service::login::LoggedIn;
use bo_auth_service::logout::Receipt;
use bo_auth_service::session_list::ListedSession;
use bo_auth_store::cache::CacheKind;
use bo_auth_store::record::UserRecord;
use poem_openapi::{Enum, Object};
use serde::Serialize;

use crate::language::Language;

/// Which cache served the data.
#[derive(Debug, Clone, Copy, Enum, Serialize)]
#[serde(rename_all = "lowercase")]
#[oai(rename_all = "lowercase")]
pub(super) enum CacheType {
    Redis,
    Sqlite,
    Local,
}

impl From<CacheKind> for CacheType {
    fn from(kind: CacheKind) -> Self {
        match kind {
            CacheKind::Redis => Self::Redis,
            CacheKind::Sqlite => Self::Sqlite,
            CacheKind::Local => Self::Local,
        }
    }
}

/// A user's profile.
#[derive(Object, Serialize)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub(super) struct User {
    /// The user's id.
    user_id: String,
    /// The name that signs in.
    user_name: String,
    /// The name for people.
    name: String,
    /// The tenant.
    owner_id: String,
    /// The system.
    sys_id: String,
    /// The mobile number.
    #[serde(skip_serializing_if = "Option::is_none")]
    mobile: Option<String>,
    /// The name for push messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    push_name: Option<String>,
    /// The areas the user is confined to; empty for all.
    area_codes: Vec<String>,
}

impl User {
    fn new(user: &UserRecord, owner_id: &str, sys_id: &str) -> Self {
        Self {
            user_id: user.user_id.to_string(),
            user_name: user.account.clone(),
            name: user.name.clone(),
            owner_id: owner_id.to_owned(),
            sys_id: sys_id.to_owned(),
            mobile: user.mobile.clone(),
            push_name: user.push_name.clone(),
            area_codes: user.area_codes.iter().map(ToString::to_string).collect(),
        }
    }
}

/// A pair of tokens.
#[derive(Object, Serialize)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
pub(super) struct Token {
    /// The access token, a JWT.
    access_token: String,
    /// The refresh token, 32 characters.
    refresh_token: String,
    /// Always `Bearer`.
    token_type: String,
    /// Seconds until the access token expires.
    expires_in: i64,
}

impl From<TokenPair> for Token {
    fn from(pair: TokenPair) -> Self {
        Self {
            access_token: pair.access_token,
            refresh_token: pair.refresh_token,
            token_type: pair.token_type.to_owned(),
            expires_in: pair.expires_in,
        }
    }
}

/// The answer to a login.
#[derive(Object, Serialize)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
pub(super) struct LoginReply {
    /// 0.
    code: i32,
    /// `true`.
    success: bool,
    /// A text for people.
    message: String,
    /// The user and the tokens.
    data: LoginData,
    /// Which cache served the profile.
    cache_type: CacheType,
    /// When the profile was read from the database (RFC 3339).
    cache_date: String,
}

/// The user and the tokens.
#[derive(Object, Serialize)]
pub(super) struct LoginData {
    /// The user.
    user: User,
    /// The tokens.
    token: Token,
}

impl LoginReply {
    pub(super) fn new(logged_in: LoggedIn, owner_id: &str, language: Language) -> Self {
        let LoggedIn { user, session, tokens } = logged_in;
        Self {
            code: 0,
            success: true,
            message: language.choose("登录成功", "Signed in").to_owned(),
            data: LoginData { user: User::new(&user.value, owner_id, session.sys_id.as_str()), token: tokens.into() },
            cache_type: user.cache_type.into(),
            cache_date: user.cache_date.to_string(),
        }
    }
}

/// The answer to a refresh.
#[derive(Object, Serialize)]
pub(super) struct RefreshReply {
    /// 0.
    code: i32,
    /// `true`.
    success: bool,
    /// A text for people.
    message: String,
    /// The tokens.
    data: RefreshData,
}

/// The tokens.
#[derive(Object, Serialize)]
pub(super) struct RefreshData {
    /// The tokens.
    token: Token,
}

impl RefreshReply {
    pub(super) fn new(tokens: TokenPair, language: Language) -> Self {
        let message = language.choose("刷新成功", "Refreshed").to_owned();
        Self { code: 0, success: true, message, data: RefreshData { token: tokens.into() } }
    }
}

/// The answer to a logout.
#[derive(Object, Serialize)]
#[oai(skip_serializing_if_is_none)]
pub(super) struct LogoutReply {
    /// 0.
    code: i32,
    /// `true`.
    success: bool,
    /// A text for people.
    message: String,
    /// The receipt, where `Prefer: return=representation` asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<LogoutReceipt>,
}

/// What a logout did.
#[derive(Object, Serialize)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
pub(super) struct LogoutReceipt {
    /// Which sessions were asked for.
    scope: Scope,
    /// How many sessions this call has ended.
    sessions: i64,
    /// Whether the caller's session had ended before.
    already_ended: bool,
    /// From when on nothing of them is accepted (RFC 3339).
    effective_at: String,
    /// The reason that stands with the caller's session, or with those that were ended.
    reason: String,
}

/// Which sessions a logout ends.
#[derive(Debug, Clone, Copy, Enum, Serialize)]
#[serde(rename_all = "lowercase")]
#[oai(rename_all = "lowercase")]
pub(super) enum Scope {
    Local,
    Others,
    All,
}

impl LogoutReply {
    pub(super) fn new(receipt: &Receipt, with_receipt: bool, language: Language) -> Self {
        let scope = match receipt.scope {
            LogoutScope::Local => Scope::Local,
            LogoutScope::Others => Scope::Others,
            LogoutScope::All => Scope::All,
        };
        let data = with_receipt.then(|| LogoutReceipt {
            scope,
            sessions: i64::try_from(receipt.sessions).unwrap_or(i64::MAX),
            already_ended: receipt.already_ended,
            effective_at: receipt.effective_at.to_string(),
            reason: receipt.reason.as_str().to_owned(),
        });
        Self { code: 0, success: true, message: language.choose("退出成功", "Signed out").to_owned(), data }
    }
}

/// The answer to who am I.
#[derive(Object, Serialize)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase")]
pub(super) struct CurrentUserReply {
    /// 0.
    code: i32,
    /// `true`.
    success: bool,
    /// A text for people.
    message: String,
    /// The user.
    data: User,
    /// Which cache served the profile.
    cache_type: CacheType,
    /// When the profile was read from the database (RFC 3339).
    cache_date: String,
}

impl CurrentUserReply {
    pub(super) fn new(current: &CurrentUser, language: Language) -> Self {
        Self {
            code: 0,
            success: true,
            message: language.choose("获取成功", "OK").to_owned(),
            data: User::new(&current.user.value, &current.owner_id, &current.sys_id),
            cache_type: current.user.cache_type.into(),
            cache_date: current.user.cache_date.to_string(),
        }
    }
}

/// The answer to which sessions are mine.
#[derive(Object, Serialize)]
pub(super) struct SessionsReply {
    /// 0.
    code: i32,
    /// `true`.
    success: bool,
    /// A text for people.
    message: String,
    /// The sessions, the newest first.
    data: Vec<SessionItem>,
}

/// A live session.
#[derive(Object, Serialize)]
#[serde(rename_all = "camelCase")]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub(super) struct SessionItem {
    /// The session's id, 16 hexadecimal digits.
    session_id: String,
    /// The system it was opened in.
    sys_id: String,
    /// That system's name.
    system_name: String,
    /// Whether it is the caller's own.
    current: bool,
    /// When it was opened (RFC 3339).
    created_at: String,
    /// When it was last refreshed (RFC 3339).
    refreshed_at: String,
    /// When it ends in any case (RFC 3339).
    expires_at: String,
    /// The address it was opened from.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// The user agent it was opened with.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
}

impl SessionsReply {
    pub(super) fn new(listed: Vec<ListedSession>, language: Language) -> Self {
        let data = listed.into_iter().map(|ListedSession { session, system_name, current }| SessionItem {
            session_id: session.session_id.to_string(),
            sys_id: session.sys_id.to_string(),
            system_name,
            current,
            created_at: session.created_at.to_string(),
            refreshed_at: session.refreshed_at.to_string(),
            expires_at: session.expires_at.min(session.idle_expires_at).to_string(),
            address: session.address,
            user_agent: session.user_agent,
        });
        Self { code: 0, success: true, message: language.choose("获取成功", "OK").to_owned(), data: data.collect() }
    }
}

/// The answer to ending one of my sessions.
#[derive(Object, Serialize)]
pub(super) struct EndSessionReply {
    /// 0.
    code: i32,
    /// `true`.
    success: bool,
    /// A text for people.
    message: String,
}

impl EndSessionReply {
    pub(super) fn new(language: Language) -> Self {
        Self { code: 0, success: true, message: language.choose("下线成功", "Session ended").to_owned() }
    }
}
