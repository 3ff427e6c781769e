//! The one sanitiser in front of every sink, for strings that came from the host or the network.

use std::borrow::Cow;
use std::fmt::Write;

/// Bytes in hexadecimal, as digests are written.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes from the kernel or procfs as text: bytes that are not UTF-8 become a visible `\xNN`.
pub fn from_bytes(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            // Writing to a String does not fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// Arguments that end with NUL each.
pub fn split_args(bytes: &[u8]) -> Vec<String> {
    if bytes.is_empty() {
        return Vec::new();
    }
    let bytes = bytes.strip_suffix(&[0]).unwrap_or(bytes);
    bytes.split(|&byte| byte == 0).map(from_bytes).collect()
}

/// `text` with what [`is_unsafe`] escaped visibly as `\u{…}`.
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unsafe(c) {
            let _ = write!(safe, "\\u{{{:x}}}", c as u32);
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

/// JSON with every such character, and `<`, as an escape of JSON's own: it reads the same, and does nothing where it stands.
pub fn json_safe(json: &str) -> String {
    // Of ASCII, JSON has no other: it escapes controls itself. Nearly all of a long line is such, and this is quick.
    if json.is_ascii() && !json.contains('<') && !json.contains('\u{7f}') {
        return json.to_owned();
    }
    let (mut safe, mut rest) = (String::with_capacity(json.len() + 16), json);
    while let Some(at) = rest.find(|c| c != '\n' && (c == '<' || is_unsafe(c))) {
        safe.push_str(&rest[..at]);
        let mut after = rest[at..].chars();
        if let Some(c) = after.next() {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(safe, "\\u{unit:04x}");
            }
        }
        rest = after.as_str();
    }
    safe.push_str(rest);
    safe
}

/// Controls, and what the Unicode Character Database calls default-ignorable, except variation selectors: they choose between forms of
/// a character that can be seen. And what is no character.
fn is_unsafe(c: char) -> bool {
    matches!(c,
        '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}'
        | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fdd0}'..='\u{fdef}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e00ff}' | '\u{e01f0}'..='\u{e0fff}')
        || (c as u32) & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::display_safe;

    /// The table of hostile texts, which each sink has to stand.
    const HOSTILE: &str =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/hostile.json"));

    #[test]
    fn hostile_text_is_escaped() {
        for case in serde_json::from_str::<Vec<serde_json::Value>>(HOSTILE).unwrap() {
            let (text, shown) = (case["text"].as_str().unwrap(), case["shown"].as_str().unwrap());
            assert_eq!(display_safe(text), shown, "{}", case["name"]);
            assert_eq!(display_safe(shown), shown, "{}", case["name"]);
            let json = json_safe(&case["text"].to_string());
            assert_eq!(display_safe(&json), json, "{}", case["name"]);
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text, "{}", case["name"]);
        }
    }

    #[test]
    fn json_stays_the_same_value() {
        let hostile = "a\u{202e}<b>\u{e0001}\u{1b}\n";
        let json = serde_json::to_string_pretty(&vec![hostile]).unwrap();
        let safe = json_safe(&json);
        assert!(!safe.contains(['\u{202e}', '<', '\u{1b}', '\u{e0001}']), "{safe}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&safe).unwrap(), [hostile]);
    }

    #[test]
    fn bytes_that_are_not_utf8_stay_visible() {
        assert_eq!(from_bytes(b"ok"), "ok");
        assert_eq!(from_bytes(b"a\xff\xfeb"), "a\\xff\\xfeb");
        assert_eq!(from_bytes(&[0xe2, 0x82]), "\\xe2\\x82");
    }
}
