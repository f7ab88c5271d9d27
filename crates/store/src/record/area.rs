//! Areas as they are imported.

use bo_auth_core::identifier::AreaCode;
use serde::Serialize;

/// An area's row, as it is imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AreaRecord {
    /// The code.
    pub area_code: AreaCode,
    /// The area around it.
    pub parent_code: Option<AreaCode>,
    /// Its name.
    pub name: String,
}
