//! Undoing what keeps people from following an indicator by accident ("defanged" as in `1.2.3[.]4` or `hxxp://`).

use std::borrow::Cow;

/// Brackets that are put around, or on one side of, what would make a link.
const BRACKETS: [(char, char); 4] = [('[', ']'), ('(', ')'), ('{', '}'), ('<', '>')];
/// What is found in them, in lower case, and what it means.
const WITHIN: [(&str, &str); 11] = [
    (".", "."),
    ("dot", "."),
    ("d", "."),
    (",", "."),
    (":", ":"),
    ("://", "://"),
    (":/", ":/"),
    ("/", "/"),
    ("//", "//"),
    ("@", "@"),
    ("at", "@"),
];

/// Brackets within brackets that are undone; a text that has more of them stays as it is.
const NESTED: usize = 8;

/// A text with everything undone that makes an indicator harmless.
pub(super) fn refanged(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    if text.contains(['[', '(', '{', '<', '\\', ']']) {
        text = whole(&text).map_or(text, Cow::Owned);
    }
    if let Some(rest) = after_scheme(&text) {
        text = rest.into();
    }
    text
}

/// The text without brackets around dots, colons and so on, so that nothing would change if it were read again.
fn whole(text: &str) -> Option<String> {
    let mut plain = unbracketed(text);
    for _ in 0..NESTED {
        let next = unbracketed(&plain);
        if next == plain {
            return Some(plain);
        }
        plain = next;
    }
    None
}

/// Brackets around dots, colons and so on taken away.
fn unbracketed(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let after = &rest[first.len_utf8()..];
        if let Some((meant, tail)) = bracketed(first, after) {
            plain.push_str(meant);
            rest = tail;
        } else if first == '[' && after.starts_with('.') {
            // Half a bracket is enough to break a link: `example[.com`, `example.]com`.
            rest = after;
        } else if first == '.' && after.starts_with(']') {
            plain.push('.');
            rest = &after[1..];
        } else if first == '\\' && after.starts_with(['.', ':', '/']) {
            rest = after;
        } else {
            plain.push(first);
            rest = after;
        }
    }
    plain.replace(":\\\\", "://")
}

/// The meaning of a bracket and the text after it, and the rest behind both.
fn bracketed(first: char, after: &str) -> Option<(&'static str, &str)> {
    let (_, close) = BRACKETS.iter().find(|(open, _)| *open == first)?;
    WITHIN.iter().find_map(|(within, meant)| {
        let found = after.get(..within.len()).filter(|found| found.eq_ignore_ascii_case(within))?;
        after[found.len()..].strip_prefix(*close).map(|tail| (*meant, tail))
    })
}

/// The text with a scheme that is one; `None` if it had none that was made harmless: `hxxp`, `h**p`, `htxp`, `fxp`, `meow`.
fn after_scheme(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let lower = scheme.to_ascii_lowercase();
    let middle = lower.strip_prefix('h').and_then(|rest| rest.strip_suffix('s').or(Some(rest)));
    let middle = middle.and_then(|rest| rest.strip_suffix('p')).unwrap_or_default();
    let http = middle.chars().count() == 2 && middle.chars().all(|c| matches!(c, 'x' | 't' | '*' | '_'));
    let scheme = match lower.as_str() {
        "http" | "https" => return None,
        "meow" => "http",
        "meows" => "https",
        "fxp" => "ftp",
        _ if http && lower.ends_with('s') => "https",
        _ if http => "http",
        _ => return None,
    };
    Some(format!("{scheme}://{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_harmless_means_what_it_meant() {
        for (text, expected) in [
            ("1.2.3[.]4", "1.2.3.4"),
            ("1[.]2[.]3[.]4", "1.2.3.4"),
            ("192(.)0{.}2[dot]1", "192.0.2.1"),
            ("evil[D]example[DOT]org", "evil.example.org"),
            ("evil<.>example", "evil.example"),
            ("evil[.example", "evil.example"),
            ("evil.]example", "evil.example"),
            ("evil\\.example", "evil.example"),
            ("hxxps://evil[.]example/a", "https://evil.example/a"),
            ("hXXp[:]//evil.example", "http://evil.example"),
            ("hxxp[://]evil.example", "http://evil.example"),
            ("hxxp[:/]/evil.example", "http://evil.example"),
            ("hxxp[:]//evil[.]example[/]a", "http://evil.example/a"),
            ("hxxp:\\\\evil.example", "http://evil.example"),
            ("h**p://evil.example", "http://evil.example"),
            ("htxp://evil.example", "http://evil.example"),
            ("meow://evil.example", "http://evil.example"),
            ("fxp://evil.example", "ftp://evil.example"),
            ("me[@]evil.example", "me@evil.example"),
            ("[2001:db8::1]:443", "[2001:db8::1]:443"),
            ("http://[2001:db8::1]/x", "http://[2001:db8::1]/x"),
            ("https://evil.example/(a)[b]", "https://evil.example/(a)[b]"),
            ("evil[[.]]example", "evil.example"),
            ("evil.example/.]]", "evil.example/."),
            ("evil.example/[:[/]/]", "evil.example/://"),
            ("evil.[[[[[[[[[[.example", "evil.[[[[[[[[[[.example"),
            ("plain", "plain"),
            ("é[", "é["),
        ] {
            assert_eq!(refanged(text), expected, "{text}");
        }
    }
}
