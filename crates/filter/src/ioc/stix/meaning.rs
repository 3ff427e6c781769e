//! The meaning of a pattern for connections.

use super::pattern::{Pattern, PatternComparison};
use crate::ioc::indicator::sha256;
use crate::ioc::{Indicator, IndicatorValue};

/// The addresses or names that a name leads to.
const RESOLVES: &str = "domain-name:resolves_to_refs";

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
    let (mut found, mut ports, mut is_file) = (None, None, false);
    let named = parts.iter().any(is_name);
    for part in parts {
        match part {
            Pattern::Compare(comparison) if is_type(comparison) => {}
            Pattern::Compare(comparison) if is_of_file(comparison) => is_file = true,
            // What a name leads to says no more of whom a connection is with: the name is what is meant.
            part if named && is_resolution(part) => {}
            Pattern::Compare(PatternComparison { path, operator, values })
                if ports.is_none()
                    && matches!(operator.as_str(), "=" | "==" | "IN")
                    && path == "network-traffic:dst_port" =>
            {
                let port = |text: &String| text.parse::<u16>().ok().filter(|port| *port > 0);
                ports = Some(values.iter().map(port).collect::<Option<Vec<u16>>>()?);
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
    let hashes = found.iter().all(|indicator| matches!(indicator.value, IndicatorValue::Sha256(_)));
    let fits = match (is_file, &ports) {
        (true, None) => hashes,
        (false, Some(_)) => !hashes && found.iter().all(|indicator| indicator.port.is_none()),
        (false, None) => true,
        (true, Some(_)) => false,
    };
    fits.then(|| match ports {
        Some(ports) => {
            let each = |it: &Indicator| {
                ports.iter().map(|port| it.clone().with_port(Some(*port))).collect::<Vec<_>>()
            };
            found.iter().flat_map(each).collect()
        }
        None => found,
    })
}

/// Says which name it is.
fn is_name(pattern: &Pattern) -> bool {
    match pattern {
        Pattern::Compare(comparison) => comparison.path == "domain-name:value",
        Pattern::Any(parts) => parts.iter().all(is_name),
        Pattern::All(_) | Pattern::More => false,
    }
}

/// Says only what a name resolves to.
fn is_resolution(pattern: &Pattern) -> bool {
    match pattern {
        Pattern::Compare(comparison) => comparison.path.starts_with(RESOLVES),
        Pattern::Any(parts) | Pattern::All(parts) => parts.iter().all(is_resolution),
        Pattern::More => false,
    }
}

/// Says only of which type something is, which the value says too.
fn is_type(comparison: &PatternComparison) -> bool {
    comparison.path.ends_with("_ref.type") && comparison.operator == "="
}

/// Something else about a file, which its SHA-256 decides.
fn is_of_file(comparison: &PatternComparison) -> bool {
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

fn compare(
    PatternComparison { path, operator, values }: &PatternComparison,
    indicators: &mut Vec<Indicator>,
) -> bool {
    let equal = matches!(operator.as_str(), "=" | "==" | "IN");
    let network = path == "network-traffic:dst_ref.value" || path == "network-traffic:src_ref.value";
    let read: fn(&str) -> Option<Indicator> = match (path.as_str(), operator.as_str()) {
        (path, "ISSUBSET") if network || matches!(path, "ipv4-addr:value" | "ipv6-addr:value") => address,
        ("domain-name:value", "LIKE") => |value| value.strip_prefix("%.").and_then(host),
        // Whatever the object is called: producers write addresses as names, and names as URLs.
        ("domain-name:value" | "ipv4-addr:value" | "ipv6-addr:value" | "url:value", _) if equal => host,
        (path, _) if equal && (network || path.starts_with(RESOLVES) && path.ends_with("value")) => host,
        _ if equal && is_sha256(path) => {
            |value| sha256(value).map(|hash| Indicator { value: IndicatorValue::Sha256(hash), port: None })
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
    Indicator::parse(value).filter(|it| matches!(it.value, IndicatorValue::Network(_)) && it.port.is_none())
}

/// An address, a network, a name or a URL.
fn host(value: &str) -> Option<Indicator> {
    Indicator::parse(value).filter(|it| !matches!(it.value, IndicatorValue::Sha256(_)))
}

#[cfg(test)]
mod tests {
    use super::super::pattern::parse;
    use super::*;

    /// The indicators of a pattern, and whether they are all of it.
    fn indicators_of(pattern: &str) -> Option<(String, bool)> {
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
            ("[domain-name:value = '192.0.2.1']", "192.0.2.1", true),
            ("[domain-name:value = 'http://a.example/x']", "http://a.example/x", true),
            ("[url:value = 'a.example']", "a.example", true),
            ("[ipv4-addr:value = '192.0.2.1:443']", "192.0.2.1:443", true),
            (
                "[domain-name:value = 'a.example' AND domain-name:resolves_to_refs[*].value = '192.0.2.1']",
                "a.example",
                true,
            ),
            (
                "[(domain-name:resolves_to_refs[0].value = '192.0.2.1' OR domain-name:resolves_to_refs[*].value = '192.0.2.2') AND domain-name:value = 'a.example']",
                "a.example",
                true,
            ),
            ("[domain-name:resolves_to_refs[*].value = '192.0.2.1']", "192.0.2.1", true),
            (
                "[domain-name:value = 'a.example' AND network-traffic:dst_port IN (80, 443)]",
                "a.example:80 a.example:443",
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
            assert_eq!(indicators_of(pattern), Some((expected.to_owned(), all)), "{pattern}");
        }
        for key in ["'SHA-256'", "SHA256", "\"SHA-256\""] {
            let pattern = format!("[file:hashes.{key} = '{hash}' AND file:hashes.MD5 = 'x']");
            let expected = (!key.contains('"')).then(|| (hash.clone(), true));
            assert_eq!(indicators_of(&pattern), expected, "{key}");
        }
        let deep = |depth: usize| {
            format!("[{}ipv4-addr:value = '192.0.2.1'{}]", "(".repeat(depth), ")".repeat(depth))
        };
        assert_eq!(indicators_of(&deep(20)), Some(("192.0.2.1".into(), true)));
        for wrong in
            ["", "[", "[]", "[ipv4-addr:value]", "[ipv4-addr:value = 'x' OR]", &deep(33), &deep(30_000)]
        {
            assert_eq!(indicators_of(wrong), None, "{}", wrong.get(..40).unwrap_or(wrong));
        }
    }
}
