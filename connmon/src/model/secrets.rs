//! Secrets in the arguments of programs, redacted before anything keeps them.
//!
//! What cannot be told from a secret is one: rather a value too many than one too few.

use std::borrow::Cow;

/// What stands in the place of a secret.
const BLOT: &str = "‹redacted›";

/// Parts of the names of options and variables whose values are secrets.
const TELLING: [&str; 12] = [
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "privatekey",
    "credential",
    "authkey",
    "bearer",
];

/// Options of well-known clients that are followed by a secret, as one argument or two.
const CLIENTS: [(&str, &[&str]); 18] = [
    ("mysql", &["-p"]),
    ("mysqldump", &["-p"]),
    ("mysqladmin", &["-p"]),
    ("mysqlimport", &["-p"]),
    ("mariadb", &["-p"]),
    ("mariadb-dump", &["-p"]),
    ("mongo", &["-p"]),
    ("mongosh", &["-p"]),
    ("mongodump", &["-p"]),
    ("sshpass", &["-p"]),
    ("redis-cli", &["-a"]),
    ("ldapsearch", &["-w"]),
    ("ldapmodify", &["-w"]),
    ("sqlcmd", &["-P"]),
    ("7z", &["-p"]),
    ("zip", &["-P"]),
    ("unzip", &["-P"]),
    ("docker", &["-p"]),
];

/// Options of any program whose value is a name and a password where it has a colon.
const PAIRS: [&str; 2] = ["--user", "--proxy-user"];

/// curl's options of one letter that take no value.
const CURL_FLAGS: &str = "0123456789#aBfGgIiJjkLlMNnOpqRSsVvZ";

/// Clients whose `-p` has its value only behind it, never as the next argument: alone it asks for the password.
const ATTACHED: [&str; 7] =
    ["mysql", "mysqldump", "mysqladmin", "mysqlimport", "mariadb", "mariadb-dump", "7z"];

/// Joins arguments by spaces; true if a secret among them was redacted.
pub fn cmdline(args: &[String]) -> (String, bool) {
    let mut redacted = false;
    let mut next_is_secret = false;
    let program = args.first().map_or("", |arg| arg.rsplit('/').next().unwrap_or(arg));
    let short: &[&str] =
        CLIENTS.iter().find(|(client, _)| *client == program).map_or(&[], |(_, short)| short);
    // `docker run -p` publishes a port.
    let short = if program == "docker" && !args.iter().any(|arg| arg == "login") { &[] } else { short };
    let mut shown: Vec<Cow<'_, str>> = Vec::with_capacity(args.len());
    for (at, arg) in args.iter().enumerate() {
        if at > 0 && std::mem::take(&mut next_is_secret) {
            redacted = true;
            shown.push(BLOT.into());
            continue;
        }
        if at > 1 && PAIRS.contains(&args[at - 1].as_str()) && is_pair(arg) {
            redacted = true;
            shown.push(BLOT.into());
            continue;
        }
        let blotted = match at {
            0 => None,
            _ => match client_option(program, short, arg) {
                Meaning::Next => {
                    next_is_secret = true;
                    None
                }
                Meaning::Blotted(text) => Some(text),
                Meaning::Other if asks_for_secret(arg) => {
                    next_is_secret = true;
                    None
                }
                Meaning::Other => blot(arg),
            },
        };
        redacted |= blotted.is_some();
        shown.push(blotted.map_or(Cow::Borrowed(arg.as_str()), Cow::Owned));
    }
    (shown.join(" "), redacted)
}

/// What an argument is to a well-known client.
enum Meaning {
    /// The next argument is a secret.
    Next,
    /// It has a secret; this is the rest of it.
    Blotted(String),
    /// Nothing special.
    Other,
}

/// `NAME:PASSWORD`, but not the numbers of a user and a group.
fn is_pair(value: &str) -> bool {
    value.contains(':') && value.chars().any(|c| !c.is_ascii_digit() && c != ':')
}

/// curl's options in one argument, such as `-su NAME:PASSWORD`: the first that takes a value, where it begins, and the value
/// if it is not the next argument.
fn of_bundle(arg: &str) -> Option<(char, usize, &str)> {
    let letters = arg.strip_prefix('-').filter(|rest| !rest.starts_with('-'))?;
    let (at, letter) = letters.char_indices().find(|(_, letter)| !CURL_FLAGS.contains(*letter))?;
    let value = at + letter.len_utf8();
    Some((letter, value + 1, &letters[value..]))
}

fn client_option(program: &str, short: &[&str], arg: &str) -> Meaning {
    if program == "curl"
        && let Some((letter @ ('u' | 'U' | 'b' | 'E'), at, value)) = of_bundle(arg)
    {
        let telling = match letter {
            'b' => value.contains('='),
            'E' => value.contains(':'),
            _ => true,
        };
        return match value {
            "" => Meaning::Next,
            _ if telling => Meaning::Blotted(format!("{}{BLOT}", &arg[..at])),
            _ => Meaning::Other,
        };
    }
    if program == "curl" && matches!(arg, "--proxy-user" | "--cookie" | "--cert" | "--proxy-cert") {
        return Meaning::Next;
    }
    if let Some((option, value)) = arg.split_once('=')
        && PAIRS.contains(&option)
        && is_pair(value)
    {
        return Meaning::Blotted(format!("{option}={BLOT}"));
    }
    // curl -u NAME:PASSWORD, smbclient -U NAME%PASSWORD
    let user = match program {
        "curl" => Some(("-u", "--user", ':')),
        "smbclient" | "rpcclient" => Some(("-U", "--user", '%')),
        _ => None,
    };
    if let Some((option, long, sign)) = user {
        for (start, with_value) in [(long, "="), (option, "")] {
            let value = arg.strip_prefix(start).and_then(|rest| rest.strip_prefix(with_value));
            match value {
                Some("") => return Meaning::Next,
                Some(value) if value.contains(sign) => {
                    return Meaning::Blotted(format!("{start}{with_value}{BLOT}"));
                }
                _ => {}
            }
        }
        if arg == long {
            return Meaning::Next;
        }
    }
    for option in short {
        match arg.strip_prefix(option) {
            Some("") if ATTACHED.contains(&program) => {}
            Some("") => return Meaning::Next,
            Some(value) if !value.starts_with('-') => return Meaning::Blotted(format!("{option}{BLOT}")),
            _ => {}
        }
    }
    Meaning::Other
}

/// Whether the name of an option or a variable promises a secret.
fn telling(name: &str) -> bool {
    let plain: String = name.chars().filter(|c| c.is_ascii_alphanumeric()).collect::<String>().to_lowercase();
    TELLING.iter().any(|part| plain.contains(part)) || plain == "auth" || plain == "pass" || plain == "pwd"
}

/// An option without a value, whose next argument is a secret: `--password X`.
fn asks_for_secret(arg: &str) -> bool {
    arg.starts_with('-') && !arg.contains(['=', ':']) && telling(arg)
}

/// The argument without its secrets, if it has any.
fn blot(arg: &str) -> Option<String> {
    if let Some((name, rest)) = arg.split_once(": ").or_else(|| arg.split_once(':'))
        && !name.contains('/')
        && is_secret_header(name)
        && !rest.is_empty()
    {
        return Some(format!("{name}: {BLOT}"));
    }
    if let Some((name, value)) = arg.split_once('=')
        && !name.contains(['/', '?', ' '])
        && telling(name)
        && !value.is_empty()
    {
        return Some(format!("{name}={BLOT}"));
    }
    if let Some((before, _)) = arg.split_once("pass:").filter(|(before, _)| before.is_empty()) {
        return Some(format!("{before}pass:{BLOT}"));
    }
    let (arg, user) = without_userinfo(arg);
    let (arg, query) = without_query(&arg);
    (user || query).then_some(arg)
}

/// HTTP header fields that carry credentials.
fn is_secret_header(name: &str) -> bool {
    let name = name.trim().to_lowercase();
    matches!(name.as_str(), "authorization" | "proxy-authorization" | "cookie" | "set-cookie")
        || name.starts_with("x-") && telling(&name)
        || name == "private-token"
}

/// `scheme://name:secret@host` (RFC 3986, section 3.2.1), anywhere in an argument.
fn without_userinfo(arg: &str) -> (String, bool) {
    let mut rest = arg;
    let (mut out, mut found) = (String::new(), false);
    while let Some((before, after)) = rest.split_once("://") {
        out.push_str(before);
        out.push_str("://");
        let end = after.find(['/', '?', '#', ' ', '"', '\'']).unwrap_or(after.len());
        let (authority, tail) = after.split_at(end);
        match authority.rsplit_once('@').and_then(|(user, host)| Some((user.split_once(':')?.0, host))) {
            Some((name, host)) => {
                found = true;
                out.push_str(&format!("{name}:{BLOT}@{host}"));
            }
            None => out.push_str(authority),
        }
        rest = tail;
    }
    out.push_str(rest);
    (out, found)
}

/// `?token=secret&…`
fn without_query(arg: &str) -> (String, bool) {
    let Some((before, query)) = arg.split_once('?') else { return (arg.to_owned(), false) };
    let mut found = false;
    let fields: Vec<String> = query
        .split('&')
        .map(|field| match field.split_once('=') {
            Some((name, value)) if telling(name) && !value.is_empty() => {
                found = true;
                format!("{name}={BLOT}")
            }
            _ => field.to_owned(),
        })
        .collect();
    (format!("{before}?{}", fields.join("&")), found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &[&str]) -> String {
        let args: Vec<String> = line.iter().map(|arg| (*arg).to_owned()).collect();
        let (text, redacted) = cmdline(&args);
        assert_eq!(redacted, text.contains(BLOT), "{text}");
        text.replace(BLOT, "*")
    }

    #[test]
    fn secrets_are_blotted_out() {
        for (line, expected) in [
            (&["x", "--password=hunter2"][..], "x --password=*"),
            (&["x", "--password", "hunter 2", "y"], "x --password * y"),
            (&["x", "--api-key", "k"], "x --api-key *"),
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
            (&["curl", "-u", "me:pw"], "curl -u *"),
            (&["curl", "-ume:pw"], "curl -u*"),
            (&["/usr/bin/mysql", "-uroot", "-psecret", "db"], "/usr/bin/mysql -uroot -p* db"),
            (&["mysql", "-p", "db"], "mysql -p db"),
            (&["sshpass", "-p", "pw", "ssh", "h"], "sshpass -p * ssh h"),
            (&["redis-cli", "-a", "pw"], "redis-cli -a *"),
            (&["docker", "login", "-p", "pw"], "docker login -p *"),
            (&["openssl", "-passin", "pass:pw"], "openssl -passin pass:*"),
            (&["smbclient", "-U", "me%pw"], "smbclient -U *"),
            (&["curl", "-su", "me:pw", "http://h"], "curl -su * http://h"),
            (&["curl", "-sSume:pw", "http://h"], "curl -sSu* http://h"),
            (&["curl", "--proxy-user", "me:pw"], "curl --proxy-user *"),
            (&["curl", "-b", "session=x"], "curl -b *"),
            (&["curl", "-sbsession=x"], "curl -sb*"),
            (&["fetch", "--user", "me:pw"], "fetch --user *"),
            (&["fetch", "--user=me:pw"], "fetch --user=*"),
        ] {
            assert_eq!(shown(line), expected);
        }
    }

    #[test]
    fn the_rest_stays_as_it_is() {
        for line in [
            &["ls", "-p", "/tmp"][..],
            &["docker", "run", "-p", "80:80", "web"],
            &["ssh", "-p", "22", "host"],
            &["curl", "https://example.org:8443/@me"],
            &["git", "clone", "ssh://git@example.org/x"],
            &["python3", "-c", "print('a=b')"],
            &["docker", "run", "--user", "1000:1000", "web"],
            &["curl", "-so", "u:file", "http://h"],
            &["curl", "-bjar.txt", "http://h"],
            &["password"],
            &[],
        ] {
            assert_eq!(shown(line), line.join(" "));
        }
    }
}
