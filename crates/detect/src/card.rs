//! What each detector says of itself.

use crate::detectors;

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

/// The card of a detector, by its number or name; case does not matter.
pub fn card(name: &str) -> Option<&'static Card> {
    let is_meant =
        |card: &&Card| card.code.eq_ignore_ascii_case(name) || card.name.eq_ignore_ascii_case(name);
    detectors::CARDS.iter().copied().find(is_meant)
}

#[cfg(test)]
mod tests {
    use super::{card as card_of, detectors};

    #[test]
    fn every_card_is_filled_in_and_found() {
        let mut seen = std::collections::BTreeSet::new();
        for card in detectors::CARDS {
            assert!(seen.insert(card.code) && seen.insert(card.name), "{} is there twice", card.code);
            assert!(!card.does.is_empty() && !card.formula.is_empty(), "{}", card.code);
            assert!(!card.innocent.is_empty() && !card.refuted_by.is_empty(), "{}", card.code);
            assert!(card_of(&card.code.to_lowercase()).is_some_and(|found| found.code == card.code));
            assert!(card_of(&card.name.to_uppercase()).is_some_and(|found| found.code == card.code));
        }
        assert!(card_of("D0").is_none());
    }
}
