//! Texts that a sanitiser may have made safe to display.

use super::record::Cmdline;

/// Whether `shown` is `text`, each unsafe character of which may be shown as something else.
pub fn same(text: &str, shown: &str) -> bool {
    if text == shown {
        return true;
    }
    let mut rest = shown;
    let mut parts = text.split(is_unsafe).filter(|part| !part.is_empty());
    text.contains(is_unsafe)
        && parts.all(|part| {
            rest.find(part).is_some_and(|at| {
                rest = &rest[at + part.len()..];
                true
            })
        })
}

/// Whether `shown` is this command line.
pub fn same_cmdline(args: &[String], shown: &Cmdline) -> bool {
    match shown {
        Cmdline::Args(shown) => args.len() == shown.len() && args.iter().zip(shown).all(|(a, s)| same(a, s)),
        Cmdline::Text(shown) => same(&args.join(" "), shown),
    }
}

/// Control characters, line separators, bidirectional controls and invisible ones.
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unsafe_characters_may_change() {
        assert!(same("a\u{1b}[2Jb", "a\\x1b[2Jb"));
        assert!(same("plain", "plain"));
        assert!(!same("plain", "plain "));
        assert!(!same("a\u{1b}[2Jb", "a\\x1b[2J"));
    }

    #[test]
    fn a_command_line_comes_as_list_or_text() {
        let args = ["a".to_owned(), "b c".to_owned()];
        assert!(same_cmdline(&args, &Cmdline::Text("a b c".into())));
        assert!(same_cmdline(&args, &Cmdline::Args(args.to_vec())));
        assert!(!same_cmdline(&args, &Cmdline::Args(vec!["a".into()])));
    }
}
