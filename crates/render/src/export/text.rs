//! Text that has to fit into the width of a terminal.

use std::io::{self, Write};

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns that a text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// `text` in at most `room` columns. What is too long loses its middle: both ends tell programs apart, the last more.
pub fn elide(text: &str, room: usize) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let room = room.saturating_sub(1);
    let head = fitting(text.chars(), room / 3);
    let tail: String = fitting(text.chars().rev(), room - width(&head)).chars().rev().collect();
    format!("{head}…{tail}")
}

/// The first characters that fit.
fn fitting(chars: impl Iterator<Item = char>, room: usize) -> String {
    let mut left = room;
    chars
        .map_while(|c| {
            left = left.checked_sub(c.width().unwrap_or(0))?;
            Some(c)
        })
        .collect()
}

/// `text` filled up with spaces, on its left for a number.
pub fn pad(text: &str, room: usize, number: bool) -> String {
    let fill = " ".repeat(room.saturating_sub(width(text)));
    if number { format!("{fill}{text}") } else { format!("{text}{fill}") }
}

/// Writes a paragraph in lines of at most `room` columns: `first` before its first line, spaces before the others.
///
/// # Errors
/// The writer's.
pub fn write_wrapped(first: &str, text: &str, room: usize, out: &mut dyn Write) -> io::Result<()> {
    let indent = " ".repeat(width(first));
    let (mut line, mut empty) = (first.to_owned(), true);
    for word in text.split(' ') {
        if !empty && width(&line) + 1 + width(word) > room {
            writeln!(out, "{}", line.trim_end())?;
            (line, empty) = (indent.clone(), true);
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    writeln!(out, "{}", line.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_loses_its_middle() {
        assert_eq!(elide("/usr/bin/curl", 13), "/usr/bin/curl");
        assert_eq!(elide("/usr/lib/firefox/firefox-bin", 16), "/usr/…irefox-bin");
        // A character that takes two columns is not cut in half.
        let wide = elide("漢字漢字漢字", 8);
        assert!(wide.contains('…') && width(&wide) <= 8, "{wide}");
        assert_eq!(elide("ab", 1), "…");
    }

    #[test]
    fn paragraphs_are_wrapped() {
        let mut out = Vec::new();
        write_wrapped("! ", "one two three four", 9, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "! one two\n  three\n  four\n");
    }
}
