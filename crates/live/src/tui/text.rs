//! Text that fits: captured strings made harmless and cut by how wide they are shown.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use connmon_analysis::format;
use connmon_record::{Untrusted, display_safe};

/// Marks that may stand on one character; more would paint over the lines around.
const MARKS: usize = 2;

/// A captured string as a terminal may have it: nothing that moves the cursor, turns the direction, changes how wide its
/// neighbours are, or paints over other lines.
pub(super) fn sanitized<'a>(captured: impl Into<Untrusted<&'a str>>) -> Cow<'a, str> {
    let safe = display_safe(captured);
    if safe.is_ascii() {
        return safe;
    }
    let mut marks = 0;
    let kept = |c: char| {
        let mark = c.width() == Some(0);
        marks = if mark { marks + 1 } else { 0 };
        // Variation selectors make terminals disagree about the width.
        !matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}') && marks <= MARKS
    };
    Cow::Owned(
        safe.chars()
            .filter({
                let mut kept = kept;
                move |c| kept(*c)
            })
            .collect(),
    )
}

/// At most so many columns of a text, with a mark if there is more.
pub(super) fn cut(text: &str, width: usize) -> Cow<'_, str> {
    if text.width() <= width {
        return Cow::Borrowed(text);
    }
    let mut kept = String::new();
    for c in text.chars() {
        kept.push(c);
        if kept.width() + 1 > width {
            kept.pop();
            break;
        }
    }
    if width > 0 {
        kept.push('…');
    }
    Cow::Owned(kept)
}

/// At most so many columns of a path or an address, the end of which tells most.
pub(super) fn cut_middle(text: &str, width: usize) -> Cow<'_, str> {
    if text.width() <= width || width < 8 || !text.is_ascii() {
        return cut(text, width);
    }
    let tail = (width - 1) / 2;
    Cow::Owned(format!("{}…{}", &text[..width - 1 - tail], &text[text.len() - tail..]))
}

/// Bytes, with an ordinary space.
pub(super) fn size(bytes: u64) -> String {
    let (number, unit) = format::bytes_parts(bytes);
    format!("{number} {unit}")
}

/// Bytes a second; nothing is empty.
pub(super) fn rate(bytes: f64) -> String {
    if bytes < 0.5 { String::new() } else { format!("{}/s", size(bytes.round() as u64)) }
}

/// A number in groups of three, with ordinary spaces.
pub(super) fn number(n: u64) -> String {
    format::grouped(n).replace('\u{202f}', " ")
}

/// A number and its noun.
pub(super) fn count(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(n), if n == 1 { one } else { many })
}

/// A length of time in nanoseconds, with its greater unit only: `7s`, `12min`, `3h`, `5d`.
pub(super) fn age(ns: i64) -> String {
    let seconds = ns.max(0) / 1_000_000_000;
    match seconds {
        0..=99 => format!("{seconds}s"),
        100..=5_999 => format!("{}min", seconds / 60),
        6_000..=172_799 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captured_text_is_tamed_and_cut_by_its_width() {
        assert_eq!(sanitized("a\u{1b}[2J"), "a\\u{1b}[2J");
        assert_eq!(sanitized("a\u{202e}b\u{fe0f}"), "a\\u{202e}b");
        assert_eq!(sanitized("e\u{301}\u{302}\u{303}\u{304}x"), "e\u{301}\u{302}x");
        assert_eq!(cut("網路瀏覽器", 10), "網路瀏覽器");
        for width in 0..12 {
            assert!(cut("網路🦀瀏覽器", width).width() <= width, "{width}");
        }
        assert_eq!(cut("網路瀏覽器", 6), "網路…");
        assert_eq!(cut_middle("very-long-name.example.com", 15), "very-lo…ple.com");
        assert_eq!(
            (size(1_536), rate(0.2), rate(2_048.0)),
            ("1.50 KiB".into(), String::new(), "2.00 KiB/s".into())
        );
        assert_eq!((age(7_900_000_000), age(7_200_000_000_000)), ("7s".into(), "2h".into()));
    }
}
