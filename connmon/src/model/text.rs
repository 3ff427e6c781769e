//! The one sanitiser in front of every sink, for strings that came from the host or the network.

use std::borrow::Cow;
use std::fmt::Write;

use super::Untrusted;

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

/// `text` with every character that could change how its surroundings are shown escaped visibly as `\u{…}`.
///
/// Covered: C0 and C1 controls, DEL, line and paragraph separators, the bidirectional controls, invisible
/// formatting characters and non-characters. Markup is escaped by each sink itself.
pub fn display_safe<'a>(text: impl Into<Untrusted<&'a str>>) -> Cow<'a, str> {
    let text = text.into().text();
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
    let mut safe = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if c != '\n' && (is_unsafe(c) || c == '<') {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(safe, "\\u{unit:04x}");
            }
        } else {
            safe.push(c);
        }
    }
    safe
}

fn is_unsafe(c: char) -> bool {
    matches!(c,
        '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{61c}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fdd0}'..='\u{fdef}' | '\u{e0000}'..='\u{e007f}')
        || (c as u32) & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_escaped() {
        for (hostile, shown) in [
            ("plain ünïcode 漢", "plain ünïcode 漢"),
            ("\u{1b}[31m", "\\u{1b}[31m"),
            ("a\u{202e}b", "a\\u{202e}b"),
            ("a\0b\n", "a\\u{0}b\\u{a}"),
            ("\u{feff}\u{ffff}\u{1fffe}", "\\u{feff}\\u{ffff}\\u{1fffe}"),
            ("soft\u{ad}hyphen\u{200b}", "soft\\u{ad}hyphen\\u{200b}"),
        ] {
            assert_eq!(display_safe(hostile), shown);
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
