//! The grammar of STIX patterns: `[ipv4-addr:value = '198.51.100.1' OR domain-name:value IN ('a.example', 'b.example')]`.

use winnow::ModalResult;
use winnow::ascii::{Caseless, multispace0};
use winnow::combinator::{alt, cut_err, delimited, fail, not, opt, preceded, repeat, separated, terminated};
use winnow::error::ContextError;
use winnow::prelude::*;
use winnow::token::{any, one_of, take_till, take_while};

/// Longer patterns are not read.
const LONGEST: usize = 1 << 16;
/// Brackets within brackets at most.
const DEEPEST: u8 = 32;

type Result<T> = ModalResult<T, ContextError>;

/// The condition of a pattern.
#[derive(Debug, PartialEq)]
pub(super) enum Pattern {
    /// One of these.
    Any(Vec<Self>),
    /// All of these, of one thing.
    All(Vec<Self>),
    /// A property of an object is one of these values.
    Compare(PatternComparison),
    /// Several things, or how often and when: more than one connection can tell.
    More,
}

impl Pattern {
    /// Whether no connection alone can tell.
    pub(super) fn is_of_several(&self) -> bool {
        match self {
            Self::Any(parts) | Self::All(parts) => parts.iter().any(Self::is_of_several),
            Self::Compare(_) => false,
            Self::More => true,
        }
    }
}

/// A comparison.
#[derive(Debug, PartialEq)]
pub(super) struct PatternComparison {
    /// Type and properties: `file:hashes.SHA-256`, without quotes.
    pub path: String,
    /// In upper case: `=`, `IN`, `LIKE`, `NOT IN`, `EXISTS` and so on.
    pub operator: String,
    /// The value with which the property is compared, without quotes.
    pub values: Vec<String>,
}

/// Reads a pattern; `None` if it is none.
pub(super) fn parse(text: &str) -> Option<Pattern> {
    if text.len() > LONGEST {
        return None;
    }
    observations(0).parse(text).ok()
}

/// A word without regard to case, and the space around it.
fn word<'i>(word: &'static str) -> impl Parser<&'i str, &'i str, winnow::error::ErrMode<ContextError>> {
    delimited(
        multispace0,
        terminated(
            Caseless(word),
            not(one_of(|c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':'))),
        ),
        multispace0,
    )
}

fn symbol<'i>(symbol: char) -> impl Parser<&'i str, char, winnow::error::ErrMode<ContextError>> {
    delimited(multispace0, symbol, multispace0)
}

fn one_or(mut parts: Vec<Pattern>, many: fn(Vec<Pattern>) -> Pattern) -> Pattern {
    if parts.len() == 1 { parts.remove(0) } else { many(parts) }
}

/// Observations: what is in square brackets, and how those belong together.
fn observations<'i>(depth: u8) -> impl FnMut(&mut &'i str) -> Result<Pattern> {
    move |input| {
        let each = separated(1.., observed(depth), word("FOLLOWEDBY"));
        each.map(|parts| one_or(parts, |_| Pattern::More)).parse_next(input)
    }
}

fn observed<'i>(depth: u8) -> impl FnMut(&mut &'i str) -> Result<Pattern> {
    move |input| {
        let both = separated(1.., observation(depth), word("AND"));
        // Two things that both were seen are not one connection.
        let both = both.map(|parts| one_or(parts, |_| Pattern::More));
        separated(1.., both, word("OR")).map(|parts| one_or(parts, Pattern::Any)).parse_next(input)
    }
}

fn observation<'i>(depth: u8) -> impl FnMut(&mut &'i str) -> Result<Pattern> {
    move |input| {
        let within = |input: &mut &'i str| {
            if depth >= DEEPEST { cut_err(fail).parse_next(input) } else { observations(depth + 1)(input) }
        };
        let inner = alt((
            delimited(symbol('['), comparisons(0), symbol(']')),
            delimited(symbol('('), within, symbol(')')),
        ));
        let (inner, qualified) = (inner, opt(qualifiers)).parse_next(input)?;
        Ok(if qualified.is_some() { Pattern::More } else { inner })
    }
}

/// `WITHIN 5 SECONDS`, `REPEATS 3 TIMES`, `START t'…' STOP t'…'`.
fn qualifiers(input: &mut &str) -> Result<()> {
    let within = (word("WITHIN"), value, word("SECONDS")).void();
    let repeats = (word("REPEATS"), value, word("TIMES")).void();
    let start = (word("START"), value, word("STOP"), value).void();
    repeat::<_, _, (), _, _>(1.., alt((within, repeats, start))).parse_next(input)
}

fn comparisons<'i>(depth: u8) -> impl FnMut(&mut &'i str) -> Result<Pattern> {
    move |input| {
        let all = separated(1.., comparison(depth), word("AND")).map(|parts| one_or(parts, Pattern::All));
        separated(1.., all, word("OR")).map(|parts| one_or(parts, Pattern::Any)).parse_next(input)
    }
}

fn comparison<'i>(depth: u8) -> impl FnMut(&mut &'i str) -> Result<Pattern> {
    move |input| {
        let within = |input: &mut &'i str| {
            if depth >= DEEPEST { cut_err(fail).parse_next(input) } else { comparisons(depth + 1)(input) }
        };
        alt((
            delimited(symbol('('), within, symbol(')')),
            preceded(word("EXISTS"), path).map(|path| {
                Pattern::Compare(PatternComparison { path, operator: "EXISTS".into(), values: Vec::new() })
            }),
            compare.map(Pattern::Compare),
        ))
        .parse_next(input)
    }
}

fn compare(input: &mut &str) -> Result<PatternComparison> {
    let path = path(input)?;
    let not = opt(word("NOT")).parse_next(input)?;
    let signs = delimited(multispace0, take_while(1..3, ['=', '!', '<', '>']), multispace0);
    let words = alt((word("IN"), word("LIKE"), word("MATCHES"), word("ISSUBSET"), word("ISSUPERSET")));
    let operator = alt((signs, words)).parse_next(input)?.to_ascii_uppercase();
    let operator = if not.is_some() { format!("NOT {operator}") } else { operator };
    let list = delimited(symbol('('), separated(1.., value, symbol(',')), symbol(')'));
    let values = alt((list, value.map(|value| vec![value]))).parse_next(input)?;
    Ok(PatternComparison { path, operator, values })
}

/// A type and properties of it; keys may be quoted.
fn path(input: &mut &str) -> Result<String> {
    let index = ('[', take_till(0.., ']'), ']').take().map(str::to_owned);
    preceded(multispace0, (keys, repeat(0.., alt((quoted, index, keys)))))
        .map(|(first, rest): (String, Vec<String>)| first + &rest.concat())
        .parse_next(input)
}

fn keys(input: &mut &str) -> Result<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_:.*".contains(c);
    take_while(1.., is_part).map(str::to_owned).parse_next(input)
}

/// A text in single quotes, in which a backslash keeps the next character from meaning something.
fn quoted(input: &mut &str) -> Result<String> {
    let character = alt((preceded('\\', any), one_of(|c: char| c != '\'' && c != '\\')));
    delimited('\'', repeat(0.., character), '\'').parse_next(input)
}

/// A text, a number, a truth, a time or bytes.
fn value(input: &mut &str) -> Result<String> {
    let bare = take_while(1.., |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c)).map(str::to_owned);
    let typed = preceded(opt(one_of(['t', 'b', 'h'])), quoted);
    delimited(multispace0, alt((typed, bare)), multispace0).parse_next(input)
}
