//! Keys of a tenant: listed with their use, rotated, withdrawn. A secret is shown once, where it is made.

use std::sync::Arc;
use std::time::Duration;

use bo_auth_core::identifier::KeyId;
use bo_auth_core::signing_key::Algorithm;
use bo_auth_service::operator::key::{ListedKey, Replacement, RotatedKey, RotationOptions};
use bo_auth_store::record::{KeyPurpose, KeyState, RetiredKey, StampUse};
use poem::Request;
use poem_openapi::param::{Path, Query};
use poem_openapi::{Object, OpenApi};

use super::Frame;
use super::body::invalid;
use super::page::{PageRequest, page};
use super::problem::{NOT_FOUND, Problem};
use super::reply::{NoContent, Reply, Success};
use crate::api::body::JsonBody;

/// The routes of keys.
pub(super) struct Keys(pub(super) Arc<Frame>);

/// The longest overlap, in seconds: a year.
const LONGEST_OVERLAP: u64 = 366 * 86_400;

/// A key. Its secret is never shown again.
#[derive(Object)]
#[oai(rename = "Key", rename_all = "camelCase")]
pub(super) struct KeyView {
    /// The version.
    key_id: String,
    /// `stamp`, `stamp-mac`, `access` or `refresh`.
    purpose: String,
    /// `DES`, `HMAC-SHA256`, `HS256`, `RS256`, `ES256` or `EdDSA`.
    algorithm: String,
    /// `announced` (it is to sign), `signing` (what is new is made with it), `accepted` or `retired`.
    state: String,
    /// When it was made (Unix ms).
    created_at: i64,
    /// From when on it signs (Unix ms).
    signs_from: i64,
    /// From when on nothing made with it is accepted (Unix ms); null if nothing is to take its place.
    retires_at: Option<i64>,
    /// How many stamps were accepted under it; for stamp keys.
    uses: i64,
    /// When the last of them was (Unix ms).
    last_used_at: Option<i64>,
}

page! {
    /// A page of keys, the newest first.
    KeyPage of KeyView
}

/// What is to be rotated.
#[derive(Object)]
#[oai(rename = "RotationRequest", rename_all = "camelCase")]
pub(super) struct RotationBody {
    /// `stamp`, `stamp-mac`, `access` or `refresh`.
    purpose: String,
    /// How access tokens are signed from then on: `HS256`, `RS256`, `ES256` or `EdDSA`; as the current key does if absent.
    algorithm: Option<String>,
    /// The new DES key; made where absent.
    des_key: Option<String>,
    /// For how many seconds the key before it is still accepted once the new one signs; 0 withdraws earlier keys at once,
    /// and lets the new one sign at once. If absent, 30 days for stamps, a day for access tokens, 90 days for refresh tokens.
    overlap_seconds: Option<u64>,
    /// `true`, for an emergency: a new RS256, ES256 or EdDSA key signs at once. Verifiers that keep the key set refuse new
    /// tokens until they read it again, which may take fifteen minutes.
    now: Option<bool>,
}

/// A key that a rotation retires before its time.
#[derive(Object)]
#[oai(rename = "RetiredKey", rename_all = "camelCase")]
pub(super) struct RetiredView {
    /// The version.
    key_id: String,
    /// From when on nothing made with it is accepted (Unix ms).
    retires_at: i64,
}

/// A key that was made by a rotation.
#[derive(Object)]
#[oai(rename = "RotatedKey", rename_all = "camelCase")]
pub(super) struct RotatedView {
    /// The key.
    key: KeyView,
    /// The secret where a frontend or caller needs it; shown this once.
    secret: Option<String>,
    /// From when on the key before it is refused (Unix ms).
    earlier_retire_at: i64,
    /// Whether verifiers that keep the key set may refuse new tokens until they read it again, within fifteen minutes.
    unknown_to_verifiers: bool,
    /// Keys that retire early: two are accepted at most, and one that was announced gives way to the next.
    retired: Vec<RetiredView>,
}

impl KeyView {
    fn new(listed: &ListedKey, uses: &[StampUse]) -> Self {
        let (key, standing) = (&listed.key, &listed.standing);
        let own = || uses.iter().filter(|used| used.key_id == key.key_id);
        Self {
            key_id: key.key_id.to_string(),
            purpose: key.purpose.as_str().to_owned(),
            algorithm: key.algorithm.clone(),
            state: standing.state.as_str().to_owned(),
            created_at: key.created_at.0,
            signs_from: standing.signs_from.0,
            retires_at: standing.retires_at.map(|at| at.0),
            uses: own().map(|used| used.uses).sum(),
            last_used_at: own().map(|used| used.last_used_at.0).max(),
        }
    }
}

impl RotatedView {
    fn new(rotated: RotatedKey) -> Self {
        let key = &rotated.key;
        let state = if rotated.signs_from.is_some() { KeyState::Announced } else { KeyState::Signing };
        let retired = |key: &RetiredKey| RetiredView { key_id: key.key_id.to_string(), retires_at: key.retires_at.0 };
        Self {
            key: KeyView {
                key_id: key.key_id.to_string(),
                purpose: key.purpose.as_str().to_owned(),
                algorithm: key.algorithm.clone(),
                state: state.as_str().to_owned(),
                created_at: key.created_at.0,
                signs_from: rotated.signs_from.unwrap_or(key.created_at).0,
                retires_at: None,
                uses: 0,
                last_used_at: None,
            },
            secret: rotated.secret,
            earlier_retire_at: rotated.earlier_retire_at.0,
            unknown_to_verifiers: rotated.is_unknown_to_verifiers,
            retired: rotated.retired.iter().map(retired).collect(),
        }
    }
}

#[OpenApi]
impl Keys {
    /// List keys
    #[oai(path = "/tenants/:ownerId/keys", method = "get", operation_id = "listKeys")]
    async fn list(
        &self,
        request: &Request,
        #[oai(name = "ownerId")] owner_id: Path<String>,
        limit: Query<Option<u32>>,
        cursor: Query<Option<String>>,
    ) -> Reply<KeyPage> {
        self.page(request, &owner_id, limit.0, cursor.0).await.into()
    }

    /// Rotate a key
    ///
    /// Puts a new key in front of the current one, which stays accepted for a while. In effect on every node when it is
    /// answered. A new RS256, ES256 or EdDSA key is announced first: for 16 minutes it stands in the key set and does not
    /// sign. A tenant holds at most two accepted keys of each purpose, beside one that is announced: older ones retire.
    #[oai(path = "/tenants/:ownerId/keys/rotate", method = "post", operation_id = "rotateKey")]
    async fn rotate(
        &self,
        request: &Request,
        #[oai(name = "ownerId")] owner_id: Path<String>,
        body: JsonBody<RotationBody>,
    ) -> Reply<RotatedView, 201> {
        self.replace(request, &owner_id, body).await.into()
    }

    /// Withdraw a key
    ///
    /// Nothing that was made with it is accepted any more, on any node, when it is answered. If it signs and another is
    /// announced, that one signs from now on; if none is, it cannot be withdrawn: rotate it first.
    #[oai(path = "/tenants/:ownerId/keys/:keyId", method = "delete", operation_id = "withdrawKey")]
    async fn withdraw(
        &self,
        request: &Request,
        #[oai(name = "ownerId")] owner_id: Path<String>,
        #[oai(name = "keyId")] key_id: Path<String>,
    ) -> NoContent {
        self.remove(request, &owner_id, &key_id).await.into()
    }
}

impl Keys {
    async fn page(
        &self,
        request: &Request,
        owner_id: &str,
        limit: Option<u32>,
        cursor: Option<String>,
    ) -> Result<Success<KeyPage>, Problem> {
        let caller = self.0.caller(request, owner_id).await?;
        let page = PageRequest::read("keys", limit, cursor.as_deref())?;
        let (keys, uses) = caller.operator.list_keys(&caller.owner_id).await?;
        let after = page.after(|text| text.split_once(' ').and_then(|(at, id)| Some((at.parse::<i64>().ok()?, id.to_owned()))))?;
        let behind = |listed: &&ListedKey| {
            let place = (listed.key.created_at.0, listed.key.key_id.as_str());
            after.as_ref().is_none_or(|(at, id)| place < (*at, id.as_str()))
        };
        let place = |last: &&ListedKey| format!("{} {}", last.key.created_at.0, last.key.key_id);
        let (keys, next) = page.cut(keys.iter().filter(behind).collect(), place);
        let views: Vec<KeyView> = keys.into_iter().map(|key| KeyView::new(key, &uses)).collect();
        Ok(Success::of((views, next).into()))
    }

    async fn replace(&self, request: &Request, owner_id: &str, body: JsonBody<RotationBody>) -> Result<Success<RotatedView>, Problem> {
        let caller = self.0.caller(request, owner_id).await?;
        let mut members = self.0.read(request, body).await?;
        let purpose = members.required("purpose", "it is stamp, stamp-mac, access or refresh", KeyPurpose::parse);
        let algorithm = members.parsed("algorithm", "it is HS256, RS256, ES256 or EdDSA", Algorithm::parse);
        let (des_key, overlap) = (members.text("desKey"), members.number("overlapSeconds", LONGEST_OVERLAP));
        let now = members.boolean("now").unwrap_or(false);
        members.finish()?;
        let purpose = purpose.ok_or_else(|| invalid("purpose", "it is missing"))?;
        let replacement = match purpose {
            KeyPurpose::Stamp => Replacement::Stamp(des_key.as_deref()),
            KeyPurpose::StampMac => Replacement::StampMac,
            KeyPurpose::Access => Replacement::Access(algorithm),
            KeyPurpose::Refresh => Replacement::Refresh,
        };
        let options = RotationOptions { overlap: overlap.map(Duration::from_secs), now };
        let rotated = caller.operator.rotate_key(&caller.owner_id, replacement, options).await?;
        Ok(Success::of(RotatedView::new(rotated)))
    }

    async fn remove(&self, request: &Request, owner_id: &str, key_id: &str) -> Result<Success<()>, Problem> {
        let caller = self.0.caller(request, owner_id).await?;
        let key_id = KeyId::parse(key_id).map_err(|_| Problem::of(NOT_FOUND))?;
        caller.operator.withdraw_key(&caller.owner_id, &key_id).await?;
        Ok(Success::of(()))
    }
}
