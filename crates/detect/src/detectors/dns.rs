//! What the detectors of DNS have in common: domains, and how random a text looks.

use connmon_record::Lookup;
use sha2::{Digest, Sha256};

use crate::draft::View;

/// Second-level names under which countries give out domains.
const SECOND: [&str; 12] = ["co", "com", "org", "net", "gov", "edu", "ac", "go", "or", "ne", "gob", "nom"];
const VOWELS: &[u8] = b"aeiouy";

/// The registered domain of a name, and what is below it; `None` for names of one part, of this host's network, and of addresses.
pub(super) fn split(name: &str) -> Option<(&str, &str)> {
    let name = name.trim_end_matches('.');
    let dots: Vec<usize> = name.match_indices('.').map(|(at, _)| at).collect();
    let (last, before) = (*dots.last()?, dots.len().checked_sub(2).map(|nth| dots[nth]));
    let (top, second) = (&name[last + 1..], &name[before.map_or(0, |at| at + 1)..last]);
    if ["arpa", "local", "lan", "home", "internal", "localdomain"].contains(&top) {
        return None;
    }
    let is_country = top.len() == 2 && SECOND.contains(&second);
    let parts = if is_country { 3 } else { 2 };
    let at = dots.len().checked_sub(parts).map(|nth| dots[nth]);
    if is_country && before.is_none() {
        return None;
    }
    Some(at.map_or((name, ""), |at| (&name[at + 1..], &name[..at])))
}

/// Bits per character.
pub(super) fn entropy(text: &str) -> f64 {
    let mut counts = [0_u32; 256];
    text.bytes().for_each(|byte| counts[usize::from(byte)] += 1);
    let all = text.len() as f64;
    let bits = counts.iter().filter(|count| **count > 0).map(|count| {
        let share = f64::from(*count) / all;
        -share * share.log2()
    });
    bits.sum()
}

/// Whether a part of a name looks as if a program had rolled dice: long, and few vowels, consonants in a row, or digits among letters.
pub(super) fn looks_random(part: &str) -> bool {
    let text = part.as_bytes();
    if text.len() < 8 || part.starts_with("xn--") {
        return false;
    }
    let letters = text.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    let vowels = text.iter().filter(|byte| VOWELS.contains(&byte.to_ascii_lowercase())).count();
    let digits = text.iter().filter(|byte| byte.is_ascii_digit()).count();
    let (mut run, mut longest) = (0, 0);
    for byte in text {
        let is_consonant = byte.is_ascii_alphabetic() && !VOWELS.contains(&byte.to_ascii_lowercase());
        run = if is_consonant { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let few_vowels = letters >= 6 && vowels * 5 < letters;
    let mixed = digits >= 3 && letters >= 3;
    few_vowels || mixed || longest >= 5
}

/// A number for a name, of which nobody can choose two with the same.
pub(super) fn number_of(name: &str) -> u64 {
    let digest = Sha256::digest(name);
    digest[..8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// What the program that asked is known by; a resolver that asks for all is one of them.
pub(super) fn asker<'a>(lookup: &'a Lookup, view: View<'a>) -> &'a str {
    lookup.process.as_deref().map_or("", |process| view.world.key_of(process))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains() {
        for (name, expected) in [
            ("a.b.example.org", Some(("example.org", "a.b"))),
            ("example.org.", Some(("example.org", ""))),
            ("x.example.co.uk", Some(("example.co.uk", "x"))),
            ("example.co.uk", Some(("example.co.uk", ""))),
            ("co.uk", None),
            ("printer.lan", None),
            ("4.3.2.1.in-addr.arpa", None),
            ("localhost", None),
            ("", None),
        ] {
            assert_eq!(split(name), expected, "{name}");
        }
    }

    #[test]
    fn random_texts() {
        for text in ["xkqjzvbwpt", "q8r2k9x1m4", "hgfdkstrwqa", "bcdfghjk"] {
            assert!(looks_random(text), "{text}");
        }
        for text in [
            "download",
            "wikipedia",
            "cloudfront",
            "securityupdates",
            "mail",
            "newyorktimes",
            "xn--bcher-kva",
        ] {
            assert!(!looks_random(text), "{text}");
        }
        assert_eq!((entropy("aaaa"), entropy("abcd")), (0.0, 2.0));
    }
}
