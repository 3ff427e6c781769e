//! Rules that label connections: the first that fits gives its label.

use crate::{Filter, FilterRow};
use connmon_record::{Rule, Timestamp, Untrusted};

/// Rules in their order, ready to classify.
#[derive(Clone, Debug, Default)]
pub struct Rules(Vec<(Rule, Filter)>);

impl Rules {
    /// Rules with what each asks for.
    pub fn new(rules: Vec<(Rule, Filter)>) -> Self {
        Self(rules)
    }

    /// The rules of a recording, as its store has them; those that this version cannot read are left out.
    pub fn from_stored<'a>(rules: impl IntoIterator<Item = &'a Rule>, now: Timestamp) -> Self {
        let parsed = |rule: &Rule| Some((rule.clone(), Filter::parse(rule.expression.raw(), now).ok()?));
        Self(rules.into_iter().filter_map(parsed).collect())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rules as they were written.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> + Clone {
        self.0.iter().map(|(rule, _)| rule)
    }

    /// The rules with what each asks for.
    pub fn pairs(&self) -> impl Iterator<Item = (&Rule, &Filter)> {
        self.0.iter().map(|(rule, filter)| (rule, filter))
    }

    /// The label of a row; `None` if no rule fits.
    pub fn label(&self, row: &FilterRow<'_>) -> Option<&Untrusted> {
        self.0.iter().find(|(_, filter)| filter.fits(row)).map(|(rule, _)| &rule.label)
    }
}
