//! Refresh: a live session's refresh token becomes the next pair. Rotation is one compare-and-set on the generation;
//! what is lost on the way is replayed identically until the next generation is used (contract 1.4).

use std::sync::Arc;
use std::time::Duration;

use bo_auth_core::session::{EndReason, SessionId};
use bo_auth_core::settings::ReplayFromElsewhere;
use bo_auth_core::token::refresh::MAX_GENERATION;
use bo_auth_store::failpoint;
use bo_auth_store::record::{Actor, RefreshedBy, RequestTrace, Rotating, Rotation, SessionRecord, UserRecord};
use metrics::counter;
use serde_json::json;

use crate::call::{PluginRule, RequestFacts, Shaping};
use crate::token_pair::TokenPair;
use crate::{Call, Error, Service};

impl Service {
    /// Answers the next pair of tokens of the refresh token's session.
    ///
    /// # Errors
    /// Those of [`Service::open_call`]; [`Error::ParameterMissing`], [`Error::RefreshTokenInvalid`],
    /// [`Error::RefreshTokenMismatch`] where the session is of another system, [`Error::SessionEnded`], and those of
    /// the area and share ids.
    pub async fn refresh(
        self: &Arc<Self>,
        facts: &RequestFacts<'_>,
        refresh_token: Option<&str>,
        shaping: &mut Shaping,
    ) -> Result<TokenPair, Error> {
        let call = self.open_call(facts, PluginRule::Optional, shaping).await?;
        let proof = call.tenant.refresh_keys.verify(refresh_token.ok_or(Error::ParameterMissing("refreshToken"))?, call.now)?;
        let before = call.live_session(proof.session_id).await?;
        shaping.user_id = Some(before.user_id.shared());
        let trace = call.verify_area_and_share_of(&before.user_id).await?;

        // Read before anything moves: once it has, nothing can fail any more.
        let user = call.profile_of(&before).await?;
        let current = call.rotate(&before, proof.generation, &trace).await?;
        // Whoever comes with the same token again gets the same next one: it is computed, not drawn.
        match current.generation.checked_sub(proof.generation) {
            Some(1) => {
                // A replayed answer moves the idle end no further, and its access token does not outlive it either.
                let expires_at = call.access_expiry(current.expires_at.min(current.idle_expires_at));
                call.issue_pair(&current, current.generation, expires_at, &user)
            }
            None | Some(0) => Err(Error::RefreshTokenInvalid),
            Some(_) => {
                call.end_one(current.session_id, EndReason::ReuseDetected, Actor::Service, trace).await?;
                Err(Error::SessionEnded(EndReason::ReuseDetected))
            }
        }
    }
}

impl Call<'_> {
    /// The session's row: of this system, not ended, not run out. One that has run out is ended here.
    pub(crate) async fn live_session(&self, session_id: SessionId) -> Result<SessionRecord, Error> {
        // A session whose row is gone was removed long after its end.
        let found = self.service.db.find_session(&self.tenant.owner_id, session_id).await?;
        let session = found.ok_or(Error::SessionEnded(EndReason::Expired))?;
        if session.sys_id != self.system.sys_id {
            return Err(Error::RefreshTokenMismatch);
        }
        self.still_live(&session).await?;
        Ok(session)
    }

    async fn still_live(&self, session: &SessionRecord) -> Result<(), Error> {
        if let Some((_, reason)) = session.ended {
            return Err(self.refusal_of(reason, &session.user_id).await);
        }
        if self.has_run_out(session) {
            self.end_one(session.session_id, EndReason::Expired, Actor::Service, RequestTrace::default()).await?;
            return Err(Error::SessionEnded(EndReason::Expired));
        }
        Ok(())
    }

    /// Whether the session was over by its times when this call began.
    pub(crate) fn has_run_out(&self, session: &SessionRecord) -> bool {
        self.now >= session.idle_expires_at.min(session.expires_at)
    }

    /// Moves the session on from `generation`, if it is there; answers the row as it then is, live.
    async fn rotate(&self, before: &SessionRecord, generation: u32, trace: &RequestTrace) -> Result<SessionRecord, Error> {
        let (service, owner_id) = (self.service, &self.tenant.owner_id);
        if generation >= MAX_GENERATION {
            return Err(Error::RefreshTokenInvalid);
        }
        let idle = Duration::from_secs(u64::from(self.system.settings.session_idle_seconds));
        let idle_expires_at = self.now.plus(idle).min(before.expires_at);
        let access_expires_at = self.access_expiry(before.expires_at);
        failpoint::reach("refresh.read").await;
        let user_agent = self.facts.recorded_user_agent();
        let rotating = Rotating {
            session_id: before.session_id,
            from_generation: generation,
            refreshed_at: self.now,
            idle_expires_at,
            access_expires_at,
            address: Some(self.facts.address),
            user_agent: user_agent.as_deref(),
        };
        match service.db.rotate_session(owner_id, &rotating).await? {
            Rotation::Rotated(session) => {
                failpoint::reach("refresh.rotated").await;
                Ok(session)
            }
            Rotation::Unchanged(session) => {
                self.still_live(&session).await?;
                failpoint::reach("refresh.lost").await;
                if session.generation == generation + 1 {
                    self.judge_replay(&session, trace).await?;
                }
                // The row must know how long the token that is about to be signed can live, before it is signed:
                // whoever ends the session remembers it for that long. Nothing is signed where it has ended by now.
                if session.generation == generation + 1 && !service.db.extend_access(owner_id, before.session_id, access_expires_at).await?
                {
                    let ended = service.db.find_session(owner_id, before.session_id).await?.and_then(|session| session.ended);
                    let reason = ended.map_or(EndReason::Expired, |(_, reason)| reason);
                    return Err(self.refusal_of(reason, &session.user_id).await);
                }
                Ok(session)
            }
            Rotation::Unknown => Err(Error::SessionEnded(EndReason::Expired)),
        }
    }

    /// An answer that was lost is asked for again by whoever has asked first. From elsewhere it may be a thief who refreshes in
    /// step with the victim, or a phone that has changed networks: the system says what becomes of it.
    async fn judge_replay(&self, session: &SessionRecord, trace: &RequestTrace) -> Result<(), Error> {
        let (service, owner_id) = (self.service, &self.tenant.owner_id);
        let found = service.db.find_refreshed_by(owner_id, session.session_id, session.generation).await?;
        let Some(RefreshedBy { address: Some(address), user_agent }) = found else { return Ok(()) };
        // The clients of an IPv6 network choose the rest of their addresses anew.
        let prefix = service.client_prefix;
        let other_address = prefix.key(&address) != prefix.key(self.facts.address);
        let other_user_agent = user_agent != self.facts.recorded_user_agent();
        if !other_address && !other_user_agent {
            return Ok(());
        }
        counter!("bo_auth_refresh_replays_from_elsewhere_total").increment(1);
        let details = json!({"refreshedFrom": address, "otherAddress": other_address, "otherUserAgent": other_user_agent});
        let trace = RequestTrace { details: Some(details), ..trace.clone() };
        service.db.record_replay(owner_id, session, self.now, &trace).await?;
        if self.system.settings.refresh_replay_from_elsewhere == ReplayFromElsewhere::Allow {
            return Ok(());
        }
        self.end_one(session.session_id, EndReason::ReuseDetected, Actor::Service, trace).await?;
        Err(Error::SessionEnded(EndReason::ReuseDetected))
    }

    async fn profile_of(&self, session: &SessionRecord) -> Result<Arc<UserRecord>, Error> {
        let profile = self.service.find_profile(&self.tenant.owner_id, &session.user_id).await?;
        Ok(profile.ok_or(Error::SessionEnded(EndReason::Kicked))?.value)
    }
}
