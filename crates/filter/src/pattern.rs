//! How text is compared: every way ends in one regular expression, in which case never matters.

use regex::{Regex, RegexBuilder};

use super::error::Fault;
use super::value::{Form, ValueSyntax};

/// The meaning of a plain word without wildcards for a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The whole value.
    Whole,
    /// A part of it.
    Part,
    /// A host name, or the end of one after a dot.
    Domain,
}

/// A test of a text.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

impl Pattern {
    /// A text that fits one of these values.
    pub(super) fn new(values: &[ValueSyntax<'_>], shape: Shape) -> Result<Self, Fault> {
        let alternatives: Vec<String> =
            values.iter().map(|value| alternative(value, shape)).collect::<Result<_, _>>()?;
        let span = values.first().map_or(0..0, |first| first.span.start..first.span.end);
        Self::from_source(&alternatives.join("|")).map_err(|error| Fault::new(span, words(&error)))
    }

    /// The pattern of a regular expression.
    ///
    /// # Errors
    /// It is none, or too large.
    pub fn from_source(source: &str) -> Result<Self, regex::Error> {
        RegexBuilder::new(source).case_insensitive(true).dot_matches_new_line(true).build().map(Self)
    }

    /// The regular expression.
    pub fn source(&self) -> &str {
        self.0.as_str()
    }

    /// Whether a text fits. An empty one stands for what is not known, and fits nothing.
    pub fn fits(&self, text: &str) -> bool {
        !text.is_empty() && self.0.is_match(text)
    }

    /// Whether there is a text, and it fits.
    pub fn fits_some(&self, text: Option<&str>) -> bool {
        text.is_some_and(|text| self.fits(text))
    }
}

/// One value as a regular expression.
fn alternative(value: &ValueSyntax<'_>, shape: Shape) -> Result<String, Fault> {
    let text = value.text.as_ref();
    match (value.form, shape) {
        (Form::Regex, _) => match Pattern::from_source(text) {
            // In a group, so that its alternatives stay its own.
            Ok(_) => Ok(format!("(?:{text})")),
            Err(error) => Err(Fault::new(value.span.clone(), words(&error))
                .hint("quoted, it is text, not a regular expression")),
        },
        (Form::Plain, _) if is_glob(value) => Ok(format!("^{}$", glob(text))),
        (_, Shape::Whole) => Ok(format!("^{}$", regex::escape(text))),
        (_, Shape::Part) => Ok(regex::escape(text)),
        (_, Shape::Domain) => Ok(format!("(?:^|\\.){}$", regex::escape(text))),
    }
}

/// Whether a value has wildcards.
pub(super) fn is_glob(value: &ValueSyntax<'_>) -> bool {
    value.form == Form::Plain && value.text.contains(['*', '?'])
}

/// `*` stands for any characters, `?` for one.
fn glob(text: &str) -> String {
    let mut source = String::new();
    for part in text.split_inclusive(['*', '?']) {
        let literal = part.trim_end_matches(['*', '?']);
        source.push_str(&regex::escape(literal));
        source.push_str(match &part[literal.len()..] {
            "*" => ".*",
            "?" => ".",
            _ => "",
        });
    }
    source
}

/// The last line of the complaint; the others are a picture of their own.
fn words(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    format!("not a valid regular expression: {}", last.strip_prefix("error: ").unwrap_or(last))
}
