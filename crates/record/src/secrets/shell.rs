//! Lines for a shell, taken apart into words and put together again.

use std::ops::Range;

/// A word of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// The position of the word, with its quotes.
    pub at: Range<usize>,
    /// The meaning of the word.
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

/// A command of a line.
pub(super) struct Command<'a> {
    /// Its words.
    pub args: Vec<&'a str>,
    /// The next command reads the output of this one.
    pub pipes: bool,
}

/// The commands that words make.
pub(super) fn commands<'a>(line: &str, words: &'a [Word]) -> Vec<Command<'a>> {
    let mut commands: Vec<Command<'a>> = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let text = word.text.as_str();
        match commands.last_mut() {
            Some(command) if !word.first => command.args.push(text),
            last => {
                if let (Some(command), Some(before)) = (last, at.checked_sub(1).and_then(|at| words.get(at)))
                {
                    let between = line.get(before.at.end..word.at.start).unwrap_or_default().trim();
                    command.pipes = matches!(between, "|" | "|&");
                }
                commands.push(Command { args: vec![text], pipes: false });
            }
        }
    }
    commands
}

/// Whether a command prints what the next one asks for: a password.
pub(super) fn answers(command: &Command<'_>, next: &Command<'_>) -> bool {
    const ASK: [&str; 7] = ["passwd", "chpasswd", "chgpasswd", "smbpasswd", "kinit", "su", "cryptsetup"];
    let base = |arg: &str| arg.rsplit('/').next().unwrap_or_default().to_owned();
    let asks = |arg: &&str| {
        ASK.contains(&base(arg).as_str())
            || *arg == "--with-token"
            || arg.starts_with('-') && (arg.ends_with("stdin") || arg.starts_with("--passphrase-fd"))
    };
    let sudo = base(next.args[0]) == "sudo"
        && next.args.iter().any(|arg| arg.starts_with('-') && !arg.starts_with("--") && arg.contains('S'));
    matches!(command.args[0], "echo" | "printf") && (sudo || next.args.iter().any(asks))
}

/// What takes the place of the words of a command that prints a password: of `name:password`, what is behind the colon.
pub(super) fn without_answer(command: &Command<'_>, next: &Command<'_>, blot: &str) -> Vec<Option<String>> {
    let pairs = next.args.iter().any(|arg| arg.ends_with("passwd") && arg.contains("ch"));
    let instead = |(at, arg): (usize, &&str)| {
        let format = command.args[0] == "printf" && at == 1 && command.args.len() > 2;
        let stays = at == 0 || arg.starts_with('-') || arg.starts_with('$') || arg.is_empty() || format;
        (!stays).then(|| match arg.split_once(':') {
            Some((name, _)) if pairs => format!("{name}:{blot}"),
            _ => blot.to_owned(),
        })
    };
    command.args.iter().enumerate().map(instead).collect()
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
