//! Secrets in the arguments of programs, redacted before anything keeps them.
//!
//! What cannot be told from a secret is one: rather a value too many than one too few. A name that promises a secret is enough
//! ([`names`]); options whose names do not are listed for each program ([`clients`], `data/secret-options.tsv`); and some
//! secrets are known by where they stand or what they look like ([`inside`]). Lines for a shell are taken apart ([`shell`]).

mod clients;
mod inside;
mod meaning;
mod names;
mod phrases;
mod shell;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use regex::Regex;

use clients::{How, is_known, secrets_of, wrapper};
use meaning::{Meaning, Pending, ftp_password, meaning_of, of_bundle, printed, with_value};
use names::{Promise, is_path, is_reference, is_variables, looks_made, may_be_path, promise};

/// The text that replaces a secret.
const BLOT: &str = "‹redacted›";
/// Lines for a shell within lines for a shell at most.
const DEEPEST: u8 = 4;
/// What the names of options end with whose value is a name and a password where it has a colon.
const PAIRS: [&str; 5] = ["user", "auth", "basic", "userpass", "userpwd"];
/// Words that say that somebody logs in.
const LOGINS: [&str; 3] = ["login", "signin", "logon"];
/// Options that name a user: a program that has one, or logs in, may have its password behind `-p` or `-P`.
const USERS: [&str; 6] = ["-u", "-U", "-user", "-username", "--user", "--username"];
/// Words before the name and the value of a setting.
const SETTING: [&str; 6] = ["config", "configure", "set", "+set", "setenv", "setx"];
/// Programs that keep values by name, behind the word `put`.
const KEEPERS: [&str; 2] = ["consul", "etcdctl"];
/// Programs that look for words: the name of a secret is what they look for.
const SEARCHING: [&str; 9] = ["grep", "egrep", "fgrep", "rg", "ag", "ack", "git", "find", "locate"];
/// Programs whose `--password` has its value only behind `=`: alone it asks for the password.
const ASKING: [&str; 7] =
    ["mysql", "mysqldump", "mysqladmin", "mysqlimport", "mariadb", "mariadb-dump", "psql"];
/// Programs that take a line of commands of their own as one argument.
const CONSOLES: [&str; 1] = ["deluge-console"];
/// Options before the name and the value of a variable.
const ARGS: [&str; 4] = ["--arg", "--argjson", "--argstr", "--stringparam"];
/// Options that are a secret's name and have no value.
const FLAGS: [&str; 6] =
    ["--stdinpass", "--password-stdin", "--prompt-password", "--ask-pass", "--askpass", "--ask-vault-pass"];

/// Secrets that are redacted in addition to those that connmon knows itself.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    options: Vec<(Option<String>, String)>,
    names: Vec<String>,
    patterns: Vec<Regex>,
}

impl Secrets {
    /// With further options (`--pin`, or `tool -k` for one program), parts of names, and patterns.
    pub fn new(options: &[String], names: &[String], patterns: Vec<Regex>) -> Self {
        let option = |text: &String| match text.trim().rsplit_once(' ') {
            Some((program, option)) => (Some(program.trim().to_owned()), option.to_owned()),
            None => (None, text.trim().to_owned()),
        };
        let plain = |name: &String| {
            name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
        };
        let names = names.iter().map(plain).filter(|name| !name.is_empty()).collect();
        Self { options: options.iter().map(option).collect(), names, patterns }
    }

    /// Joins arguments by spaces; true if a secret among them was redacted.
    pub fn cmdline(&self, args: &[String]) -> (String, bool) {
        let words: Vec<&str> = args.iter().map(String::as_str).collect();
        let instead = self.line(&words, &[], 0);
        let mut redacted = false;
        let mut shown: Vec<Cow<'_, str>> = Vec::with_capacity(args.len());
        for (arg, new) in words.into_iter().zip(instead) {
            let mut text = new.map_or(Cow::Borrowed(arg), Cow::Owned);
            for pattern in &self.patterns {
                if pattern.is_match(&text) {
                    text = pattern.replace_all(&text, regex::NoExpand(BLOT)).into_owned().into();
                }
            }
            redacted |= text != arg;
            shown.push(text);
        }
        (shown.join(" "), redacted)
    }

    /// The replacement of each argument; `None` if the argument stays. `expands`: into which a shell puts something.
    fn line(&self, args: &[&str], expands: &[bool], depth: u8) -> Vec<Option<String>> {
        let user = |pair: &[&str]| USERS.contains(&pair[0]) && !pair[1].starts_with('-');
        let logs_in = |arg: &&str| arg.starts_with("--user") || LOGINS.contains(arg);
        let has_user = args.windows(2).any(user) || args.iter().skip(1).any(logs_in);
        let mut reader = Line {
            secrets: self,
            depth,
            program: "",
            pending: Pending::None,
            awaits: Pending::None,
            before: "",
            last: "",
            words: Vec::new(),
            places: 0,
            has_user,
            expands: false,
        };
        let mut shown = Vec::with_capacity(args.len());
        for (at, arg) in args.iter().enumerate() {
            reader.expands = expands.get(at).copied().unwrap_or_default();
            shown.push(reader.argument(at == 0, arg));
        }
        shown
    }

    /// A line for a shell, or for a program that takes a line of commands of its own, without its secrets, if it has any.
    fn shell(&self, line: &str, depth: u8, console: Option<&str>) -> Option<String> {
        let plain = self.quoted_commands(line, depth);
        let words = shell::words(&plain);
        let mut instead = vec![None; words.len()];
        let commands = shell::commands(&words);
        for (number, command) in commands.iter().enumerate() {
            let next = commands.iter().find(|next| next.reads == Some(number));
            let shown = match next {
                Some(next) if shell::answers(command, next) => shell::without_answer(command, next, BLOT),
                _ => {
                    let args: Vec<&str> = console.into_iter().chain(command.args.iter().copied()).collect();
                    let expands: Vec<bool> =
                        console.map(|_| false).into_iter().chain(command.expands.iter().copied()).collect();
                    let shown = self.line(&args, &expands, depth + 1);
                    shown.into_iter().skip(usize::from(console.is_some())).collect()
                }
            };
            for (at, new) in command.at.iter().zip(shown) {
                // A word that an earlier command reads may have gone already.
                instead[*at] = instead[*at].take().or(new);
            }
            if shell::asks(command) {
                for at in command.texts.iter().filter(|at| !is_reference(&words[**at].text)) {
                    instead[*at] = Some(BLOT.to_owned());
                }
            }
        }
        let some = plain != line || instead.iter().any(Option::is_some);
        some.then(|| shell::replaced(&plain, &words, &instead))
    }

    /// The line, without the secrets of the commands that stand in double quotes.
    fn quoted_commands<'a>(&self, line: &'a str, depth: u8) -> Cow<'a, str> {
        if depth >= DEEPEST || !line.contains('"') {
            return line.into();
        }
        let mut out = Cow::Borrowed(line);
        for at in shell::quoted_commands(line).into_iter().rev() {
            if let Some(text) = self.shell(&line[at.clone()], depth + 1, None) {
                out.to_mut().replace_range(at, &text);
            }
        }
        out
    }
}

/// A command line as it is read.
struct Line<'a> {
    secrets: &'a Secrets,
    depth: u8,
    /// The program that the arguments are for.
    program: &'a str,
    pending: Pending,
    /// The state that follows the pending one.
    awaits: Pending,
    before: &'a str,
    /// The argument before the one that is looked at.
    last: &'a str,
    /// Arguments so far that are no options.
    words: Vec<&'a str>,
    /// Of these, those that are no values of options with one letter.
    places: usize,
    /// Some argument names a user, or says that one logs in.
    has_user: bool,
    /// The argument that is looked at is a word into which a shell puts something.
    expands: bool,
}

impl<'a> Line<'a> {
    fn argument(&mut self, first: bool, arg: &'a str) -> Option<String> {
        let before = std::mem::replace(&mut self.before, arg);
        self.last = before;
        if first || self.program.is_empty() {
            // `PGPASSWORD=x psql`
            if !is_assignment(arg) {
                self.start(arg);
                return None;
            }
            return self.command_within(arg).or_else(|| inside::redacted(arg, &self.secrets.names));
        }
        if let Some(found) = self.awaited(arg) {
            return found;
        }
        let runs = wrapper(self.program);
        if let Some(runs) = &runs {
            let value = before.len() == 2 && before.starts_with('-') && runs.values.contains(&before[1..]);
            if !arg.starts_with('-') && !value && is_known(base(arg)) {
                self.start(arg);
                return None;
            }
            let command = before.starts_with('-') && !before.starts_with("--") && before.ends_with('c')
                || before == "--command"
                || runs.shell;
            if command && self.depth < DEEPEST && arg.contains(char::is_whitespace) {
                return self.secrets.shell(arg, self.depth, None);
            }
        }
        if CONSOLES.contains(&self.program) && self.depth < DEEPEST && arg.contains(char::is_whitespace) {
            return self.secrets.shell(arg, self.depth, Some(self.program));
        }
        // A command that another one is told to run: `rsync -e 'sshpass -p … ssh'`, `GIT_SSH_COMMAND=…`.
        if let Some(text) = self.command_within(arg) {
            return Some(text);
        }
        if !arg.starts_with('-') {
            self.words.push(arg);
            self.places += usize::from(!(before.len() == 2 && before.starts_with('-')));
            let here = How::Word(self.places);
            if secrets_of(self.program).iter().any(|secret| secret.option == "-" && secret.how == here) {
                return Some(BLOT.to_owned());
            }
        }
        let meaning = match self.of_client(arg) {
            Meaning::Other => self.of_any(arg),
            // `-p$PASSWORD`: the name of a variable is no secret.
            Meaning::Blotted(text)
                if self.expands
                    && text
                        .strip_suffix(BLOT)
                        .is_some_and(|start| arg.get(start.len()..).is_some_and(is_variables)) =>
            {
                Meaning::Kept
            }
            meaning => meaning,
        };
        match meaning {
            Meaning::Next(pending) => {
                // An option between a word and the secret that belongs to it.
                self.awaits = std::mem::replace(&mut self.pending, pending);
                None
            }
            Meaning::Blotted(text) => Some(text),
            Meaning::Kept => None,
            Meaning::Other => inside::redacted(arg, &self.secrets.names),
        }
    }

    /// An argument, or what it gives a name, that is a line for a shell with secrets; it without them.
    fn command_within(&self, arg: &str) -> Option<String> {
        let named = arg.split_once('=').filter(|(name, _)| !name.contains(char::is_whitespace));
        let line = named.map_or(arg, |(_, value)| value);
        let program = line.split_whitespace().next().filter(|first| first.len() < line.trim().len())?;
        if self.depth >= DEEPEST || !is_known(base(program)) {
            return None;
        }
        let text = self.secrets.shell(line, self.depth, None)?;
        Some(format!("{}{text}", &arg[..arg.len() - line.len()]))
    }

    fn start(&mut self, arg: &'a str) {
        self.program = base(arg);
        self.words.clear();
        self.places = 0;
        (self.pending, self.awaits) = (Pending::None, Pending::None);
    }

    /// The replacement of an argument that an earlier argument is about; `None` if there is no such argument.
    fn awaited(&mut self, arg: &str) -> Option<Option<String>> {
        let awaits = std::mem::replace(&mut self.awaits, Pending::None);
        let pending = std::mem::replace(&mut self.pending, awaits);
        let blot = Some(Some(BLOT.to_owned()));
        match pending {
            Pending::None => None,
            Pending::Secret | Pending::Many | Pending::NoPath | Pending::NoNumber
                if is_option(arg)
                    || is_reference(arg) && (is_variables(arg) || !begins_with_variable(arg))
                    || arg.is_empty()
                    || arg.starts_with('@') && is_path(arg) =>
            {
                None
            }
            Pending::NoPath | Pending::NoNumber if is_path(arg) => Some(None),
            Pending::NoNumber if !arg.contains(char::is_alphabetic) => Some(None),
            Pending::Secret | Pending::NoPath | Pending::NoNumber => blot,
            Pending::Made => looks_made(arg).then_some(Some(BLOT.to_owned())),
            Pending::Plain => Some(None),
            Pending::Pair(':') => is_pair(arg).then_some(Some(BLOT.to_owned())),
            Pending::Pair(mark) => arg.contains(mark).then_some(Some(BLOT.to_owned())),
            Pending::After(_) | Pending::Rest | Pending::Values if is_option(arg) || is_word_option(arg) => {
                self.pending = pending;
                None
            }
            Pending::After(_) if self.program == "net" && (arg == "*" || arg.starts_with('/')) => {
                self.pending = pending;
                None
            }
            Pending::Rest | Pending::Many => {
                self.pending = pending;
                blot
            }
            Pending::Two => {
                self.pending = Pending::Secret;
                blot
            }
            Pending::Values => {
                self.pending = pending;
                let (name, value) = arg.split_once('=').filter(|(name, _)| !name.starts_with('-'))?;
                let some = !value.is_empty() && !is_reference(value) && !value.starts_with('@');
                some.then(|| Some(format!("{name}={BLOT}")))
            }
            Pending::After(0) => blot,
            Pending::After(left) => {
                self.pending = Pending::After(left - 1);
                None
            }
        }
    }

    /// The meaning of an argument to the program in question.
    fn of_client(&self, arg: &str) -> Meaning {
        if self.program == "curl"
            && let Some((letter @ ('u' | 'U' | 'b' | 'E'), at, value)) = of_bundle(arg)
        {
            let telling = match letter {
                'b' => value.contains('='),
                'E' => value.contains(':'),
                _ => true,
            };
            return match (value, letter) {
                ("", 'E') => Meaning::Next(Pending::Pair(':')),
                ("", 'b') => Meaning::Next(Pending::Pair('=')),
                ("", _) => Meaning::Next(Pending::Secret),
                _ if telling => Meaning::Blotted(format!("{}{BLOT}", &arg[..at])),
                _ => Meaning::Other,
            };
        }
        if self.program == "curl"
            && let Some(text) = ftp_password(arg)
        {
            return Meaning::Blotted(text);
        }
        let given = self.secrets.options.iter();
        let given =
            given.filter(|(program, _)| program.as_deref().is_none_or(|program| program == self.program));
        for (_, option) in given {
            match with_value(arg, option) {
                Some("") => return Meaning::Next(Pending::Secret),
                Some(value) => return Meaning::Blotted(format!("{}{BLOT}", &arg[..arg.len() - value.len()])),
                None => {}
            }
        }
        for secret in secrets_of(self.program) {
            if secret.after.is_none_or(|word| self.words.contains(&word))
                && let Some(meaning) = meaning_of(secret, arg)
            {
                return meaning;
            }
        }
        Meaning::Other
    }

    /// The meaning of an argument to any program.
    fn of_any(&self, arg: &str) -> Meaning {
        let name = arg.split_once('=').map_or(arg, |(name, _)| name);
        let last = name.rsplit('-').next().unwrap_or_default();
        if name.starts_with('-')
            && (PAIRS.iter().any(|end| last.ends_with(end)) || matches!(arg, "-u" | "-U"))
            && promise(name, &self.secrets.names) != Promise::Secret
        {
            return match arg.split_once('=') {
                Some((option, value)) if is_pair(value) => Meaning::Blotted(format!("{option}={BLOT}")),
                Some(_) => Meaning::Other,
                None => Meaning::Next(Pending::Pair(':')),
            };
        }
        // A cookie is a secret where it is no file: `NAME=VALUE`.
        if last == "setcookie" || last == "cookie" && name.trim_start_matches('-') != "cookie" {
            return Meaning::Next(Pending::NoPath);
        }
        if name == "--cookie" {
            return match arg.split_once('=') {
                Some((option, value)) if value.contains('=') => Meaning::Blotted(format!("{option}={BLOT}")),
                Some(_) => Meaning::Other,
                None => Meaning::Next(Pending::Pair('=')),
            };
        }
        // `npm config set //registry.npmjs.org/:_authToken VALUE`
        if !arg.starts_with('-')
            && !arg.contains(['=', ' '])
            && (self.words.iter().chain([&self.program]).any(|word| SETTING.contains(word))
                || KEEPERS.contains(&self.program) && self.words.contains(&"put"))
            && self.words.last().is_some_and(|word| !SETTING.contains(word))
            && promise(arg.rsplit([':', '/']).next().unwrap_or(arg), &self.secrets.names) == Promise::Secret
        {
            return Meaning::Next(Pending::NoPath);
        }
        // `set-initial-password VALUE`, `+rcon_password VALUE`
        let stem = ["password", "passwd"].iter().find_map(|end| arg.strip_suffix(end));
        if stem.is_some_and(|stem| stem.ends_with(['-', '_', ':', '+']))
            && !arg.starts_with('-')
            && !arg.contains(['=', ' ', '/', '.'])
            && !SEARCHING.contains(&self.program)
            && promise(arg, &self.secrets.names) == Promise::Secret
        {
            return Meaning::Next(Pending::NoPath);
        }
        // `--password-command 'echo VALUE'`
        if let Some(text) = printed(arg, self.last) {
            return Meaning::Blotted(text);
        }
        let own = || secrets_of(self.program).iter().any(|secret| secret.option == arg);
        if matches!(arg, "-p" | "-P") && self.has_user && wrapper(self.program).is_none() && !own() {
            return Meaning::Next(Pending::NoNumber);
        }
        if ARGS.contains(&self.last) && promise(arg, &self.secrets.names) == Promise::Secret {
            return Meaning::Next(Pending::Secret);
        }
        if !arg.starts_with('-') || arg.contains(['=', ':', ' ', '/']) || FLAGS.contains(&arg) {
            return Meaning::Other;
        }
        if arg == "--password" && ASKING.contains(&self.program) {
            return Meaning::Other;
        }
        match promise(arg, &self.secrets.names) {
            Promise::Secret if may_be_path(arg) => Meaning::Next(Pending::NoPath),
            Promise::Secret => Meaning::Next(Pending::Secret),
            Promise::Perhaps => Meaning::Next(Pending::Made),
            Promise::Nothing => Meaning::Other,
        }
    }
}

/// The last part of the path of a program.
fn base(arg: &str) -> &str {
    arg.rsplit('/').next().unwrap_or(arg)
}

/// `$USER:PASSWORD`: only the name is one of a variable.
fn begins_with_variable(arg: &str) -> bool {
    arg.split_once(':')
        .is_some_and(|(name, rest)| is_variables(name) && !rest.is_empty() && !rest.starts_with('$'))
}

/// `NAME=value` before a command.
fn is_assignment(arg: &str) -> bool {
    arg.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

/// An option, not a secret that begins with a dash.
fn is_option(arg: &str) -> bool {
    let letters = arg.trim_start_matches('-');
    arg.starts_with("--") && letters.starts_with(|c: char| c.is_ascii_lowercase())
        || arg.len() == 2 && arg.starts_with('-') && letters.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// An option of one dash that is a word, as Go's and Windows' programs have them.
fn is_word_option(arg: &str) -> bool {
    let letters = arg.strip_prefix('-').filter(|rest| !rest.starts_with('-')).unwrap_or_default();
    letters.len() > 2 && letters.chars().all(|c| c.is_ascii_alphabetic() || c == '-')
}

/// `NAME:PASSWORD`, but not the numbers of a user and a group, and no address.
fn is_pair(value: &str) -> bool {
    value.contains(':') && !value.contains("://") && value.chars().any(|c| !c.is_ascii_digit() && c != ':')
}
