//! From words to tests: what a value means for its field, and what to write instead where it means nothing.

use std::ops::Range;

use super::error::Fault;
use super::expr::{Compare, Expr, Test};
use super::fields::{self, Data, FIELDS, Field, FieldUnit, NetworkFrom, NumberField, TextField};
use super::figure::{bytes, nanoseconds};
use super::findings::{self, FindingSource};
use super::networks::{self, Networks};
use super::pattern::{Pattern, Shape, is_glob};
use super::spelling::alike;
use super::syntax::{self, Syntax, Term};
use super::value::{Form, ValueSyntax};
use connmon_record::{Service, Timestamp};
use connmon_record::{country_named, country_names};

/// The tests that a tree of words stands for. Times of the day and lengths of time refer to `now`.
pub(super) fn expr(
    syntax: &Syntax<'_>,
    now: Timestamp,
    findings: Option<FindingSource<'_>>,
) -> Result<Expr, Fault> {
    let each = |parts: &[Syntax<'_>]| {
        parts.iter().map(|part| expr(part, now, findings)).collect::<Result<Vec<_>, _>>()
    };
    Ok(match syntax {
        Syntax::All(parts) => Expr::All(each(parts)?),
        Syntax::Any(parts) => Expr::Any(each(parts)?),
        Syntax::Not(part) => Expr::Not(Box::new(expr(part, now, findings)?)),
        Syntax::Word(value) => Expr::Test(word(value)?),
        Syntax::Field(term) if findings::is_field(term.name) => {
            of_findings(term, now, &findings::evidence(term, findings)?)
        }
        Syntax::Field(term) => field(term, now)?,
    })
}

/// The tests that a test of findings stands for: those of their evidence.
fn of_findings(term: &Term<'_>, now: Timestamp, evidence: &[String]) -> Expr {
    let each = evidence.iter().filter_map(|text| of_evidence(text, now));
    let any = Expr::Any(each.collect());
    if term.operator == "!=" { Expr::Not(Box::new(any)) } else { any }
}

/// The tests of the evidence of a finding; `None` if it is of another version.
pub(super) fn of_evidence(text: &str, now: Timestamp) -> Option<Expr> {
    let tree = syntax::parse(text).ok().flatten()?;
    // A rule of the user's own may ask for findings itself: of these nothing is known here.
    expr(&tree, now, None).ok()
}

/// A word on its own.
fn word(value: &ValueSyntax<'_>) -> Result<Test, Fault> {
    Ok(match (value.form, value.text.to_ascii_lowercase().as_str()) {
        (Form::Plain, "local") => Test::Public(false),
        (Form::Plain, "public") => Test::Public(true),
        _ if value.text.is_empty() => {
            return Err(Fault::new(value.span.clone(), "these quotes are empty"));
        }
        _ => Test::Free(Pattern::new(std::slice::from_ref(value), Shape::Part)?),
    })
}

fn field(term: &Term<'_>, now: Timestamp) -> Result<Expr, Fault> {
    let Some(field) = fields::find(term.name) else { return Err(no_field(term)) };
    if let Some(value) = term.values.iter().find(|value| value.text.is_empty()) {
        return Err(Fault::new(value.span.clone(), "these quotes are empty"));
    }
    let test = Expr::Test(match &field.data {
        Data::Text(text) => Test::Text(text, pattern(field, text, term)?),
        Data::Number(number) => numbers(number, term)?,
        Data::Network(NetworkFrom::Remote) => Test::Remote(addresses(term)?),
        Data::Network(NetworkFrom::Fact(fact)) => Test::Address(fact, addresses(term)?),
        Data::Since => Test::Since(time(term, now)?),
        Data::Until => Test::Until(time(term, now)?),
    });
    Ok(if term.operator == "!=" { Expr::Not(Box::new(test)) } else { test })
}

/// An unknown field, with the known one that was meant if there is one alike.
fn no_field(term: &Term<'_>) -> Fault {
    let name = term.name.to_ascii_lowercase();
    let fault = Fault::new(term.span.clone(), format!("unknown field `{}`", term.name));
    match alike(&name, FIELDS.iter().map(|field| field.name)) {
        Some(known) => fault.hint(format!("did you mean `{known}:`?")),
        None if ["local", "public"].contains(&name.as_str()) => {
            fault.hint(format!("did you mean `{name}` alone?"))
        }
        None => {
            let names: Vec<&str> = FIELDS.iter().map(|field| field.name).collect();
            fault.hint(format!("the fields are {}; quote it to search for it as text", names.join(", ")))
        }
    }
}

/// Only equality makes sense: the field is no number.
fn only_equal(term: &Term<'_>, what: &str) -> Result<(), Fault> {
    if [":", "=", "!="].contains(&term.operator) {
        return Ok(());
    }
    let fault =
        Fault::new(operator_span(term), format!("{what} cannot be compared with `{}`", term.operator));
    Err(fault.hint(format!("write `{}:`", term.name)))
}

fn operator_span(term: &Term<'_>) -> Range<usize> {
    term.span.end..term.span.end + term.operator.len()
}

fn pattern(field: &Field, text: &TextField, term: &Term<'_>) -> Result<Pattern, Fault> {
    only_equal(term, "text")?;
    if field.name == "country" {
        let codes = term.values.iter().map(country).collect::<Result<Vec<_>, _>>()?;
        return Pattern::new(&codes, text.shape);
    }
    for value in term.values.iter().filter(|value| value.form != Form::Regex && !is_glob(value)) {
        let word = value.text.to_ascii_lowercase();
        let fault = no_value(value, field.name);
        let numbered = word.starts_with("ip-") && field.name == "proto";
        if !(field.words.is_empty() || numbered || field.words.contains(&word.as_str())) {
            return Err(match alike(&word, field.words.iter().copied()) {
                Some(known) => fault.hint(format!("did you mean `{known}`?")),
                None => fault.hint(format!("it is one of {}", field.words.join(", "))),
            });
        }
    }
    let shape = if term.operator == ":" { text.shape } else { Shape::Whole };
    Pattern::new(&term.values, shape)
}

fn no_value(value: &ValueSyntax<'_>, field: &str) -> Fault {
    Fault::new(value.span.clone(), format!("`{}` is not a value of `{field}:`", value.text))
}

/// A country by its code: names are understood too.
fn country<'a>(value: &ValueSyntax<'a>) -> Result<ValueSyntax<'a>, Fault> {
    let is_code = value.text.len() == 2 && value.text.bytes().all(|c| c.is_ascii_alphabetic());
    if value.form == Form::Regex || is_glob(value) || is_code {
        return Ok(value.clone());
    }
    if let Some(code) = country_named(&value.text) {
        return Ok(ValueSyntax { text: code.into(), ..value.clone() });
    }
    let word = value.text.to_lowercase();
    // The first word of a name that ended at its blank.
    let is_first = |name: &&str| name.strip_prefix(&word).is_some_and(|rest| rest.starts_with(' '));
    let mut longer: Vec<String> =
        country_names().filter(is_first).map(|name| format!("`\"{name}\"`")).collect();
    longer.sort_unstable();
    Err(no_value(value, "country").hint(match (longer.is_empty(), alike(&word, country_names())) {
        (false, _) => format!("a name of several words is written in quotes: {}", longer.join(", ")),
        (true, Some(known)) => format!("did you mean `{known}`?"),
        (true, None) => "a country is a two-letter code, such as DE, or a name, such as Germany".into(),
    }))
}

fn numbers(number: &'static NumberField, term: &Term<'_>) -> Result<Test, Fault> {
    let compare = match term.operator {
        "<" => Compare::Less,
        "<=" => Compare::AtMost,
        ">" => Compare::Greater,
        ">=" => Compare::AtLeast,
        _ => Compare::Equal,
    };
    if let (true, Some(second)) = (compare != Compare::Equal, term.values.get(1)) {
        return Err(Fault::new(
            second.span.clone(),
            format!("`{}` compares with a single value", term.operator),
        ));
    }
    let mut values = Vec::new();
    for value in &term.values {
        match (number.unit, Service::ports_of(&value.text)) {
            (FieldUnit::Port, [_, _, ..]) if compare != Compare::Equal => {
                let fault = Fault::new(value.span.clone(), format!("`{}` has several ports", value.text));
                return Err(fault.hint("compare with a number"));
            }
            (FieldUnit::Port, ports @ [_, ..]) => values.extend(ports.iter().map(|port| i64::from(*port))),
            _ => values.push(self::number(value, number.unit)?),
        }
    }
    Ok(Test::Number(number, compare, values))
}

fn number(value: &ValueSyntax<'_>, unit: FieldUnit) -> Result<i64, Fault> {
    let text = value.text.as_ref();
    let digits =
        |text: &str| text.parse::<i64>().ok().filter(|_| text.starts_with(|c: char| c.is_ascii_digit()));
    let (found, hint) = match unit {
        FieldUnit::Plain(most) => {
            (digits(text).filter(|number| *number <= most), format!("write a number up to {most}"))
        }
        FieldUnit::Asn => {
            let number =
                text.get(..2).filter(|start| start.eq_ignore_ascii_case("as")).map_or(text, |_| &text[2..]);
            (
                digits(number).filter(|number| *number <= u32::MAX.into()),
                "write it as 15169 or AS15169".into(),
            )
        }
        FieldUnit::Port => {
            let hint = match alike(&text.to_lowercase(), Service::names()) {
                Some(known) if !text.starts_with(|c: char| c.is_ascii_digit()) => {
                    format!("did you mean `{known}`?")
                }
                _ => "write a number up to 65535, or the name of a service, such as https".into(),
            };
            (digits(text).filter(|number| *number <= u16::MAX.into()), hint)
        }
        FieldUnit::Bytes => (bytes(text), "write bytes as 1500, 10k, 1.5M or 4Gi".into()),
        FieldUnit::Time => (nanoseconds(text), "write a duration as 250ms, 30s, 10m, 1h30m or 2d".into()),
    };
    found.ok_or_else(|| Fault::new(value.span.clone(), format!("`{text}` is not valid here")).hint(hint))
}

fn addresses(term: &Term<'_>) -> Result<Networks, Fault> {
    only_equal(term, "an address")?;
    let each = term.values.iter().map(|value| {
        networks::network(&value.text).map_err(|error| {
            Fault::new(value.span.clone(), error.to_string())
                .hint("write 8.8.8.8, 10.0.0.0/8 or 2001:db8::/32")
        })
    });
    Ok(Networks::new(&each.collect::<Result<Vec<_>, _>>()?))
}

fn time(term: &Term<'_>, now: Timestamp) -> Result<Timestamp, Fault> {
    if term.operator != ":" {
        let fault = Fault::new(operator_span(term), "a time follows a colon");
        return Err(fault.hint(format!("write `{}:`", term.name)));
    }
    if let Some(second) = term.values.get(1) {
        return Err(Fault::new(second.span.clone(), format!("`{}:` takes a single time", term.name)));
    }
    let value = &term.values[0];
    Timestamp::parse(&value.text, now).map_err(|_| {
        Fault::new(value.span.clone(), format!("`{}` is not a valid time", value.text))
            .hint("write 2026-01-31T14:02:00Z, 2026-01-31, 14:02, yesterday or 2h (ago)")
    })
}
