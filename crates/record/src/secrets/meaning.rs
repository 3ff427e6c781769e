//! The meaning of a program's option for the arguments after it and for the rest of its own argument.

use super::clients::{How, Secret};
use super::names::is_reference;
use super::{BLOT, is_pair};

/// curl's options of one letter that take no value.
const CURL_FLAGS: &str = "0123456789#aBfGgIiJjkLlMNnOpqRSsVvZ";
/// Options of one dash that are words.
const WORDS: [&str; 7] = ["-password", "-passwd", "-pass", "-passphrase", "-pwd", "-token", "-secret"];
/// The meaning of the next arguments.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Pending {
    None,
    /// A secret, unless it is an option.
    Secret,
    /// A secret if it has this character.
    Pair(char),
    /// A secret after so many others.
    After(usize),
    /// Secrets, all of them.
    Rest,
    /// Secrets up to the next option.
    Many,
    /// Two secrets.
    Two,
    /// Names, each with a value that is a secret.
    Values,
    /// A secret whose option often has the place of a file.
    NoPath,
    /// The same, and its option often has a number or a port.
    NoNumber,
    /// A secret if it looks like one that a machine made.
    Made,
    /// No secret, whatever it looks like.
    Plain,
}

/// The meaning of an argument to a program.
pub(super) enum Meaning {
    /// It says what follows.
    Next(Pending),
    /// It has a secret; this is the rest of it.
    Blotted(String),
    /// It has none, whatever it looks like.
    Kept,
    /// Nothing special.
    Other,
}

/// The value that an argument gives an option; empty if it is the next argument.
pub(super) fn with_value<'a>(arg: &'a str, option: &str) -> Option<&'a str> {
    let rest = arg.strip_prefix(option)?;
    let short = option.len() == 2 && !option.starts_with("--");
    match rest.strip_prefix('=') {
        Some(value) => Some(value).filter(|value| !value.is_empty()),
        None => Some(rest).filter(|rest| rest.is_empty() || short),
    }
}

/// The meaning of an argument, if it is this option.
pub(super) fn meaning_of(secret: &Secret, arg: &str) -> Option<Meaning> {
    let option = secret.option;
    let blotted = |value: &str| Meaning::Blotted(format!("{}{BLOT}", &arg[..arg.len() - value.len()]));
    match secret.how {
        How::Never => match arg.strip_prefix(option)? {
            "" => Some(Meaning::Next(Pending::Plain)),
            rest => rest.starts_with('=').then_some(Meaning::Kept),
        },
        How::Flag => (arg == option).then_some(Meaning::Next(Pending::None)),
        How::Word(nth) => (arg == option).then_some(Meaning::Next(Pending::After(nth - 1))),
        How::Rest => (arg == option).then_some(Meaning::Next(Pending::Rest)),
        How::Two => (arg == option).then_some(Meaning::Next(Pending::Two)),
        How::Values => (arg == option).then_some(Meaning::Next(Pending::Values)),
        How::Prefix => {
            let begins = |at: &usize| *at == 0 || arg[..*at].ends_with([',', ':', '=', ' ']);
            let at = arg.match_indices(option).map(|(at, _)| at).find(begins)? + option.len();
            let end = arg[at..].find(',').map_or(arg.len(), |end| at + end);
            (end > at).then(|| Meaning::Blotted(format!("{}{BLOT}{}", &arg[..at], &arg[end..])))
        }
        How::Behind(nth) => arg.starts_with(option).then_some(Meaning::Next(Pending::After(nth - 1))),
        How::Colon => {
            let (name, secret) = arg.split_once(':').filter(|_| !arg.starts_with('-') && is_pair(arg))?;
            (!name.is_empty() && !secret.is_empty()).then(|| Meaning::Blotted(format!("{name}:{BLOT}")))
        }
        How::Code => is_code(arg).then(|| Meaning::Blotted(BLOT.to_owned())),
        How::Fragment => {
            let (_, fragment) = arg.split_once('#').filter(|(before, _)| before.contains("://"))?;
            let (name, secret) = fragment.split_once(':').filter(|(_, secret)| !secret.is_empty())?;
            Some(Meaning::Blotted(format!(
                "{}{name}:{BLOT}",
                &arg[..arg.len() - name.len() - 1 - secret.len()]
            )))
        }
        How::Login => {
            let (domain, rest) = arg.split_once('/').filter(|_| !arg.starts_with('-'))?;
            let (name, secret) = rest.split_once(':').filter(|(_, secret)| !secret.is_empty())?;
            let at = secret.rfind('@').unwrap_or(secret.len());
            Some(Meaning::Blotted(format!("{domain}/{name}:{BLOT}{}", &secret[at..])))
        }
        How::Slash => {
            let (user, rest) = arg
                .split_once('/')
                .filter(|(user, _)| !user.is_empty() && !user.contains(['=', '.', '@']))?;
            let (password, place) =
                rest.rsplit_once('@').map_or((rest, ""), |(password, _)| (password, &rest[password.len()..]));
            let some = !password.is_empty() && !user.starts_with('-') && !password.contains('/');
            some.then(|| Meaning::Blotted(format!("{user}/{BLOT}{place}")))
        }
        How::Pair(mark) => match with_value(arg, option)? {
            "" => Some(Meaning::Next(Pending::Pair(mark))),
            value => value.contains(mark).then(|| blotted(value)),
        },
        How::Next => match arg.strip_prefix(option)? {
            "" => Some(Meaning::Next(Pending::Secret)),
            rest => rest.strip_prefix('=').filter(|value| !value.is_empty()).map(blotted),
        },
        How::Attached => match arg.strip_prefix(option)? {
            "" => None,
            value => (!value.starts_with('-')).then(|| blotted(value)),
        },
        // A word behind one dash is an option of its own.
        How::Both | How::Many if WORDS.contains(&arg) => None,
        How::Both | How::Many => match with_value(arg, option)? {
            "" if secret.how == How::Many => Some(Meaning::Next(Pending::Many)),
            "" => Some(Meaning::Next(Pending::Secret)),
            value => (!value.starts_with('-')).then(|| blotted(value)),
        },
    }
}

/// A code that two people tell each other: `7-crossover-clockwork`.
fn is_code(arg: &str) -> bool {
    let Some((number, words)) = arg.split_once('-') else { return false };
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase());
    !number.is_empty()
        && number.chars().all(|c| c.is_ascii_digit())
        && words.contains('-')
        && words.split('-').all(is_word)
}

/// curl's options in one argument, such as `-su NAME:PASSWORD`: the first that takes a value, where it begins, and the value
/// if it is not the next argument.
pub(super) fn of_bundle(arg: &str) -> Option<(char, usize, &str)> {
    let letters = arg.strip_prefix('-').filter(|rest| !rest.starts_with('-'))?;
    let (at, letter) = letters.char_indices().find(|(_, letter)| !CURL_FLAGS.contains(*letter))?;
    let value = at + letter.len_utf8();
    Some((letter, value + 1, &letters[value..]))
}

/// `PASS …` of FTP, as curl sends it for `-Q` and `--quote`; without what follows.
pub(super) fn ftp_password(arg: &str) -> Option<String> {
    let line = arg.strip_prefix("--quote=").or_else(|| arg.strip_prefix("-Q")).unwrap_or(arg);
    let word = line.trim_start_matches(['-', '+', '*']).split_whitespace().next()?;
    let rest = line.split_once(word)?.1.trim_start();
    let some = word.eq_ignore_ascii_case("pass") && !rest.is_empty();
    some.then(|| format!("{}{BLOT}", &arg[..arg.len() - rest.len()]))
}

/// What a command prints that an option says prints a password, in the same argument or behind it; without that.
pub(super) fn printed(arg: &str, last: &str) -> Option<String> {
    let (option, line) = match arg.split_once('=').filter(|(name, _)| !name.contains(char::is_whitespace)) {
        Some(named) => named,
        None => (last, arg),
    };
    let plain: String = option.chars().filter(char::is_ascii_alphanumeric).collect();
    let plain = plain.to_ascii_lowercase();
    let secret = ["pass", "token", "secret"].iter().any(|part| plain.contains(part));
    let prints = ["command", "cmd", "eval", "program"].iter().any(|end| plain.ends_with(end));
    let words = ["echo ", "printf "].iter().find_map(|start| line.strip_prefix(start))?.trim();
    let some = secret && prints && !words.is_empty() && !is_reference(words);
    some.then(|| {
        format!(
            "{}{BLOT}",
            &arg[..arg.len() - line.trim_start().len() + line.find(words).unwrap_or_default()]
        )
    })
}
