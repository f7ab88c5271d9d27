//! Counts which stamp schemes and key versions are in use (contract 1.9), in memory; written out now and then.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bo_auth_core::identifier::{KeyId, OwnerId, SystemId};
use bo_auth_core::stamp::{Stamp, StampScheme};
use bo_auth_core::time::Timestamp;
use bo_auth_store::record::StampUse;

type Counts = HashMap<(OwnerId, SystemId, KeyId, StampScheme), (i64, Timestamp)>;

/// Uses since the last time they were taken.
#[derive(Default)]
pub(crate) struct StampCounter(Mutex<Counts>);

/// Uses that were taken.
pub(crate) struct TakenUses(Counts);

impl StampCounter {
    pub(crate) fn count(&self, owner_id: &OwnerId, sys_id: &SystemId, stamp: &Stamp, now: Timestamp) {
        let counted = (owner_id.clone(), sys_id.clone(), stamp.key_id.clone(), stamp.scheme);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (uses, last) = counts.entry(counted).or_insert((0, now));
        (*uses, *last) = (*uses + 1, now.max(*last));
    }

    /// Takes what has been counted.
    pub(crate) fn take(&self) -> TakenUses {
        TakenUses(std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Puts back what could not be written.
    pub(crate) fn put_back(&self, taken: TakenUses) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (counted, (more, at)) in taken.0 {
            let (uses, last) = counts.entry(counted).or_insert((0, at));
            (*uses, *last) = (*uses + more, at.max(*last));
        }
    }
}

impl TakenUses {
    /// As rows.
    pub(crate) fn rows(&self) -> Vec<StampUse> {
        let write =
            |((owner_id, sys_id, key_id, scheme), (uses, last_used_at)): (&(OwnerId, SystemId, KeyId, StampScheme), &(i64, Timestamp))| {
                let scheme = scheme.as_str().to_owned();
                StampUse {
                    owner_id: owner_id.clone(),
                    sys_id: sys_id.clone(),
                    key_id: key_id.clone(),
                    scheme,
                    uses: *uses,
                    last_used_at: *last_used_at,
                }
            };
        self.0.iter().map(write).collect()
    }
}
