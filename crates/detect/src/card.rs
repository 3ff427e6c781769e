//! What each detector says of itself.

/// What a detector does, in words: `connmon findings explain` prints it.
#[derive(Debug)]
pub struct Card {
    /// The number of the detector, such as `D1`.
    pub code: &'static str,
    /// One word or two, such as `beacon`.
    pub name: &'static str,
    /// The heading of its findings.
    pub title: &'static str,
    /// What it looks for.
    pub does: &'static str,
    /// How it decides, with all its numbers.
    pub formula: &'static str,
    /// What would explain such a finding innocently.
    pub innocent: &'static [&'static str],
    /// What would refute such a finding.
    pub refuted_by: &'static [&'static str],
}
