//! Findings, as far as connections name them.

use super::Untrusted;

/// A finding that a connection is evidence of: the names by which `finding:` asks for it, and its severity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindingName {
    /// Its id.
    pub id: Untrusted,
    /// The number of its detector, such as `D1`.
    pub detector: Untrusted,
    /// The name of its detector; empty for one of another version.
    pub name: &'static str,
    /// The name of its severity.
    pub severity: &'static str,
}
