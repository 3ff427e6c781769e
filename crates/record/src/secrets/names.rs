//! Judges by a name whether the value of an option, a variable, a header or a field is a secret.

/// Parts of names whose values are secrets, without what is no letter or digit.
const TELLING: [&str; 30] = [
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "accountkey",
    "authkey",
    "privatekey",
    "sharedkey",
    "masterkey",
    "licensekey",
    "licencekey",
    "encryptionkey",
    "subscriptionkey",
    "signingkey",
    "functionskey",
    "storagekey",
    "credential",
    "bearer",
    "authcred",
    "keypass",
    "streamkey",
    "setupkey",
    "paperkey",
    "hmackey",
    "presharedkey",
    "sonarlogin",
];
/// Words that are enough if a name ends with one: `db.pass`, `MYSQL_PWD`.
const LAST: [&str; 15] = [
    "authorization",
    "pass",
    "pwd",
    "pw",
    "pin",
    "psk",
    "jwt",
    "creds",
    "sig",
    "hmac",
    "otp",
    "storepass",
    "authcode",
    "userpass",
    "community",
];
/// Words that promise a secret only if the value looks like one: `key=…`, `auth=…`.
const PERHAPS: [&str; 7] = ["key", "auth", "signature", "code", "session", "sessionid", "sid"];
/// Endings of names that are about a secret, but whose value is none.
const ABOUT: [&str; 53] = [
    "file",
    "path",
    "dir",
    "directory",
    "folder",
    "url",
    "uri",
    "endpoint",
    "type",
    "name",
    "length",
    "len",
    "min",
    "max",
    "age",
    "expiry",
    "expires",
    "expiration",
    "lifetime",
    "duration",
    "ttl",
    "timeout",
    "policy",
    "format",
    "prompt",
    "stdin",
    "fd",
    "count",
    "limit",
    "field",
    "header",
    "env",
    "command",
    "cmd",
    "program",
    "helper",
    "store",
    "scope",
    "audience",
    "issuer",
    "keys",
    "secrets",
    "tokens",
    "algorithm",
    "provider",
    "version",
    "authentication",
    "enabled",
    "required",
    "mode",
    "method",
    "strategy",
    "eval",
];
/// Beginnings of names that say that there is no secret, or only that it is asked for.
const WITHOUT: [&str; 9] = ["no", "skip", "without", "disable", "ask", "list", "show", "with", "stdin"];
/// Words that contain a telling part and mean something else.
const OTHERS: [&str; 11] = [
    "askpass",
    "public",
    "pubkey",
    "tokenizer",
    "tokenize",
    "tokenise",
    "bypass",
    "compass",
    "secretary",
    "passwordless",
    "tokenization",
];

/// How surely a name denotes a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Promise {
    /// Its value is a secret.
    Secret,
    /// Its value is one if it looks like one.
    Perhaps,
    /// Nothing.
    Nothing,
}

/// How surely a name denotes a secret. `more` are parts of names from the configuration.
pub(super) fn promise(name: &str, more: &[String]) -> Promise {
    let words = words(name);
    let Some(last) = words.last() else { return Promise::Nothing };
    let plain = words.concat();
    if more.iter().any(|part| plain.contains(part.as_str())) {
        return Promise::Secret;
    }
    let other = words.iter().any(|word| OTHERS.contains(&word.as_str()));
    // `AWS_ACCESS_KEY_ID` names the key.
    let named = last == "id" && plain.ends_with("accesskeyid");
    let without = words.len() > 1 && WITHOUT.contains(&words[0].as_str());
    if other || without || named || ABOUT.contains(&last.as_str()) || is_about(last) {
        return Promise::Nothing;
    }
    let suffix = ["pass", "pwd", "passwd"].iter().any(|end| last.len() > end.len() && last.ends_with(end));
    if TELLING.iter().any(|part| plain.contains(part)) || LAST.contains(&last.as_str()) || suffix {
        return Promise::Secret;
    }
    match PERHAPS.contains(&last.as_str()) {
        true => Promise::Perhaps,
        false => Promise::Nothing,
    }
}

/// `passwordfile`, written as one word.
fn is_about(word: &str) -> bool {
    ["file", "path", "stdin", "prompt", "eval"]
        .iter()
        .any(|end| word.len() > end.len() && word.ends_with(end))
}

/// The words of a name in small letters: `dbPassword` and `DB_PASSWORD` have two.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut before = ' ';
    for c in name.chars() {
        let begins = !before.is_ascii_alphanumeric() || before.is_ascii_lowercase() && c.is_ascii_uppercase();
        if c.is_ascii_alphanumeric() {
            match words.last_mut().filter(|_| !begins) {
                Some(word) => word.push(c.to_ascii_lowercase()),
                None => words.push(c.to_ascii_lowercase().to_string()),
            }
        }
        before = c;
    }
    words
}

/// Whether a value looks like a secret that a machine made: long, and of letters as well as digits, or very long.
pub(super) fn looks_made(value: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "+/_=-.~%".contains(c);
    let (letters, digits) =
        (value.chars().any(char::is_alphabetic), value.chars().any(|c| c.is_ascii_digit()));
    value.len() >= 16 && value.chars().all(is_part) && letters && digits && !is_path(value)
}

/// Whether a value only says where a secret is: `$NAME`, and `env:NAME` as OpenSSL takes it.
pub(super) fn is_reference(value: &str) -> bool {
    let variable = value.strip_prefix('$').is_some_and(|name| {
        name.is_empty() || name.starts_with(|c: char| c.is_ascii_alphabetic() || "_{(".contains(c))
    });
    variable || ["env:", "file:", "fd:"].iter().any(|start| value.starts_with(start)) || value == "stdin"
}

/// Whether a word of a shell only names variables: `$NAME`, `${NAME}`, `$USER:$PASSWORD`, and the `$` before a bracket.
pub(super) fn is_variables(value: &str) -> bool {
    let name = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let braces =
        |part: &str| part.strip_prefix('{').and_then(|part| part.strip_suffix('}')).is_some_and(name);
    let variable = |part: &str| part.strip_prefix('$').is_some_and(|part| name(part) || braces(part));
    value == "$" || value.starts_with("$(") && value.ends_with(')') || value.split(':').all(variable)
}

/// Whether a value is a pattern of a search, as in `s/password=.*//`.
pub(super) fn is_pattern(value: &str) -> bool {
    [".*", ".+", "[^", "\\S", "\\w", "(.", "([", "(\\"].iter().any(|start| value.starts_with(start))
        || value.strip_prefix('/').is_some_and(|rest| {
            let flags = rest.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
            matches!(flags, "" | "g" | "i" | "gi" | "I") && !rest.starts_with('/')
        })
}

/// Whether a value is the place of a file.
pub(super) fn is_path(value: &str) -> bool {
    const ENDINGS: [&str; 16] = [
        ".pem", ".key", ".crt", ".cer", ".p12", ".pfx", ".jks", ".json", ".yaml", ".yml", ".txt", ".toml",
        ".conf", ".gpg", ".asc", ".pub",
    ];
    let value = value.trim_start_matches('@');
    ["/", "./", "../", "~/", "file:"].iter().any(|start| value.starts_with(start))
        || ENDINGS.iter().any(|end| value.ends_with(end))
}

/// Whether names of this kind often have the place of a file for a value.
pub(super) fn may_be_path(name: &str) -> bool {
    let plain = words(name).concat();
    ["key", "credential", "creds", "token", "secret"].iter().any(|part| plain.contains(part))
        && !plain.contains("pass")
}
