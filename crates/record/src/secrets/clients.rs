//! Programs whose options have secrets that their names do not tell, and programs that run others.

use std::collections::HashMap;
use std::sync::LazyLock;

/// The ways in which a secret follows an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// The next argument, or what is behind `=`.
    Next,
    /// Only what is behind it in the same argument.
    Attached,
    /// Either.
    Both,
    /// The argument behind this bare word, the first to fifth. With the option `-`: the first to fifth of all its arguments.
    Word(usize),
    /// All arguments behind this bare word.
    Rest,
    /// All arguments behind this option up to the next one, or what is behind it in the same argument.
    Many,
    /// The next two arguments.
    Two,
    /// The value of each `NAME=VALUE` after this bare word.
    Values,
    /// Either, where it has this character.
    Pair(char),
    /// The text after this beginning, also within a comma-separated list.
    Prefix,
    /// The argument behind the one that begins so, the first or second.
    Behind(usize),
    /// `name:secret`, wherever it stands.
    Colon,
    /// An argument that is a number and words, as `7-crossover-clockwork`.
    Code,
    /// `scheme://place#name:secret`.
    Fragment,
    /// `domain/name:secret`, wherever it stands.
    Login,
    /// `user/password@place`, wherever it stands.
    Slash,
    /// Not at all, though its name sounds like it.
    Never,
    /// An option without a value, though its name sounds like one of a secret.
    Flag,
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Secret {
    /// Only if this word came before.
    pub after: Option<&'static str>,
    pub option: &'static str,
    pub how: How,
}

static TABLE: LazyLock<HashMap<&'static str, Vec<Secret>>> = LazyLock::new(|| {
    let mut table: HashMap<&'static str, Vec<Secret>> = HashMap::new();
    for (programs, secret) in include_str!("../../data/secret-options.tsv").lines().filter_map(line) {
        for program in programs.split(',') {
            table.entry(program).or_default().push(secret.clone());
        }
    }
    table
});

fn line(line: &'static str) -> Option<(&'static str, Secret)> {
    let mut cells = line.split('\t');
    let (programs, option, how) = (cells.next()?, cells.next()?, cells.next()?);
    let how = match how {
        "next" => How::Next,
        "attached" => How::Attached,
        "both" => How::Both,
        "many" => How::Many,
        "word" => How::Word(1),
        "second" => How::Word(2),
        "third" => How::Word(3),
        "fourth" => How::Word(4),
        "fifth" => How::Word(5),
        "rest" => How::Rest,
        "two" => How::Two,
        "values" => How::Values,
        "prefix" => How::Prefix,
        "behind" => How::Behind(1),
        "second behind" => How::Behind(2),
        "colon" => How::Colon,
        "code" => How::Code,
        "fragment" => How::Fragment,
        "login" => How::Login,
        "slash" => How::Slash,
        "never" => How::Never,
        "flag" => How::Flag,
        how => How::Pair(how.strip_prefix("pair ")?.chars().next()?),
    };
    let (after, option) = match option.split_once(' ') {
        Some((after, option)) => (Some(after), option),
        None => (None, option),
    };
    Some((programs, Secret { after, option, how }))
}

/// The secrets in the options of a program.
pub(super) fn secrets_of(program: &str) -> &'static [Secret] {
    TABLE.get(program).map_or(&[], Vec::as_slice)
}

/// Whether a program is in the table.
pub(super) fn is_known(program: &str) -> bool {
    TABLE.contains_key(program) || program == "curl" || wrapper(program).is_some()
}

/// A program that runs another one, which stands in its arguments.
pub(super) struct Wrapper {
    /// Letters of its options that have a value.
    pub values: &'static str,
    /// Its arguments are a line for a shell, also where they are one argument.
    pub shell: bool,
}

/// Facts about a program that runs other programs.
pub(super) fn wrapper(program: &str) -> Option<Wrapper> {
    let of = |values, shell| Some(Wrapper { values, shell });
    match program {
        "sh" | "bash" | "dash" | "zsh" | "ksh" | "ash" | "fish" | "mksh" | "csh" | "tcsh" | "busybox" => {
            of("oO", true)
        }
        "su" | "runuser" | "script" | "watch" | "parallel" | "eval" | "exec" | "tmux" | "screen"
        | "flock" | "pssh" | "pdsh" | "dsh" | "at" | "batch" | "ts" => of("nIjSugtwqlo", true),
        "ssh" | "autossh" | "mosh" | "dbclient" | "sshpass" => of("bcDEeFIiJLlmOopQRSWwBf", true),
        "lftp" => of("uep", true),
        "sudo" | "doas" | "pkexec" | "gosu" | "su-exec" => of("ugpCrtTUDRh", false),
        "env" => of("uCS", false),
        "timeout" => of("sk", false),
        "nice" | "ionice" | "chrt" | "taskset" | "stdbuf" | "setpriv" | "prlimit" | "cpulimit" => {
            of("ncpioel", false)
        }
        "nohup" | "time" | "setsid" | "unbuffer" | "proxychains" | "proxychains4" | "torsocks" | "torify"
        | "catchsegv" | "faketime" | "rlwrap" | "winpty" | "command" | "builtin" => of("fo", false),
        "xargs" => of("aEdILnPs", false),
        "strace" | "ltrace" | "perf" | "valgrind" | "gdb" | "bpftrace" => of("abeEIoOpPsuUX", false),
        "chroot" | "unshare" | "nsenter" | "ip" | "systemd-run" | "systemd-inhibit" | "firejail"
        | "bwrap" | "start-stop-daemon" => of("tSGupM", false),
        "docker" | "podman" | "nerdctl" | "kubectl" | "oc" | "lxc" | "lxc-attach" | "incus"
        | "machinectl" | "crictl" | "vagrant" | "docker-compose" => of("euvwnclphm", false),
        "find" | "fd" | "entr" | "make" | "cron" | "run-parts" => of("", false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_read() {
        let text = include_str!("../../data/secret-options.tsv");
        for entry in text.lines().filter(|entry| !entry.starts_with('#')) {
            assert!(line(entry).is_some(), "{entry}");
            assert_eq!(entry.split('\t').filter(|cell| !cell.is_empty()).count(), 4, "{entry}: a source");
        }
        assert!(
            secrets_of("mysql").iter().any(|secret| secret.option == "-p" && secret.how == How::Attached)
        );
    }
}
