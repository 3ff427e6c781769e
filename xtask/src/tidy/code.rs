//! Rust source as the rules look at it: comments, the contents of strings, and test modules blanked out, every
//! line where it was.

/// A place that breaks a rule.
#[derive(Debug, PartialEq)]
pub struct Finding {
    /// The line, counted from one.
    pub line: usize,
    /// What is wrong.
    pub rule: String,
}

/// `text` with comments and the contents of literals replaced by spaces.
pub fn without_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let len = literal(rest, out.chars().next_back()).unwrap_or(0);
        if len == 0 {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            blank(&rest[..len], &mut out);
            rest = &rest[len..];
        }
    }
    out
}

/// Spaces for everything but line ends.
fn blank(text: &str, out: &mut String) {
    out.extend(text.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
}

/// The length of the comment or literal that `rest` begins with.
fn literal(rest: &str, before: Option<char>) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(block_comment(rest));
    }
    if let Some(inner) = rest.strip_prefix('"') {
        return Some(1 + quoted(inner, '"'));
    }
    if rest.starts_with('\'') {
        return character(rest);
    }
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if in_word { None } else { raw_string(rest) }
}

/// The length of a block comment; they nest.
fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        let tail = &rest.as_bytes()[at..];
        let step = if tail.starts_with(b"/*") {
            depth += 1;
            2
        } else if tail.starts_with(b"*/") {
            depth -= 1;
            2
        } else {
            1
        };
        at += step;
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// The length up to and with the closing quote, escapes passed over.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices() {
        if !escaped && c == quote {
            return at + 1;
        }
        escaped = !escaped && c == '\\';
    }
    rest.len()
}

/// The length of a character literal; a lifetime is none.
fn character(rest: &str) -> Option<usize> {
    let mut chars = rest.chars().skip(1);
    let (first, second) = (chars.next()?, chars.next()?);
    (first == '\\' || second == '\'').then(|| 1 + quoted(&rest[1..], '\''))
}

/// The length of `r"…"`, `r#"…"#`, also as bytes or C string.
fn raw_string(rest: &str) -> Option<usize> {
    let prefix = ["r", "br", "cr"].into_iter().find(|prefix| {
        rest.strip_prefix(prefix).is_some_and(|tail| tail.trim_start_matches('#').starts_with('"'))
    })?;
    let hashes = rest[prefix.len()..].chars().take_while(|c| *c == '#').count();
    let open = prefix.len() + hashes + 1;
    let close = format!("\"{}", "#".repeat(hashes));
    Some(rest[open..].find(&close).map_or(rest.len(), |at| open + at + close.len()))
}

/// `code` with the bodies of `#[cfg(test)]` items replaced by spaces. `code` has no text any more.
pub fn without_tests(code: &str) -> String {
    let mut out = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find("#[cfg(test)]") {
        out.push_str(&rest[..at]);
        let end = item_end(&rest[at..]);
        blank(&rest[at..at + end], &mut out);
        rest = &rest[at + end..];
    }
    out.push_str(rest);
    out
}

/// The length of an item: to the end of its braces, or its semicolon if that comes first.
fn item_end(item: &str) -> usize {
    match item.find(['{', ';']) {
        Some(at) if item.as_bytes()[at] == b'{' => at + enclosed(&item[at..], '{', '}'),
        Some(at) => at + 1,
        None => item.len(),
    }
}

/// The length of what an opening bracket encloses, brackets and all.
pub fn enclosed(text: &str, open: char, close: char) -> usize {
    let mut depth = 0usize;
    for (at, c) in text.char_indices() {
        if c == open {
            depth += 1;
        } else if c == close {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return at + c.len_utf8();
            }
        }
    }
    text.len()
}

/// The line of a byte offset, counted from one.
pub fn line_of(text: &str, at: usize) -> usize {
    1 + text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_blanked_and_code_stays() {
        let blanks = |text: &str| {
            let out = without_text(text);
            assert_eq!(out.lines().count(), text.lines().count());
            out.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(blanks("a(); // b()\nc();"), "a(); c();");
        assert_eq!(blanks("a /* b /* c */ d */ e"), "a e");
        assert_eq!(blanks(r#"f("say \" clap::x", g)"#), "f( , g)");
        assert_eq!(blanks("f(r#\"a \" b\"#, br\"c\") + for_r"), "f( , ) + for_r");
        assert_eq!(blanks("fn f<'a>(x: &'a str) { '\"'; '\\''; b }"), "fn f<'a>(x: &'a str) { ; ; b }");
        assert_eq!(blanks("let é = \"ü\"; x"), "let é = ; x");
    }

    #[test]
    fn test_modules_are_blanked() {
        let code = "a();\n#[cfg(test)]\nmod tests {\n fn x() { b(); }\n}\nc();\n#[cfg(test)]\nmod t;\nd();\n";
        let out = without_tests(code);
        assert_eq!(out.split_whitespace().collect::<Vec<_>>(), ["a();", "c();", "d();"]);
        assert_eq!(out.lines().count(), code.lines().count());
    }
}
