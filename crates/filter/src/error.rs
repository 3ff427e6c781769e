//! The error in an expression, and its position.

use std::fmt;
use std::ops::Range;

use unicode_width::UnicodeWidthStr;

use connmon_record::display_safe;

/// What is wrong, before it is known in which text: the parser's and the reader of values' own form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// The bytes of the expression that are meant.
    pub span: Range<usize>,
    /// The error.
    pub message: String,
    /// The advice on what to write instead.
    pub hint: Option<String>,
}

impl Fault {
    /// A fault without a hint.
    pub fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), hint: None }
    }

    /// With what to write instead.
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// An expression that cannot be understood. Displays as one sentence; [`FilterError::picture`] points at the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError {
    text: String,
    fault: Fault,
}

impl FilterError {
    pub(super) fn new(text: &str, fault: Fault) -> Self {
        Self { text: text.to_owned(), fault }
    }

    /// The first character that is meant, counted from 1; one more than there are characters at the end.
    pub fn column(&self) -> usize {
        1 + self.text[..self.fault.span.start].chars().count()
    }

    /// The expression, and under it carets that point at the place.
    pub fn picture(&self) -> String {
        let Range { start, end } = self.fault.span;
        let (before, meant) = (display_safe(&self.text[..start]), display_safe(&self.text[start..end]));
        let carets = "^".repeat(meant.width().max(1));
        format!("  {}\n  {}{carets}", display_safe(&self.text), " ".repeat(before.width()))
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}", self.column(), self.fault.message)?;
        match &self.fault.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for FilterError {}
