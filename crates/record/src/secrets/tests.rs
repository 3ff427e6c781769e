//! Lines of many programs, with secrets and without.

use super::*;

fn shown(line: &[&str]) -> String {
    let args: Vec<String> = line.iter().map(|arg| (*arg).to_owned()).collect();
    let (text, redacted) = Secrets::default().cmdline(&args);
    assert_eq!(redacted, text.contains(BLOT), "{text}");
    text.replace(BLOT, "*")
}

/// The corpus: no secret that is marked stays, and a line without one stays as it is.
#[test]
fn the_corpus() {
    let (mut leaks, mut too_many, mut lines) = (Vec::new(), Vec::new(), 0);
    for line in include_str!("corpus.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        lines += 1;
        let mut secrets: Vec<&str> =
            line.split('⟦').skip(1).map(|part| part.split('⟧').next().unwrap_or_default()).collect();
        let args = arguments(&line.replace(['⟦', '⟧'], ""));
        let (text, redacted) = Secrets::default().cmdline(&args);
        secrets.retain(|secret| !secret.is_empty());
        if secrets.is_empty() {
            too_many.extend((redacted || text != args.join(" ")).then(|| format!("{line} → {text}")));
        } else {
            // Marked secrets are short: they are looked for as words, with what follows the program.
            let rest = text.split_once(' ').map_or("", |(_, rest)| rest);
            let rest =
                if line.split(' ').next().is_some_and(|first| first.contains('⟦')) { &text } else { rest };
            let stays = |secret: &&str| {
                let plain = arguments(&format!("'{}'", secret.replace('\\', ""))).concat();
                rest.split(|c: char| c.is_whitespace() || "=:,;&?'\"%@".contains(c)).any(|word| word == plain)
                    || plain.len() > 5 && rest.contains(&plain)
            };
            leaks.extend((!redacted || secrets.iter().any(stays)).then(|| format!("{line} → {text}")));
        }
    }
    assert!(lines > 1500, "{lines} lines");
    assert!(
        leaks.is_empty() && too_many.is_empty(),
        "leak:\n{}\ntoo much:\n{}",
        leaks.join("\n"),
        too_many.join("\n")
    );
}

/// The arguments of a line: quotes and backslashes as in a shell, nothing else.
fn arguments(line: &str) -> Vec<String> {
    let (mut args, mut current, mut quote) = (Vec::new(), None::<String>, None);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None, ' ') => args.extend(current.take()),
            (None, '\'' | '"') => {
                quote = Some(c);
                current.get_or_insert_default();
            }
            (Some(open), c) if open == c => quote = None,
            (None | Some('"'), '\\') => current.get_or_insert_default().extend(chars.next()),
            _ => current.get_or_insert_default().push(c),
        }
    }
    args.extend(current);
    args
}

#[test]
fn what_is_shown_instead() {
    for (line, expected) in [
        (&["x", "--password=hunter2"][..], "x --password=*"),
        (&["x", "--password", "hunter 2", "y"], "x --password * y"),
        (
            &["env", "AWS_SECRET_ACCESS_KEY=abc", "GITHUB_TOKEN=t"],
            "env AWS_SECRET_ACCESS_KEY=* GITHUB_TOKEN=*",
        ),
        (&["curl", "https://me:pw@example.org/a?b=c"], "curl https://me:*@example.org/a?b=c"),
        (
            &["curl", "https://example.org/?q=1&access_token=t&z=2"],
            "curl https://example.org/?q=1&access_token=*&z=2",
        ),
        (&["curl", "-H", "Authorization: Bearer abc"], "curl -H Authorization: *"),
        (&["curl", "-HX-Api-Key: abc"], "curl -HX-Api-Key: *"),
        (&["curl", "-sSume:pw", "http://h"], "curl -sSu* http://h"),
        (&["curl", "-d", "user=a&password=x&n=1"], "curl -d user=a&password=*&n=1"),
        (&["curl", "-d", r#"{"a":1,"token":"x\"y","b":2}"#], r#"curl -d {"a":1,"token":"*","b":2}"#),
        (&["/usr/bin/mysql", "-uroot", "-psecret", "db"], "/usr/bin/mysql -uroot -p* db"),
        (&["sudo", "mysql", "-psecret", "db"], "sudo mysql -p* db"),
        (&["bash", "-c", "mysql -pX 'a b' | wc"], "bash -c mysql -p* 'a b' | wc"),
        (&["bash", "-c", "curl -H 'Authorization: Bearer x' h"], "bash -c curl -H 'Authorization: *' h"),
        (&["bash", "-c", "if true; then mysql -pX; fi"], "bash -c if true; then mysql -p*; fi"),
        (&["bash", "-c", r#"echo "$(mysql -pX)" >f"#], r#"bash -c echo "$(mysql -p*)" >f"#),
        (&["bash", "-c", r#"mysql -u $(id -un) -pX -p"$Y""#], r#"bash -c mysql -u $(id -un) -p* -p"$Y""#),
        (&["sh", "-c", "chpasswd <<< u:X"], "sh -c chpasswd <<< *"),
        (&["sh", "-c", "chpasswd <<E\nu:X\nE\nls a"], "sh -c chpasswd <<E\n*\nE\nls a"),
        (
            &["sh", "-c", "gh auth login --with-token <<-'E'\n\tX\n\tE"],
            "sh -c gh auth login --with-token <<-'E'\n\t*\n\tE",
        ),
        (&["sh", "-c", "cat <<E\nmysql -pX\nE\necho y"], "sh -c cat <<E\nmysql -p*\nE\necho y"),
        (
            &["nxc", "smb", "h", "-u", "a", "b", "-p", "X", "Y", "--shares"],
            "nxc smb h -u a b -p * * --shares",
        ),
        (
            &["conda", "config", "--add", "channels", "https://conda.anaconda.org/t/ab-X-123/c"],
            "conda config --add channels https://conda.anaconda.org/t/*",
        ),
        (&["mc", "alias", "set", "x", "u", "--api", "s3v4", "A", "X"], "mc alias set x u --api s3v4 A *"),
        (&["psql", "host=h password = X user=u"], "psql host=h password = * user=u"),
        (&["curl", "https://t0ken@h/a", "https://me@h/a"], "curl https://*@h/a https://me@h/a"),
        (&["curl", "-d", r#"{"q":"m(password:\"X\")"}"#], r#"curl -d {"q":"m(password:\"*\")"}"#),
        (&["restic", "--password-command", "echo X"], "restic --password-command echo *"),
        (&["helm", "--set", "a=b,db.password=X,c=d"], "helm --set a=b,db.password=*,c=d"),
        (&["psql", "host=h password=X dbname=d"], "psql host=h password=* dbname=d"),
        (&["sqlplus", "scott/tiger@db"], "sqlplus scott/*@db"),
        (&["psexec.py", "dom/a:P@W@h"], "psexec.py dom/a:*@h"),
        (&["curl", "https://hooks.slack.com/services/T/B/XXXX"], "curl https://hooks.slack.com/services/*"),
        (&[], ""),
    ] {
        assert_eq!(shown(line), expected);
    }
}

#[test]
fn the_configuration_adds_to_it() {
    let secrets = Secrets::new(
        &["--magic".into(), "tool -z".into()],
        &["Geheim".into()],
        vec![Regex::new("ACME-[0-9]+").unwrap()],
    );
    let shown = |line: &[&str]| {
        let args: Vec<String> = line.iter().map(|arg| (*arg).to_owned()).collect();
        secrets.cmdline(&args).0.replace(BLOT, "*")
    };
    assert_eq!(shown(&["x", "--magic", "a", "-z", "b"]), "x --magic * -z b");
    assert_eq!(shown(&["tool", "-zb", "--magic=a"]), "tool -z* --magic=*");
    assert_eq!(shown(&["x", "--geheim", "a", "geheim_nr=7"]), "x --geheim * geheim_nr=*");
    assert_eq!(shown(&["x", "id:ACME-1234."]), "x id:*.");
}

proptest::proptest! {
    /// Whatever a program was given: an answer, and the same for what is its own answer.
    #[test]
    fn no_arguments_make_it_panic(args in proptest::collection::vec("[-a-z=:@/'\"\\\\ ?&#{},;|pP%é⟦]{0,30}", 0..6)) {
        let args: Vec<String> = ["bash", "curl"].iter().map(|arg| (*arg).to_owned()).chain(args).collect();
        let _ = Secrets::default().cmdline(&args);
        let _ = Secrets::default().cmdline(&args[1..]);
    }
}
