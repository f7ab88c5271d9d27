//! Administrative areas and whether one lies in another.

use crate::identifier::AreaCode;

/// An area and all areas around it, the innermost first, as the tenant's own tree says.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct AreaPath(pub Vec<AreaCode>);

impl AreaPath {
    /// Whether the area is one of `granted`, or lies in one of them. A user without areas of their own is not
    /// confined to any (contract 1.2).
    pub fn lies_within(&self, granted: &[AreaCode]) -> bool {
        granted.is_empty() || self.0.iter().any(|code| granted.contains(code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_area_lies_within_itself_and_its_ancestors() {
        let codes = |texts: &[&str]| texts.iter().map(|text| AreaCode::parse(text).unwrap()).collect::<Vec<_>>();
        let path = AreaPath(codes(&["440106", "440100", "440000"]));
        assert!(path.lies_within(&[]));
        assert!(path.lies_within(&codes(&["440106"])));
        assert!(path.lies_within(&codes(&["110000", "440000"])));
        assert!(!path.lies_within(&codes(&["440103", "110000"])));
    }
}
