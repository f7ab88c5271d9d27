//! Sign out, the operation this product is about (contract 1.5): every check that can refuse comes before anything
//! changes, and the answer leaves only when no node accepts the session any more.

use std::sync::Arc;
use std::time::Duration;

use bo_auth_core::session::{EndReason, LogoutScope};
use bo_auth_core::time::Timestamp;
use bo_auth_core::token::access::VerifiedAccess;
use bo_auth_core::token::refresh::{RefreshProof, is_refresh_token};
use bo_auth_store::record::{Actor, RequestTrace, SessionRecord, UserEnding};

use crate::call::{RequestFacts, Shaping, StampUse};
use crate::ending::{OneEnded, keep_until};
use crate::{Call, Error, Service};

/// How long a repeated request waits for the one that it repeats, which may still be at work.
const FIRST_ATTEMPT: Duration = Duration::from_secs(2);

/// How often it looks whether that is done.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What a logout did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Which sessions were asked for.
    pub scope: LogoutScope,
    /// How many sessions this call has ended.
    pub sessions: usize,
    /// Whether the caller's session had ended before.
    pub already_ended: bool,
    /// From when on nothing of them is accepted.
    pub effective_at: Timestamp,
    /// The reason that stands with the caller's session, or with those that were ended.
    pub reason: EndReason,
}

impl Service {
    /// Ends the caller's session, the user's others, or all of them.
    ///
    /// # Errors
    /// Those of [`Service::open_call`]; [`Error::TokenMissing`], [`Error::TokenInvalid`], [`Error::TokenExpired`];
    /// [`Error::ParameterMissing`] and [`Error::RefreshTokenInvalid`], [`Error::RefreshTokenMismatch`] for the
    /// refresh token; [`Error::ParameterInvalid`] for the scope; those of the area and share ids;
    /// [`Error::Unavailable`] where the truth cannot be written. In each of these cases no session has changed.
    /// [`Error::DoneNotEverywhere`] where it is written, and not every node could be told.
    pub async fn logout(
        self: &Arc<Self>,
        facts: &RequestFacts<'_>,
        refresh_token: Option<&str>,
        scope: Option<&str>,
        shaping: &mut Shaping,
    ) -> Result<Receipt, Error> {
        let (call, stamp_use) = self.open_logout_call(facts, shaping).await?;
        match (stamp_use, call.sign_out(refresh_token, scope, stamp_use, shaping).await) {
            // Of several mistakes the one that the earliest check finds is answered.
            (StampUse::Repeated, Err(error)) if !error.is_outage() => Err(Error::VerifyApiReplayed),
            (_, left) => left,
        }
    }
}

/// Whether the session that proves a logout is over.
enum Leaving {
    /// Not as far as its proofs say.
    Live,
    /// It has run out, and nobody has noticed.
    RanOut,
}

impl Call<'_> {
    async fn sign_out(
        &self,
        refresh_token: Option<&str>,
        scope: Option<&str>,
        stamp_use: StampUse,
        shaping: &mut Shaping,
    ) -> Result<Receipt, Error> {
        let access = self.authentic_access(shaping)?;
        let proof = self.session_of(&access, refresh_token)?;
        let leaving = self.verify_leave(&access, &proof).await?;
        let scope = scope.map_or(Some(LogoutScope::default()), LogoutScope::parse).ok_or(Error::ParameterInvalid("scope"))?;
        let trace = self.verify_area_and_share_of(access.user_id()).await?;
        if stamp_use == StampUse::Repeated {
            self.wait_for_first_attempt(&access, scope).await?;
        }
        match leaving {
            Leaving::Live => self.end_scope(scope, &access, trace).await,
            Leaving::RanOut => self.end_ran_out(scope, &access, trace).await,
        }
    }

    /// A stamp that was used before serves where nothing is left to do: the first attempt has earned the success. It may still be
    /// at work, here or on another node, so that this waits for it.
    async fn wait_for_first_attempt(&self, access: &VerifiedAccess, scope: LogoutScope) -> Result<(), Error> {
        let looking = async {
            loop {
                let found = self.service.db.find_session(&self.tenant.owner_id, access.session_id()).await?;
                match found {
                    Some(SessionRecord { ended: None, .. }) if scope == LogoutScope::Others => return Err(Error::VerifyApiReplayed),
                    Some(SessionRecord { ended: None, .. }) => tokio::time::sleep(LOOK_EVERY).await,
                    _ => return Ok(()),
                }
            }
        };
        tokio::time::timeout(FIRST_ATTEMPT, looking).await.unwrap_or(Err(Error::VerifyApiReplayed))
    }

    /// The refresh token must be of the access token's session, at whatever generation.
    fn session_of(&self, access: &VerifiedAccess, refresh_token: Option<&str>) -> Result<RefreshProof, Error> {
        let text = refresh_token.ok_or(Error::ParameterMissing("refreshToken"))?;
        match self.tenant.refresh_keys.verify(text, self.now) {
            Ok(proof) if proof.session_id == access.session_id() => Ok(proof),
            Ok(_) => Err(Error::RefreshTokenMismatch),
            // Another tenant's token does not verify under this tenant's key; to its bearer that is a mismatch too.
            Err(_) if is_refresh_token(text) => Err(Error::RefreshTokenMismatch),
            Err(error) => Err(error.into()),
        }
    }

    /// An access token that has expired serves for leaving, when the refresh token is a live one of its session or
    /// the session has ended already; not where the system asks for a fresh one.
    async fn verify_leave(&self, access: &VerifiedAccess, proof: &RefreshProof) -> Result<Leaving, Error> {
        // No access token outlives its session.
        if !access.is_expired() {
            return Ok(Leaving::Live);
        }
        if self.system.settings.logout_requires_fresh_token {
            return Err(Error::TokenExpired);
        }
        let found = self.service.db.find_session(&self.tenant.owner_id, proof.session_id).await?;
        let Some(session) = found.filter(|session| session.ended.is_none()) else { return Ok(Leaving::Live) };
        if self.has_run_out(&session) {
            return Ok(Leaving::RanOut);
        }
        // The generation before the current one may be all that a client has whose last refresh was lost.
        let live = session.generation.checked_sub(proof.generation).is_some_and(|behind| behind <= 1);
        if live { Ok(Leaving::Live) } else { Err(Error::TokenExpired) }
    }

    async fn end_scope(&self, scope: LogoutScope, access: &VerifiedAccess, trace: RequestTrace) -> Result<Receipt, Error> {
        let session_id = access.session_id();
        let except = match scope {
            LogoutScope::Local => return self.end_local(access, trace).await,
            LogoutScope::Others => Some(session_id),
            LogoutScope::All => None,
        };
        let ending = UserEnding {
            owner_id: self.tenant.owner_id.clone(),
            user_id: access.user_id().clone(),
            sys_id: None,
            before: None,
            except,
            // The proofs of a session that is over must not end the sessions that came after it.
            while_live: Some(session_id),
            reason: EndReason::LoggedOut,
            actor: Actor::User,
            at: self.now,
            keep_until: keep_until(&self.system, self.now),
            trace: trace.clone(),
        };
        let revoked = self.service.end_user_sessions(ending).await?;
        let live =
            Receipt { scope, sessions: revoked.sessions.len(), already_ended: false, effective_at: self.now, reason: EndReason::LoggedOut };
        if !revoked.is_empty() {
            // Nothing is asked of a store any more: whatever it said, the sessions have ended.
            return Ok(live);
        }
        // Somebody else's call may have ended them and not told everyone yet; this answer must be true as well.
        self.service.tell_pending(Timestamp(i64::MAX)).await?;
        match self.service.db.find_session(&self.tenant.owner_id, session_id).await? {
            Some(SessionRecord { ended: Some((effective_at, reason)), .. }) => {
                Ok(Receipt { already_ended: true, effective_at, reason, ..live })
            }
            // It spoke for no other session.
            Some(session) if self.has_run_out(&session) => self.end_ran_out(scope, access, trace).await,
            Some(_) => Ok(live),
            None => Ok(Receipt { scope, ..removed(access) }),
        }
    }

    /// Writes down that a session has run out: nothing else ends, whatever was asked for.
    async fn end_ran_out(&self, scope: LogoutScope, access: &VerifiedAccess, trace: RequestTrace) -> Result<Receipt, Error> {
        let outcome = self.end_one(access.session_id(), EndReason::Expired, Actor::Service, trace).await?;
        let (OneEnded::Now(ended) | OneEnded::Before(Some(ended))) = outcome else {
            return Ok(Receipt { scope, ..removed(access) });
        };
        Ok(Receipt { scope, sessions: 0, already_ended: true, effective_at: ended.ended_at, reason: ended.reason })
    }

    async fn end_local(&self, access: &VerifiedAccess, trace: RequestTrace) -> Result<Receipt, Error> {
        // A mark may have ended it whose sessions' rows are still to follow: then the mark's reason stands.
        let before = Box::pin(self.end_reason_of(access)).await?;
        let outcome = self.end_one(access.session_id(), before.unwrap_or(EndReason::LoggedOut), Actor::User, trace).await?;
        let scope = LogoutScope::Local;
        Ok(match outcome {
            OneEnded::Now(ended) => Receipt {
                scope,
                sessions: usize::from(before.is_none()),
                already_ended: before.is_some(),
                effective_at: ended.ended_at,
                reason: ended.reason,
            },
            OneEnded::Before(Some(ended)) => {
                Receipt { scope, sessions: 0, already_ended: true, effective_at: ended.ended_at, reason: ended.reason }
            }
            OneEnded::Before(None) => removed(access),
        })
    }
}

/// The row went with retention: the session ended before its access token was made useless by time.
const fn removed(access: &VerifiedAccess) -> Receipt {
    Receipt { scope: LogoutScope::Local, sessions: 0, already_ended: true, effective_at: access.expires_at(), reason: EndReason::Expired }
}
