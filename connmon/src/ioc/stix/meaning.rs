//! What a pattern means for connections.

use super::pattern::{Comparison, Pattern};
use crate::ioc::indicator::sha256;
use crate::ioc::{Indicator, What};

/// Adds the indicators of a pattern, and says whether they are all of it. What is left out of an `OR` only makes the
/// pattern fit less often; what is left out of an `AND` would make it fit too often, so then nothing is added.
pub(super) fn take(pattern: &Pattern, indicators: &mut Vec<Indicator>) -> bool {
    match pattern {
        Pattern::More => false,
        Pattern::Any(parts) => {
            // All of them, also after one that is not taken whole.
            let whole = parts.iter().filter(|part| take(part, indicators)).count();
            whole == parts.len()
        }
        Pattern::All(parts) => both(parts).map(|found| indicators.extend(found)).is_some(),
        Pattern::Compare(comparison) => compare(comparison, indicators),
    }
}

/// The indicators of a conjunction: of one thing, with a port or with what its hash decides already.
fn both(parts: &[Pattern]) -> Option<Vec<Indicator>> {
    let (mut found, mut port, mut is_file) = (None, None, false);
    for part in parts {
        match part {
            Pattern::Compare(comparison) if is_type(comparison) => {}
            Pattern::Compare(comparison) if is_of_file(comparison) => is_file = true,
            Pattern::Compare(Comparison { path, operator, values })
                if port.is_none() && operator == "=" && path == "network-traffic:dst_port" =>
            {
                port = Some(values.first()?.parse::<u16>().ok().filter(|port| *port > 0)?);
            }
            part => {
                let mut of_part = Vec::new();
                if found.is_some() || !take(part, &mut of_part) {
                    return None;
                }
                found = Some(of_part);
            }
        }
    }
    let found = found?;
    let hashes = found.iter().all(|indicator| matches!(indicator.what, What::Sha256(_)));
    let fits = match (is_file, port) {
        (true, None) => hashes,
        (false, Some(_)) => !hashes && found.iter().all(|indicator| indicator.port.is_none()),
        (false, None) => true,
        (true, Some(_)) => false,
    };
    fits.then(|| match port {
        Some(_) => found.into_iter().map(|indicator| indicator.with_port(port)).collect(),
        None => found,
    })
}

/// Says only of which type something is, which the value says too.
fn is_type(comparison: &Comparison) -> bool {
    comparison.path.ends_with("_ref.type") && comparison.operator == "="
}

/// Something else about a file, which its SHA-256 decides.
fn is_of_file(comparison: &Comparison) -> bool {
    let path = comparison.path.as_str();
    let other_hash = path.starts_with("file:hashes.") && !is_sha256(path);
    comparison.operator == "=" && (other_hash || matches!(path, "file:name" | "file:size"))
}

fn is_sha256(path: &str) -> bool {
    let key = path.rsplit('.').next().unwrap_or_default();
    let owner = path.strip_suffix(key).unwrap_or_default();
    let is_executable =
        matches!(owner, "file:hashes." | "process:binary_ref.hashes." | "process:image_ref.hashes.");
    is_executable && ["SHA-256", "SHA256"].iter().any(|name| key.eq_ignore_ascii_case(name))
}

fn compare(Comparison { path, operator, values }: &Comparison, indicators: &mut Vec<Indicator>) -> bool {
    let equal = matches!(operator.as_str(), "=" | "==" | "IN");
    let read: fn(&str) -> Option<Indicator> = match (path.as_str(), operator.as_str()) {
        (
            "ipv4-addr:value"
            | "ipv6-addr:value"
            | "network-traffic:dst_ref.value"
            | "network-traffic:src_ref.value",
            "ISSUBSET",
        ) => address,
        ("ipv4-addr:value" | "ipv6-addr:value", _) if equal => address,
        ("network-traffic:dst_ref.value" | "network-traffic:src_ref.value", _) if equal => {
            |value| address(value).or_else(|| name(value))
        }
        ("domain-name:value", _) if equal => name,
        ("domain-name:value", "LIKE") => |value| value.strip_prefix("%.").and_then(name),
        ("url:value", _) if equal => {
            |value| Indicator::parse(value).filter(|it| matches!(it.what, What::Url(..)))
        }
        _ if equal && is_sha256(path) => {
            |value| sha256(value).map(|hash| Indicator { what: What::Sha256(hash), port: None })
        }
        _ => return false,
    };
    values.iter().fold(true, |all, value| match read(value) {
        Some(indicator) => {
            indicators.push(indicator);
            all
        }
        None => false,
    })
}

fn address(value: &str) -> Option<Indicator> {
    Indicator::parse(value).filter(|it| matches!(it.what, What::Network(_)) && it.port.is_none())
}

fn name(value: &str) -> Option<Indicator> {
    Indicator::parse(value).filter(|it| matches!(it.what, What::Name(_)) && it.port.is_none())
}

#[cfg(test)]
mod tests {
    use super::super::pattern::parse;
    use super::*;

    /// The indicators of a pattern, and whether they are all of it.
    fn of(pattern: &str) -> Option<(String, bool)> {
        let mut indicators = Vec::new();
        let all = take(&parse(pattern)?, &mut indicators);
        Some((indicators.iter().map(Indicator::to_string).collect::<Vec<_>>().join(" "), all))
    }

    #[test]
    fn patterns() {
        let hash = "a".repeat(64);
        for (pattern, expected, all) in [
            ("[ipv4-addr:value = '198.51.100.1']", "198.51.100.1", true),
            ("[ ipv4-addr:value='198.51.100.0/24' ]", "198.51.100.0/24", true),
            ("[ipv6-addr:value IN ('2001:db8::1', '2001:db8::/32')]", "2001:db8::1 2001:db8::/32", true),
            (
                "[network-traffic:dst_ref.value = 'C2.example' AND network-traffic:dst_port = 443]",
                "c2.example:443",
                true,
            ),
            (
                "[network-traffic:dst_ref.type = 'ipv4-addr' and network-traffic:dst_ref.value = '192.0.2.1']",
                "192.0.2.1",
                true,
            ),
            (
                "[domain-name:value = 'a.example'] OR [url:value = 'http://b.example/x?y']",
                "a.example http://b.example/x?y",
                true,
            ),
            ("[domain-name:value LIKE '%.a.example']", "a.example", true),
            ("[ipv4-addr:value ISSUBSET '10.0.0.0/8']", "10.0.0.0/8", true),
            ("[ipv4-addr:value = '192.0.2.1' OR file:hashes.MD5 = 'x']", "192.0.2.1", false),
            ("[file:hashes.MD5 = 'x']", "", false),
            ("[ipv4-addr:value != '192.0.2.1']", "", false),
            ("[ipv4-addr:value NOT = '192.0.2.1']", "", false),
            ("[ipv4-addr:value = '192.0.2.1' AND domain-name:value = 'a.example']", "", false),
            ("[ipv4-addr:value = '192.0.2.1'] AND [domain-name:value = 'a.example']", "", false),
            ("[ipv4-addr:value = '192.0.2.1'] FOLLOWEDBY [ipv4-addr:value = '192.0.2.2']", "", false),
            ("[ipv4-addr:value = '192.0.2.1'] REPEATS 5 TIMES WITHIN 10 SECONDS", "", false),
            (
                "([ipv4-addr:value = '192.0.2.1'] OR [ipv4-addr:value = '192.0.2.2'])",
                "192.0.2.1 192.0.2.2",
                true,
            ),
            (
                "[(ipv4-addr:value = '192.0.2.1' OR ipv4-addr:value = '192.0.2.2') AND network-traffic:dst_port = 80]",
                "192.0.2.1:80 192.0.2.2:80",
                true,
            ),
            ("[EXISTS ipv4-addr:value]", "", false),
            (r"[domain-name:value = 'it\'s']", "", false),
        ] {
            assert_eq!(of(pattern), Some((expected.to_owned(), all)), "{pattern}");
        }
        for key in ["'SHA-256'", "SHA256", "\"SHA-256\""] {
            let pattern = format!("[file:hashes.{key} = '{hash}' AND file:hashes.MD5 = 'x']");
            let expected = (!key.contains('"')).then(|| (hash.clone(), true));
            assert_eq!(of(&pattern), expected, "{key}");
        }
        let deep = |depth: usize| {
            format!("[{}ipv4-addr:value = '192.0.2.1'{}]", "(".repeat(depth), ")".repeat(depth))
        };
        assert_eq!(of(&deep(20)), Some(("192.0.2.1".into(), true)));
        for wrong in
            ["", "[", "[]", "[ipv4-addr:value]", "[ipv4-addr:value = 'x' OR]", &deep(33), &deep(30_000)]
        {
            assert_eq!(of(wrong), None, "{}", wrong.get(..40).unwrap_or(wrong));
        }
    }
}
