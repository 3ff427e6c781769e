//! Lines for a shell, taken apart into words and put together again.

use std::ops::Range;

/// A word of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// Where it is, with its quotes.
    pub at: Range<usize>,
    /// What it means.
    pub text: String,
    /// The quote that is around all of it.
    pub quote: Option<char>,
    /// It is the first of a command.
    pub first: bool,
}

/// The words of a line. What ends a command (`;`, `|`, `&`, brackets) is between them.
pub(super) fn words(line: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut chars = line.char_indices().peekable();
    let mut first = true;
    while let Some((start, c)) = chars.peek().copied() {
        if c.is_whitespace() {
            chars.next();
            first |= c == '\n';
            continue;
        }
        if is_end(c) {
            chars.next();
            first = true;
            continue;
        }
        let (mut text, mut quote, mut end) = (String::new(), None, start);
        let outer = Some(c).filter(|c| matches!(c, '"' | '\''));
        let mut closed_at = None;
        while let Some((at, c)) = chars.peek().copied() {
            match (quote, c) {
                (None, c) if c.is_whitespace() || is_end(c) => break,
                (None, '"' | '\'') => quote = Some(c),
                (Some(open), c) if open == c => {
                    quote = None;
                    closed_at.get_or_insert(at);
                }
                (None | Some('"'), '\\') => {
                    chars.next();
                    if let Some((at, c)) = chars.peek().copied() {
                        text.push(c);
                        end = at + c.len_utf8();
                        chars.next();
                    } else {
                        end = at + 1;
                    }
                    continue;
                }
                _ => text.push(c),
            }
            end = at + c.len_utf8();
            chars.next();
        }
        let whole = closed_at.is_some_and(|at| at + 1 == end);
        words.push(Word { at: start..end, text, quote: outer.filter(|_| whole), first });
        first = false;
    }
    words
}

fn is_end(c: char) -> bool {
    matches!(c, ';' | '|' | '&' | '(' | ')' | '`' | '<' | '>')
}

/// The line with some of its words in other words.
pub(super) fn replaced(line: &str, words: &[Word], instead: &[Option<String>]) -> String {
    let mut out = String::with_capacity(line.len());
    let mut from = 0;
    for (word, new) in words.iter().zip(instead) {
        let Some(new) = new else { continue };
        out.push_str(&line[from..word.at.start]);
        out.extend(word.quote);
        out.push_str(new);
        out.extend(word.quote);
        from = word.at.end;
    }
    out.push_str(&line[from..]);
    out
}
