//! The grammar: text in, a tree of words out. What the words mean is not known here.
//!
//! ```text
//! any   = all ("or" all)*
//! all   = one (["and"] one)*
//! one   = ("-" | "!" | "not") one | "(" any ")" | field | value
//! field = letters (":" | "=" | "!=" | "<" | "<=" | ">" | ">=") value ("," value)*
//! value = word | "\"" text "\"" | "/" regular expression "/"
//! ```

use std::ops::Range;

use winnow::ascii::Caseless;
use winnow::combinator::{alt, delimited, eof, opt, peek, preceded, repeat};
use winnow::error::{ErrMode, ParserError};
use winnow::prelude::*;
use winnow::stream::{LocatingSlice, Location, Stream};
use winnow::token::{any, none_of, one_of, take_while};

use super::error::Fault;
use super::figure::is_figure;
use super::value::{Form, ValueSyntax};

/// Brackets and negations within each other at most, so that hostile text cannot exhaust the stack.
const MAX_DEPTH: usize = 64;
/// Tests at most: SQLite's own limit is 1000.
const MAX_TESTS: usize = 400;
/// Values of a list at most.
const MAX_VALUES: usize = 2000;

/// A tree of words.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Syntax<'a> {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    Word(ValueSyntax<'a>),
    Field(Term<'a>),
}

/// A field with an operator and values.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Term<'a> {
    pub name: &'a str,
    pub operator: &'a str,
    pub values: Vec<ValueSyntax<'a>>,
    /// The position of the name.
    pub span: Range<usize>,
}

type Input<'a> = LocatingSlice<&'a str>;
type Parsed<T> = ModalResult<T, Fault>;

impl ParserError<Input<'_>> for Fault {
    type Inner = Self;

    /// The words for it are found where the parser knows what it looked for.
    fn from_input(input: &Input<'_>) -> Self {
        let at = input.current_token_start();
        Self::new(at..at, "this cannot be parsed")
    }

    fn into_inner(self) -> Result<Self, Self> {
        Ok(self)
    }
}

/// The tree of a text.
pub(super) fn parse(text: &str) -> Result<Option<Syntax<'_>>, Fault> {
    let mut input = Input::new(text);
    let parsed = (|| {
        spaces(&mut input)?;
        if input.is_empty() {
            return Ok(None);
        }
        let tree = disjunction(&mut input, 0)?;
        if !input.is_empty() {
            return fail(here(&input, 1), "this bracket has no opening one", None);
        }
        Ok(Some(tree))
    })();
    let tree = parsed.map_err(|error: ErrMode<Fault>| match error {
        ErrMode::Backtrack(fault) | ErrMode::Cut(fault) => fault,
        ErrMode::Incomplete(_) => Fault::new(0..0, "something is missing"),
    })?;
    if let Some(tree) = &tree
        && tree.tests() > MAX_TESTS
    {
        let fault = Fault::new(0..0, format!("more than {MAX_TESTS} tests"));
        return Err(fault.hint("use lists, such as port:80,443, or a file of addresses"));
    }
    Ok(tree)
}

impl Syntax<'_> {
    fn tests(&self) -> usize {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().map(Self::tests).sum(),
            Self::Not(part) => part.tests(),
            Self::Word(_) | Self::Field(_) => 1,
        }
    }
}

fn fail<T>(span: Range<usize>, message: impl Into<String>, hint: Option<&str>) -> Parsed<T> {
    Err(ErrMode::Cut(Fault { span, message: message.into(), hint: hint.map(str::to_owned) }))
}

/// The next characters.
fn here(input: &Input<'_>, count: usize) -> Range<usize> {
    let at = input.current_token_start();
    at..at + input.chars().take(count).map(char::len_utf8).sum::<usize>()
}

fn spaces(input: &mut Input<'_>) -> Parsed<()> {
    take_while(0.., char::is_whitespace).void().parse_next(input)
}

/// The token that must follow a word.
fn boundary(input: &mut Input<'_>) -> Parsed<()> {
    peek(alt((eof.void(), one_of(|c: char| c.is_whitespace() || c == '(' || c == ')').void())))
        .parse_next(input)
}

/// Takes one of the words of the language, if it comes next.
fn keyword(input: &mut Input<'_>, word: &'static str) -> bool {
    let parsed: Parsed<_> = opt((Caseless(word), boundary)).parse_next(input);
    matches!(parsed, Ok(Some(_)))
}

fn disjunction<'a>(input: &mut Input<'a>, depth: usize) -> Parsed<Syntax<'a>> {
    let mut parts = vec![conjunction(input, depth)?];
    while keyword(input, "or") {
        parts.push(conjunction(input, depth)?);
    }
    Ok(one_or(parts, Syntax::Any))
}

fn conjunction<'a>(input: &mut Input<'a>, depth: usize) -> Parsed<Syntax<'a>> {
    let mut parts = vec![primary(input, depth)?];
    loop {
        spaces(input)?;
        let start = input.checkpoint();
        let ends = input.is_empty() || input.starts_with(')') || keyword(input, "or");
        input.reset(&start);
        if ends {
            return Ok(one_or(parts, Syntax::All));
        }
        let _ = keyword(input, "and");
        parts.push(primary(input, depth)?);
    }
}

fn one_or<'a>(mut parts: Vec<Syntax<'a>>, more: impl FnOnce(Vec<Syntax<'a>>) -> Syntax<'a>) -> Syntax<'a> {
    if parts.len() == 1 { parts.remove(0) } else { more(parts) }
}

fn primary<'a>(input: &mut Input<'a>, depth: usize) -> Parsed<Syntax<'a>> {
    spaces(input)?;
    if depth > MAX_DEPTH {
        return fail(here(input, 0), format!("more than {MAX_DEPTH} nested brackets or negations"), None);
    }
    let start = here(input, 1);
    if keyword(input, "not") || take(input, '-') || take(input, '!') {
        return Ok(Syntax::Not(Box::new(primary(input, depth + 1)?)));
    }
    if take(input, '(') {
        let inner = disjunction(input, depth + 1)?;
        return if take(input, ')') { Ok(inner) } else { fail(start, "this bracket is not closed", None) };
    }
    for word in ["and", "or"] {
        if keyword(input, word) {
            let span = start.start..start.start + word.len();
            return fail(
                span,
                format!("there is nothing before this `{word}`"),
                Some("to search for the word, quote it"),
            );
        }
    }
    if input.is_empty() || input.starts_with(')') {
        return fail(here(input, 0), "a search term is missing here", None);
    }
    let term = opt(field).parse_next(input)?;
    let tree = match term {
        Some(term) => Syntax::Field(term),
        None => Syntax::Word(free(input)?),
    };
    if peek(opt(boundary)).parse_next(input)?.is_none() {
        return fail(
            here(input, 1),
            "a space is missing here",
            Some("quote text that contains quotes, as in \"a \\\" b\""),
        );
    }
    Ok(tree)
}

fn take(input: &mut Input<'_>, c: char) -> bool {
    let parsed: Parsed<_> = opt(c).parse_next(input);
    matches!(parsed, Ok(Some(_)))
}

fn field<'a>(input: &mut Input<'a>) -> Parsed<Term<'a>> {
    let letters = take_while(1.., |c: char| c.is_ascii_alphabetic() || c == '_');
    let operators = alt((":", "!=", "<=", ">=", "=", "<", ">"));
    let ((name, span), operator) = (letters.with_span(), operators).parse_next(input)?;
    let mut values = Vec::new();
    loop {
        if alt((boundary, peek(",").void())).parse_next(input).is_ok() {
            let written =
                if values.is_empty() { format!("`{name}{operator}`") } else { "the comma".to_owned() };
            return fail(here(input, 0), format!("a value is missing after {written}"), None);
        }
        if values.len() >= MAX_VALUES {
            return fail(span, format!("this list has more than {MAX_VALUES} values"), None);
        }
        values.push(value(input, true)?);
        if !take(input, ',') {
            if let Some(last) = values.last_mut() {
                units(input, name, last)?;
            }
            return Ok(Term { name, operator, values, span });
        }
    }
}

/// `10 MB`, `1 h 30 min`: what stands apart and still makes one figure belongs to the value before.
fn units<'a>(input: &mut Input<'a>, name: &str, value: &mut ValueSyntax<'a>) -> Parsed<()> {
    let word = |c: char| c.is_alphanumeric() || c == '.';
    while value.form == Form::Plain {
        let before = input.checkpoint();
        let mut text = value.text.to_string();
        let mut joined = None;
        for _ in 0..2 {
            spaces(input)?;
            let next: &str = take_while(0.., word).parse_next(input)?;
            if next.is_empty() || peek(opt(boundary)).parse_next(input)?.is_none() {
                break;
            }
            text = format!("{text} {next}");
            if is_figure(name, &text) {
                joined = Some((text.clone(), here(input, 0).start, input.checkpoint()));
                break;
            }
        }
        let Some((text, end, after)) = joined else {
            input.reset(&before);
            break;
        };
        input.reset(&after);
        (value.text, value.span.end) = (text.into(), end);
    }
    Ok(())
}

/// Free text. An operator that stands apart from its field would be one, and never found.
fn free<'a>(input: &mut Input<'a>) -> Parsed<ValueSyntax<'a>> {
    let value = value(input, false)?;
    let text = value.text.as_ref();
    let stray = text.starts_with(['<', '>', '=']) || (text.starts_with(':') && !text.starts_with("::"));
    if value.form == Form::Plain && stray {
        let end = value.span.start + text.find(|c| !"<>=:".contains(c)).unwrap_or(text.len());
        return fail(
            value.span.start..end,
            format!("there is no field directly before this `{}`", &text[..end - value.span.start]),
            Some("write bytes>10M without a space, or quote it to search for it as text"),
        );
    }
    Ok(value)
}

/// A value; in a list, plain words end at commas.
fn value<'a>(input: &mut Input<'a>, in_list: bool) -> Parsed<ValueSyntax<'a>> {
    if input.starts_with('"') {
        return quoted(input);
    }
    let plain = |c: char| !(c.is_whitespace() || matches!(c, '(' | ')' | '"') || (in_list && c == ','));
    let regex = delimited('/', regex_body, ('/', peek(alt((boundary, ",".void())))));
    let plain = take_while(1.., plain).map(|text| (text, Form::Plain));
    let ((text, form), span) =
        alt((regex.map(|text| (text, Form::Regex)), plain)).with_span().parse_next(input)?;
    Ok(ValueSyntax { text: text.into(), form, span })
}

/// Up to the first slash that has no backslash before it. Without spaces: `/usr x:/` is no regular expression.
fn regex_body<'a>(input: &mut Input<'a>) -> Parsed<&'a str> {
    let character = none_of(|c: char| c.is_whitespace() || matches!(c, '/' | '\\')).void();
    let escaped = ('\\', none_of(char::is_whitespace)).void();
    repeat::<_, _, (), _, _>(1.., alt((character, escaped))).take().parse_next(input)
}

fn quoted<'a>(input: &mut Input<'a>) -> Parsed<ValueSyntax<'a>> {
    let start = here(input, 1);
    let character = alt((none_of(['"', '\\']), preceded('\\', any)));
    let text = repeat(0.., character).fold(String::new, |mut text, c| {
        text.push(c);
        text
    });
    let ((_, text, closed), span) = ('"', text, opt('"')).with_span().parse_next(input)?;
    match closed {
        Some(_) => Ok(ValueSyntax { text: text.into(), form: Form::Quoted, span }),
        None => fail(start, "this quote is not closed", None),
    }
}
