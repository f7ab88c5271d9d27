//! `bo-auth session`.

use bo_auth_core::identifier::{OwnerId, SystemId};
use bo_auth_core::session::{EndReason, SessionId};
use bo_auth_service::operator::session::Target;
use bo_auth_store::record::SessionRecord;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Failure;
use super::output::{Output, table};
use super::stores::OperatorStores;
use crate::configuration::StoreOptions;

#[derive(Debug, Subcommand)]
pub(crate) enum Session {
    /// List sessions, the newest first.
    List(List),
    /// End one session, or all of a user, of a system or of a tenant. What has ended is refused by every node when this
    /// returns.
    End(End),
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Id of the tenant.
    #[arg(long)]
    owner: OwnerId,
    /// Only those of the user who signs in with this name.
    #[arg(long)]
    account: Option<String>,
    /// Also those that have ended.
    #[arg(long)]
    ended: bool,
    /// Begin before this session.
    #[arg(long, value_parser = parse_session)]
    before: Option<SessionId>,
    /// How many at most.
    #[arg(long, default_value_t = 100)]
    limit: u32,
    #[command(flatten)]
    stores: StoreOptions,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("which").required(true))]
pub(crate) struct End {
    /// Id of the tenant.
    #[arg(long)]
    owner: OwnerId,
    /// The session: 16 hexadecimal digits, as `session list` prints them.
    #[arg(value_parser = parse_session, group = "which")]
    session: Option<SessionId>,
    /// All sessions of the user who signs in with this name.
    #[arg(long, alias = "account", value_name = "ACCOUNT", group = "which")]
    all_of_user: Option<String>,
    /// With `--all-of-user`: only those in this system.
    #[arg(long, value_name = "SYSTEM", requires = "all_of_user")]
    sys: Option<SystemId>,
    /// All sessions of this system.
    #[arg(long, value_name = "SYSTEM", group = "which")]
    all_of_system: Option<SystemId>,
    /// All sessions of the tenant.
    #[arg(long, group = "which")]
    all_of_tenant: bool,
    /// End nothing, and say how many live sessions would end.
    #[arg(long, conflicts_with = "session")]
    dry_run: bool,
    #[command(flatten)]
    stores: StoreOptions,
}

impl Session {
    pub(crate) async fn run(self, output: Output) -> Result<(), Failure> {
        match self {
            Self::List(command) => command.run(output).await,
            Self::End(command) => command.run(output).await,
        }
    }
}

impl List {
    async fn run(self, output: Output) -> Result<(), Failure> {
        let stores = OperatorStores::open(self.stores).await?;
        let limit = i64::from(self.limit);
        let sessions = stores.operator.list_sessions(&self.owner, self.account.as_deref(), !self.ended, self.before, limit).await?;
        let result: Vec<Value> = sessions.iter().map(describe).collect();
        output.result(&result, || {
            let row = |session: &SessionRecord| {
                let end = session.ended.map_or_else(|| "live".to_owned(), |(at, reason)| format!("{} {at}", reason.as_str()));
                [
                    session.session_id.to_string(),
                    session.user_id.to_string(),
                    session.sys_id.to_string(),
                    session.created_at.to_string(),
                    session.refreshed_at.to_string(),
                    end,
                ]
            };
            table(["SESSION", "USER", "SYSTEM", "OPENED", "REFRESHED", "STATE"], &sessions.iter().map(row).collect::<Vec<_>>())
        })
    }
}

impl End {
    async fn run(self, output: Output) -> Result<(), Failure> {
        let stores = OperatorStores::open(self.stores).await?;
        let operator = &stores.operator;
        if let Some(session_id) = self.session {
            let (change, by_this_call) = operator.end_session(&self.owner, session_id, EndReason::Kicked).await?;
            stores.tell(&[change], output).await?;
            return say_ended(usize::from(by_this_call), output);
        }
        let target = match self.all_of_user {
            Some(account) => operator.target_of(&self.owner, &account, self.sys).await?,
            None => Target { user_id: None, sys_id: self.all_of_system },
        };
        if self.dry_run {
            let counted = operator.count_sessions(&self.owner, &target).await?;
            return output.result(&json!({"liveSessions": counted.sessions, "more": counted.more}), || {
                let more = if counted.more { "more than " } else { "" };
                format!("{more}{} live sessions would end", counted.sessions)
            });
        }
        let ended = operator.end_sessions(&self.owner, &target, None, EndReason::Kicked).await?;
        stores.tell(&[ended.change], output).await?;
        if let Some(sessions) = ended.sessions {
            return say_ended(sessions.len(), output);
        }
        // A mark is one write however many sessions there are; their events follow.
        let (owner_id, sys_id) = (&self.owner, &target.sys_id);
        let not_before = ended.not_before.map(|at| at.to_string());
        output.result(&json!({"ownerId": owner_id, "sysId": sys_id, "notBefore": not_before}), || {
            let of_tenant = format!("tenant {owner_id}");
            let whose = sys_id.as_ref().map_or(of_tenant, |sys_id| format!("system {sys_id} of tenant {owner_id}"));
            let not_before = not_before.as_deref().unwrap_or_default();
            format!("all sessions of {whose} that began before {not_before} are refused; their events follow")
        })
    }
}

fn say_ended(ended: usize, output: Output) -> Result<(), Failure> {
    output.result(&json!({"endedSessions": ended}), || match ended {
        0 => "nothing to do: it had ended before".to_owned(),
        _ => sessions_ended(ended),
    })
}

/// How many sessions have ended, in words.
pub(crate) fn sessions_ended(count: usize) -> String {
    if count == 1 { "1 session ended".to_owned() } else { format!("{count} sessions ended") }
}

fn describe(session: &SessionRecord) -> Value {
    json!({
        "sessionId": session.session_id,
        "userId": session.user_id,
        "sysId": session.sys_id,
        "createdAt": session.created_at.to_string(),
        "refreshedAt": session.refreshed_at.to_string(),
        "idleExpiresAt": session.idle_expires_at.to_string(),
        "expiresAt": session.expires_at.to_string(),
        "address": session.address,
        "userAgent": session.user_agent,
        "endedAt": session.ended.map(|(at, _)| at.to_string()),
        "endReason": session.ended.map(|(_, reason)| reason.as_str()),
    })
}

fn parse_session(text: &str) -> Result<SessionId, String> {
    SessionId::parse(text).ok_or_else(|| "a session id is 16 hexadecimal digits".to_owned())
}
