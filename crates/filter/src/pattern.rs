//! How text is compared: every way is a regular expression, in which case never matters. Whole words need none to be compared.

use std::borrow::Cow;

use regex::{Regex, RegexBuilder};

use super::error::Fault;
use super::value::{Form, ValueSyntax};

/// The length up to which a word is compared without a regular expression.
const MOST: usize = 256;

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
pub struct Pattern(Kind);

#[derive(Clone, Debug)]
enum Kind {
    /// One of these is the whole text. They are ASCII: see [`folded`].
    Words(Vec<Box<str>>),
    Regex(Regex),
}

impl Pattern {
    /// A text that fits one of these values.
    pub(super) fn new(values: &[ValueSyntax<'_>], shape: Shape) -> Result<Self, Fault> {
        if shape == Shape::Whole && !values.is_empty() && values.iter().all(is_word) {
            return Ok(Self(Kind::Words(values.iter().map(|value| value.text.as_ref().into()).collect())));
        }
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
        let regex = RegexBuilder::new(source).case_insensitive(true).dot_matches_new_line(true).build()?;
        Ok(Self(Kind::Regex(regex)))
    }

    /// The regular expression.
    pub fn source(&self) -> Cow<'_, str> {
        match &self.0 {
            Kind::Words(words) => words.iter().map(|word| whole(word)).collect::<Vec<_>>().join("|").into(),
            Kind::Regex(regex) => regex.as_str().into(),
        }
    }

    /// Whether a text fits. An empty one stands for what is not known, and fits nothing.
    pub fn fits(&self, text: &str) -> bool {
        let is_it = |word: &str| word.chars().map(fold).eq(text.chars().map(fold));
        !text.is_empty()
            && match &self.0 {
                Kind::Words(words) => words.iter().any(|word| is_it(word)),
                Kind::Regex(regex) => regex.is_match(text),
            }
    }

    /// Whether there is a text, and it fits.
    pub fn fits_some(&self, text: Option<&str>) -> bool {
        text.is_some_and(|text| self.fits(text))
    }
}

/// Whether a value is compared without a regular expression.
pub(super) fn is_word(value: &ValueSyntax<'_>) -> bool {
    let text = &value.text;
    value.form != Form::Regex && !is_glob(value) && text.is_ascii() && text.len() <= MOST
}

/// A text in which case no longer matters for the comparison with ASCII.
pub(super) fn folded(text: &str) -> Cow<'_, str> {
    if text.chars().all(|c| fold(c) == c) { text.into() } else { text.chars().map(fold).collect() }
}

/// Two characters besides those of ASCII are the same as some of these if case does not matter (Unicode, CaseFolding.txt).
fn fold(c: char) -> char {
    match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        _ => c.to_ascii_lowercase(),
    }
}

/// The regular expression of a whole text.
fn whole(text: &str) -> String {
    format!("^{}$", regex::escape(text))
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
        (_, Shape::Whole) => Ok(whole(text)),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_fit_as_their_regular_expression_does() {
        let texts = [
            "curl",
            "CURL",
            "curl2",
            "",
            "a.b",
            "axb",
            "Kiss",
            "\u{212a}i\u{17f}s",
            "kiß",
            "a\nb",
            "/usr/bin/x",
        ];
        for word in texts.into_iter().filter(|text| text.is_ascii()) {
            let value = ValueSyntax { text: word.into(), form: Form::Quoted, span: 0..0 };
            let words = Pattern::new(std::slice::from_ref(&value), Shape::Whole).unwrap();
            assert!(matches!(&words.0, Kind::Words(_)));
            let regex = Pattern::from_source(&words.source()).unwrap();
            for text in texts {
                assert_eq!(words.fits(text), regex.fits(text), "{word:?} {text:?}");
                assert_eq!(
                    words.fits(text),
                    !text.is_empty() && folded(word) == folded(text),
                    "{word:?} {text:?}"
                );
            }
        }
        let long = ValueSyntax { text: "x".repeat(MOST + 1).into(), form: Form::Plain, span: 0..0 };
        assert!(matches!(Pattern::new(&[long], Shape::Whole).unwrap().0, Kind::Regex(_)));
    }
}
