//! Finds tenants: prepared ones in memory, their rows in the cache, the truth in the database.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bo_auth_core::identifier::OwnerId;
use bo_auth_core::sealing::MasterKey;
use bo_auth_core::time::Clock;
use bo_auth_store::cache::{Cached, Lookup};
use bo_auth_store::record::TenantRecord;
use bo_auth_store::{Cache, Db};

use crate::Error;
use crate::settings_index::SettingsIndex;
use crate::tenant::Tenant;

/// A tenant's rows in the cache, secrets sealed.
pub(crate) struct CachedTenant;

impl Cached for CachedTenant {
    const PURPOSE: &'static str = "tenant";
    const LIFETIME: Duration = Duration::from_mins(10);
    type Id = str;
    type Value = TenantRecord;
}

/// Prepared tenants, and which owner ids are known to have none.
pub(crate) struct TenantRegistry {
    prepared: moka::future::Cache<OwnerId, Option<Arc<Tenant>>>,
    settings: RwLock<Arc<SettingsIndex>>,
    master_key: Arc<MasterKey>,
}

impl TenantRegistry {
    /// `lifetime` is how long a prepared tenant is used before its rows are looked at again; changes made through
    /// this node, or announced to it, take effect at once.
    pub(crate) fn new(master_key: Arc<MasterKey>, lifetime: Duration) -> Self {
        let prepared = moka::future::Cache::builder().max_capacity(10_000).time_to_live(lifetime).build();
        Self { prepared, settings: RwLock::default(), master_key }
    }

    /// What opens and seals stored secrets.
    pub(crate) fn master_key(&self) -> Arc<MasterKey> {
        Arc::clone(&self.master_key)
    }

    /// The tenant if it is in memory, perhaps a moment old.
    pub(crate) async fn prepared(&self, owner_id: &OwnerId) -> Option<Arc<Tenant>> {
        self.prepared.get(owner_id).await.flatten()
    }

    /// The tenant as its rows are at `revision` or later, or `None` where there is none.
    pub(crate) async fn find(
        &self,
        owner_id: &OwnerId,
        revision: i64,
        db: &Db,
        cache: &Cache,
        clock: &dyn Clock,
    ) -> Result<Option<Arc<Tenant>>, Error> {
        let is_recent = |prepared: &Option<Arc<Tenant>>| prepared.as_ref().map_or(0, |tenant| tenant.revision) >= revision;
        if let Some(prepared) = self.prepared.get(owner_id).await {
            if is_recent(&prepared) {
                return Ok(prepared);
            }
            self.prepared.invalidate(owner_id).await;
        }
        let prepared = self.prepare(owner_id, revision, db, cache, clock).await?;
        if is_recent(&prepared) {
            return Ok(prepared);
        }
        // Another request had begun to read the rows before they changed.
        self.prepared.invalidate(owner_id).await;
        self.prepare(owner_id, revision, db, cache, clock).await
    }

    async fn prepare(
        &self,
        owner_id: &OwnerId,
        revision: i64,
        db: &Db,
        cache: &Cache,
        clock: &dyn Clock,
    ) -> Result<Option<Arc<Tenant>>, Error> {
        let load = async {
            let record = load_record(owner_id, revision, db, cache, clock).await?;
            record.map(|record| Tenant::assemble(record, &self.master_key).map(Arc::new)).transpose()
        };
        // Many requests for one tenant that is not here yet load it once.
        Box::pin(self.prepared.try_get_with_by_ref(owner_id, load)).await.map_err(|error: Arc<Error>| match &*error {
            Error::Unavailable(_) => Error::Unavailable(None),
            other => Error::Internal(other.to_string().into()),
        })
    }

    /// Forgets what is prepared, so that the next request sees the rows as they are.
    pub(crate) async fn forget(&self, owner_id: &OwnerId, cache: &Cache) {
        if let Err(error) = cache.remove::<CachedTenant>(owner_id, owner_id.as_str()).await {
            tracing::warn!(%error, "a changed tenant could not be removed from the cache");
        }
        self.prepared.invalidate(owner_id).await;
    }

    /// What is known of all systems without asking a store.
    pub(crate) fn settings(&self) -> Arc<SettingsIndex> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the index of settings anew.
    pub(crate) async fn reload_settings(&self, db: &Db) -> Result<(), Error> {
        let index = SettingsIndex::of(db.list_settings().await?);
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(index);
        Ok(())
    }
}

async fn load_record(owner_id: &OwnerId, revision: i64, db: &Db, cache: &Cache, clock: &dyn Clock) -> Result<Option<TenantRecord>, Error> {
    // The administrators' keys stand in no shared cache: whoever can write there must not become one.
    if owner_id.is_reserved() {
        return Ok(db.find_tenant(owner_id).await?);
    }
    // A cache that does not answer is a miss: the database is the truth.
    let refill = match cache.lookup::<CachedTenant>(owner_id, owner_id.as_str()).await {
        Ok(Lookup::Hit(hit)) if hit.value.revision >= revision => return Ok(Some(Arc::unwrap_or_clone(hit.value))),
        // Whoever changed the rows could not take them out of the cache.
        Ok(Lookup::Hit(_)) => {
            cache.remove::<CachedTenant>(owner_id, owner_id.as_str()).await.ok();
            cache.begin_refill::<CachedTenant>(owner_id, owner_id.as_str()).await.ok()
        }
        Ok(Lookup::Miss(refill)) => Some(refill),
        Err(_) => None,
    };
    let fetched_at = clock.now();
    let Some(record) = db.find_tenant(owner_id).await? else { return Ok(None) };
    if let Some(refill) = refill
        && let Err(error) = cache.refill(refill, &record, fetched_at).await
    {
        tracing::debug!(%error, "a tenant was not cached");
    }
    Ok(Some(record))
}
