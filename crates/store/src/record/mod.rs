//! What the database holds, as values: one struct for each thing, with the row's own meaning and units. One subject a file.

mod administration;
mod area;
mod audit;
mod ending;
mod key;
mod mark;
mod session;
mod stamp_use;
mod tenant;
mod user;

pub use administration::{AdminReach, AdminRecord, Administration, AdministrationEvent};
pub use area::AreaRecord;
pub use audit::{Actor, AuditFilter, AuditRecord, RequestTrace};
pub use ending::{EndOutcome, EndedSession, Ending, Revoked, UserEnding};
pub use key::{KeyPurpose, KeyRecord, KeyRing, KeyRotation, KeyStanding, KeyState, RetiredKey, Succession, Withdrawal};
pub use mark::{Marking, NotBefore, PendingMark, Scope};
pub use session::{NewSession, RefreshedBy, Rotating, Rotation, SessionFilter, SessionRecord};
pub use stamp_use::StampUse;
pub use tenant::{SettingsRecord, SystemRecord, TenantRecord};
pub use user::{Credentials, UserRecord};
