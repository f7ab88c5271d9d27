//! What nodes must know of tenants before they answer: their not-before marks, those of their systems, and what their rows
//! are at. Read by every verification, without a lock; changed so rarely that each change copies the whole.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use bo_auth_core::identifier::{OwnerId, SystemId};
use bo_auth_core::session::EndReason;
use bo_auth_core::time::Timestamp;

use crate::record::{NotBefore, Scope};

/// From when on sessions must have begun, and why earlier ones have ended.
pub(super) type Mark = (Timestamp, EndReason);

#[derive(Clone, Default)]
struct TenantMarks {
    own: Option<Mark>,
    systems: HashMap<SystemId, Mark>,
    revision: i64,
}

/// What was heard of tenants' revisions up to some moment.
#[derive(Clone, Default)]
pub struct Heard(Arc<HashMap<OwnerId, TenantMarks>>);

impl Heard {
    /// The newest revision that was heard of; 0 where there was none.
    pub fn revision(&self, owner_id: &OwnerId) -> i64 {
        self.0.get(owner_id).map_or(0, |tenant| tenant.revision)
    }
}

/// The marks of tenants and systems.
#[derive(Default)]
pub(super) struct Tenants {
    marks: ArcSwap<HashMap<OwnerId, TenantMarks>>,
    changing: Mutex<()>,
}

impl Tenants {
    /// The later one of the tenant's mark and its system's.
    pub(super) fn find(&self, owner_id: &OwnerId, sys_id: Option<&SystemId>) -> Option<Mark> {
        let marks = self.marks.load();
        let tenant = marks.get(owner_id)?;
        let system = sys_id.and_then(|sys_id| tenant.systems.get(sys_id)).copied();
        later(tenant.own, system)
    }

    /// The latest mark of the tenant and of any of its systems.
    pub(super) fn latest(&self, owner_id: &OwnerId) -> Option<Timestamp> {
        let marks = self.marks.load();
        let tenant = marks.get(owner_id)?;
        tenant.systems.values().map(|(not_before, _)| *not_before).chain(tenant.own.map(|(not_before, _)| not_before)).max()
    }

    /// What the tenant's rows are known to be at; 0 where nothing is known.
    pub(super) fn revision(&self, owner_id: &OwnerId) -> i64 {
        self.marks.load().get(owner_id).map_or(0, |tenant| tenant.revision)
    }

    /// What was heard up to now.
    pub(super) fn heard(&self) -> Heard {
        Heard(self.marks.load_full())
    }

    /// Whether that is still all there is.
    pub(super) fn is_all(&self, heard: &Heard) -> bool {
        Arc::ptr_eq(&self.marks.load(), &heard.0)
    }

    /// Takes in marks of tenants and systems; those of users are not kept here. None is ever moved earlier.
    pub(super) fn insert<'a>(&self, marks: impl Iterator<Item = &'a NotBefore>) {
        let mut marks = marks.filter(|mark| !matches!(mark.scope, Scope::User(_))).peekable();
        if marks.peek().is_none() {
            return;
        }
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = HashMap::clone(&self.marks.load());
        for mark in marks {
            let tenant = changed.entry(mark.owner_id.clone()).or_default();
            tenant.revision = tenant.revision.max(mark.revision);
            let this = Some((mark.not_before, mark.reason)).filter(|(not_before, _)| *not_before > Timestamp(0));
            let Scope::System(sys_id) = &mark.scope else {
                tenant.own = later(tenant.own, this);
                continue;
            };
            let known = tenant.systems.get(sys_id).copied();
            tenant.systems.extend(later(known, this).map(|mark| (sys_id.clone(), mark)));
        }
        self.marks.store(changed.into());
    }

    /// How many tenants have a mark or a revision.
    pub(super) fn len(&self) -> usize {
        self.marks.load().len()
    }
}

/// The later one of two marks: the maximum decides.
pub(super) fn later(one: Option<Mark>, other: Option<Mark>) -> Option<Mark> {
    match (one, other) {
        (Some(one), Some(other)) => Some(if other.0 > one.0 { other } else { one }),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(owner_id: &str, system: Option<&str>, at: i64, revision: i64) -> NotBefore {
        NotBefore {
            owner_id: OwnerId::parse(owner_id).unwrap(),
            scope: system.map_or(Scope::Tenant, |sys_id| Scope::System(SystemId::parse(sys_id).unwrap())),
            not_before: Timestamp(at),
            reason: EndReason::Kicked,
            revision,
            event_id: 0,
        }
    }

    #[test]
    fn the_later_mark_of_tenant_and_system_decides_and_others_have_none() {
        let tenants = Tenants::default();
        let (acme, other) = (OwnerId::parse("acme").unwrap(), OwnerId::parse("other").unwrap());
        let (web, app) = (SystemId::parse("web").unwrap(), SystemId::parse("app").unwrap());
        tenants.insert([mark("acme", Some("web"), 20, 1), mark("acme", None, 10, 2)].iter());
        tenants.insert([mark("acme", Some("web"), 15, 1), mark("acme", None, 0, 3)].iter());
        assert_eq!(tenants.find(&acme, Some(&web)), Some((Timestamp(20), EndReason::Kicked)));
        assert_eq!(tenants.find(&acme, Some(&app)), Some((Timestamp(10), EndReason::Kicked)));
        assert_eq!(tenants.find(&acme, None), Some((Timestamp(10), EndReason::Kicked)));
        assert_eq!((tenants.find(&other, Some(&web)), tenants.revision(&other)), (None, 0));
        assert_eq!((tenants.revision(&acme), tenants.len()), (3, 1));
        assert_eq!((tenants.latest(&acme), tenants.latest(&other)), (Some(Timestamp(20)), None));
    }

    #[test]
    fn what_was_heard_stays_as_it_was() {
        let tenants = Tenants::default();
        let acme = OwnerId::parse("acme").unwrap();
        let before = tenants.heard();
        assert!(tenants.is_all(&before) && before.revision(&acme) == 0);
        tenants.insert([mark("acme", None, 0, 3)].iter());
        assert!(!tenants.is_all(&before) && tenants.is_all(&tenants.heard()));
        assert_eq!((before.revision(&acme), tenants.heard().revision(&acme)), (0, 3));
    }
}
