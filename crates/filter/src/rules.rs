//! Rules that label connections: the first that fits gives its label.

use crate::{Filter, FilterRow};
use connmon_record::{Rule, Untrusted};

/// Rules in their order, ready to classify.
#[derive(Clone, Debug, Default)]
pub struct Rules(Vec<(Rule, Filter)>);

impl Rules {
    /// Rules with what each asks for.
    pub fn new(rules: Vec<(Rule, Filter)>) -> Self {
        Self(rules)
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
