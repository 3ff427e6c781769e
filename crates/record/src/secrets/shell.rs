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
    /// The command that it belongs to: its number in the line.
    command: usize,
    /// The command whose output that one reads, at the first word of a command.
    reads: Option<usize>,
    /// It is no argument: a file, or a text behind `<<<`.
    target: Option<Target>,
    /// The command that reads it as a part of the lines below it: `<<END`.
    read_by: Option<usize>,
    /// The shell puts the value of a variable, or what a command prints, into it.
    pub expands: bool,
}

/// What stands behind `<`, `>` and the like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    File,
    Text,
}

/// What goes on behind a bracket or a backquote that closes.
struct Level {
    command: usize,
    first: bool,
    cases: usize,
    tick: bool,
}

/// Words behind which a command begins.
const BEFORE_COMMAND: [&str; 14] =
    ["if", "then", "elif", "else", "while", "until", "do", "!", "{", "coproc", "and", "or", "not", "begin"];

/// The words of a line. What ends a command (`;`, `|`, `&`, brackets) is between them.
pub(super) fn words(line: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut chars = line.char_indices().peekable();
    let (mut first, mut command, mut count, mut cases) = (true, 0, 0, 0_usize);
    let (mut reads, mut target) = (None, None);
    let (mut ends_with, mut document) = (None::<(usize, String)>, None::<(usize, usize)>);
    let mut is_document = false;
    let mut levels: Vec<Level> = Vec::new();
    while let Some((start, c)) = chars.peek().copied() {
        if c.is_whitespace() {
            chars.next();
            first |= c == '\n';
            if c == '\n'
                && let Some((reader, end)) = ends_with.take()
            {
                document = Some((reader, end_of_document(line, start + 1, &end)));
            }
            continue;
        }
        if is_end(c) {
            chars.next();
            let level = |tick, first| Level { command, first, cases, tick };
            let closed = match c {
                '<' | '>' => {
                    while chars.next_if(|(_, c)| matches!(c, '<' | '>' | '&' | '|')).is_some() {}
                    let end = chars.peek().map_or(line.len(), |(at, _)| *at);
                    if &line[start..end] == "<<" {
                        chars.next_if(|(_, c)| *c == '-');
                        is_document = true;
                    }
                    if chars.next_if(|(_, c)| *c == '(').is_some() {
                        levels.push(level(false, first));
                        (first, cases) = (true, 0);
                    } else {
                        target = Some(if &line[start..end] == "<<<" { Target::Text } else { Target::File });
                    }
                    continue;
                }
                // `&>file`
                '&' if line[start..].starts_with("&>") => continue,
                '(' => {
                    levels.push(level(false, !line[..start].ends_with(['$', '='])));
                    cases = 0;
                    None
                }
                // A pattern of `case`.
                ')' if cases > 0 => None,
                ')' => levels.pop(),
                '`' if levels.last().is_some_and(|level| level.tick) => levels.pop(),
                '`' => {
                    levels.push(level(true, first));
                    cases = 0;
                    None
                }
                '|' => {
                    let both = chars.next_if(|(_, c)| *c == '|').is_some();
                    chars.next_if(|(_, c)| !both && *c == '&');
                    (first, reads) = (true, Some(command).filter(|_| !both));
                    continue;
                }
                _ => None,
            };
            (first, reads, target) = (true, None, None);
            if let Some(level) = closed {
                (command, first, cases) = (level.command, level.first, level.cases);
            }
            continue;
        }
        let (mut text, mut quote, mut end) = (String::new(), None, start);
        let outer = Some(c).filter(|c| matches!(c, '"' | '\''));
        let (mut closed_at, mut expands) = (None, false);
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
                (Some('"'), '$' | '`') if substitution(line, at).is_some() => {
                    let stop = substitution(line, at).map_or(at, |inner| inner.end + 1);
                    text.push_str(&line[at..stop]);
                    (expands, end) = (true, stop);
                    while chars.next_if(|(at, _)| *at < stop).is_some() {}
                    continue;
                }
                _ => {
                    expands |= c == '$' && quote != Some('\'');
                    text.push(c);
                }
            }
            end = at + c.len_utf8();
            chars.next();
        }
        let whole = closed_at.is_some_and(|at| at + 1 == end);
        let plain = text.len() == end - start;
        let begins = first && target.is_none();
        if begins {
            (command, count) = (count, count + 1);
            match text.as_str() {
                "case" => cases += 1,
                "esac" => cases = cases.saturating_sub(1),
                _ => {}
            }
            first = plain && BEFORE_COMMAND.contains(&text.as_str());
        } else if target.is_none() && plain && text == "{" {
            first = true;
        }
        if std::mem::take(&mut is_document) {
            ends_with = Some((command, text.clone()));
        }
        words.push(Word {
            at: start..end,
            text,
            read_by: document.filter(|(_, stop)| start < *stop).map(|(reader, _)| reader),
            quote: outer.filter(|_| whole),
            command,
            reads: if begins { reads.take() } else { None },
            target: target.take(),
            expands,
        });
    }
    words
}

/// Where the line is that ends what a command reads from the lines below it.
fn end_of_document(text: &str, from: usize, end: &str) -> usize {
    let mut at = from;
    for line in text[from..].split_inclusive('\n') {
        if line.trim() == end {
            return at;
        }
        at += line.len();
    }
    text.len()
}

/// Where the command is that begins with `$(` or a backquote here, without these and what closes it.
fn substitution(line: &str, at: usize) -> Option<Range<usize>> {
    let rest = &line[at..];
    if rest.starts_with('`') {
        let from = at + 1;
        let mut before = ' ';
        for (end, c) in line[from..].char_indices() {
            if c == '`' && before != '\\' {
                return Some(from..from + end);
            }
            before = c;
        }
        return None;
    }
    let from = at + rest.starts_with("$(").then_some(2)?;
    let (mut open, mut quote, mut escaped) = (1, None, false);
    for (end, c) in line[from..].char_indices() {
        match (quote, c) {
            _ if escaped => {
                escaped = false;
                continue;
            }
            (None | Some('"'), '\\') => escaped = true,
            (Some(mark), c) if mark == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '(') => open += 1,
            (None, ')') => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Some(from..from + end);
        }
    }
    None
}

/// Where the commands are that stand in double quotes: `"$(…)"`, and backquotes.
pub(super) fn quoted_commands(line: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let (mut quote, mut escaped) = (None, false);
    for (at, c) in line.char_indices() {
        if found.last().is_some_and(|last| at <= last.end) || escaped {
            escaped = false;
            continue;
        }
        match (quote, c) {
            (None | Some('"'), '\\') => escaped = true,
            (Some(mark), c) if mark == c => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (Some('"'), '$' | '`') => found.extend(substitution(line, at)),
            _ => {}
        }
    }
    found
}

/// A command of a line.
#[derive(Default)]
pub(super) struct Command<'a> {
    /// Its words.
    pub args: Vec<&'a str>,
    /// The numbers of these among the words of the line.
    pub at: Vec<usize>,
    /// Whether the shell puts something into each.
    pub expands: Vec<bool>,
    /// It reads what the command with this number prints.
    pub reads: Option<usize>,
    /// The numbers of the words that it reads: `<<< TEXT`, or the lines below `<<END`.
    pub texts: Vec<usize>,
}

/// The commands that words make.
pub(super) fn commands(words: &[Word]) -> Vec<Command<'_>> {
    let mut commands: Vec<Command<'_>> = Vec::new();
    for (at, word) in words.iter().enumerate() {
        if word.target.is_none() && word.command == commands.len() {
            commands.push(Command { reads: word.reads, ..Command::default() });
        }
        if let Some(reader) = word.read_by.and_then(|reader| commands.get_mut(reader)) {
            reader.texts.push(at);
        }
        let Some(command) = commands.get_mut(word.command) else { continue };
        match word.target {
            None => {
                command.args.push(&word.text);
                command.at.push(at);
                command.expands.push(word.expands);
            }
            Some(Target::Text) => command.texts.push(at),
            Some(Target::File) => {}
        }
    }
    commands
}

/// Whether a command reads a password: from what another one prints, from `<<< TEXT`, or from the lines below it.
pub(super) fn asks(command: &Command<'_>) -> bool {
    const ASK: [&str; 7] = ["passwd", "chpasswd", "chgpasswd", "smbpasswd", "kinit", "su", "cryptsetup"];
    let base = |arg: &str| arg.rsplit('/').next().unwrap_or_default().to_owned();
    let asks = |arg: &&str| {
        ASK.contains(&base(arg).as_str())
            || *arg == "--with-token"
            || arg.starts_with('-') && (arg.ends_with("stdin") || arg.starts_with("--passphrase-fd"))
    };
    let mut args = command.args.iter();
    let sudo = command.args.first().is_some_and(|first| base(first) == "sudo")
        && args.clone().any(|arg| arg.starts_with('-') && !arg.starts_with("--") && arg.contains('S'));
    sudo || args.any(asks)
}

/// Whether a command prints what the next one asks for: a password.
pub(super) fn answers(command: &Command<'_>, next: &Command<'_>) -> bool {
    command.args.first().is_some_and(|first| matches!(*first, "echo" | "printf")) && asks(next)
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
