//! What a failed sign-in leaves behind: a line of the log, which fail2ban can read, and a line of the audit trail. The
//! trail takes so many a minute and no more, so that a flood cannot fill it; the log says all.

use bo_auth_core::identifier::UserId;
use bo_auth_core::session::time_ordered_id;
use bo_auth_store::admission::{Admitted, Rate};
use bo_auth_store::record::{Actor, AuditRecord, RequestTrace};
use serde_json::json;

use crate::authentication::Claim;
use crate::{Call, Error};

/// The kind of the audit trail's line.
const SIGN_IN_FAILED: &str = "sign-in.failed";

/// Lines of the trail: of one name from one address, of one address, and of a tenant; a minute, and at once.
const LINES_OF_PAIR: (u32, u32) = (2, 5);
const LINES_OF_ADDRESS: (u32, u32) = (20, 40);
const LINES_OF_TENANT: (u32, u32) = (120, 600);

/// Ids of one millisecond can meet.
const ID_ATTEMPTS: usize = 4;

/// The characters of a name that are written down: it is a stranger's text.
const NAME_CHARACTERS: usize = 64;

impl Call<'_> {
    /// Writes down that a sign-in was refused. Whether that succeeds is nothing to whoever signs in.
    pub(crate) async fn record_failed_sign_in(&self, claim: &Claim<'_>, user_id: Option<UserId>, error: &Error) {
        let Some(reason) = reason_of(error) else { return };
        let (address, contract) = (self.facts.address, claim.contract.as_str());
        let name: String = claim.name.chars().take(NAME_CHARACTERS).collect();
        let owner = self.tenant.owner_id.as_str();
        metrics::counter!("bo_auth_failed_sign_ins_total", "contract" => contract, "reason" => reason).increment(1);
        // Members are written in the order of their names: the address stands before anything that a stranger chose.
        tracing::warn!(address, contract, name, owner, reason, "sign-in failed");
        if !self.trail_has_room(&name).await {
            metrics::counter!("bo_auth_failed_sign_ins_unrecorded_total").increment(1);
            return;
        }
        let details = json!({"name": name, "reason": reason, "contract": contract});
        let trace = RequestTrace { address: Some(address.to_owned()), details: Some(details), ..RequestTrace::default() };
        if let Err(error) = self.write_failure(user_id, &trace).await {
            tracing::warn!(%error, "a failed sign-in is missing in the audit trail");
        }
    }

    async fn trail_has_room(&self, name: &str) -> bool {
        let client = self.service.client_prefix.key(self.facts.address);
        let address = &*client;
        let pair = format!("{address} {name}");
        let rate = |name, key, (each_minute, burst)| Rate::per_minute(name, key, each_minute, burst);
        let rates = [
            rate("failure-line", pair.as_str(), LINES_OF_PAIR),
            rate("failure-line-address", address, LINES_OF_ADDRESS),
            rate("failure-line-tenant", "", LINES_OF_TENANT),
        ];
        let admitted = self.service.admission.admit_at_once(&self.tenant.owner_id, &rates, self.now).await;
        matches!(admitted, Ok(Admitted::Accepted))
    }

    async fn write_failure(&self, user_id: Option<UserId>, trace: &RequestTrace) -> Result<(), bo_auth_store::Error> {
        let mut event = AuditRecord {
            event_id: 0,
            kind: SIGN_IN_FAILED.to_owned(),
            sys_id: Some(self.system.sys_id.clone()),
            user_id,
            session_id: None,
            reason: None,
            actor: Actor::User,
            trace: json!(trace),
            at: self.now,
        };
        for _ in 0..ID_ATTEMPTS {
            event.event_id = time_ordered_id(self.now, &*self.service.random);
            match self.service.db.insert_audit_event(&self.tenant.owner_id, &event).await {
                Err(bo_auth_store::Error::Exists(_)) => {}
                written => return written,
            }
        }
        Ok(())
    }
}

/// The word for a refusal that has to do with who signs in.
const fn reason_of(error: &Error) -> Option<&'static str> {
    match error {
        Error::LoginFailed => Some("LOGIN_FAILED"),
        Error::UserDisabled => Some("USER_DISABLED"),
        Error::CaptchaRequired => Some("CAPTCHA_REQUIRED"),
        Error::CaptchaInvalid => Some("CAPTCHA_INVALID"),
        Error::RateLimited { .. } => Some("RATE_LIMITED"),
        _ => None,
    }
}
