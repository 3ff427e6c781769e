//! Secrets in sentences of other languages: SQL, scripts, prompts that are answered, options of Windows' programs.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::BLOT;
use super::names::{Promise, is_reference, promise};

/// Each has what stands before a secret, and the secret.
static PHRASES: LazyLock<[Regex; 8]> = LazyLock::new(|| {
    [
        // SQL: IDENTIFIED BY '…', PASSWORD '…', PASSWORD = '…', SET PASSWORD FOR user = PASSWORD('…').
        r#"(?i)(\b(?:identified\s+(?:with\s+\S+\s+)?(?:by|as)(?:\s+password)?|password(?:\s+for\s+\S+)?)(?:\s*=\s*(?:password\s*)?|\s+|\s*\()\(?\s*["'])([^"']+)"#,
        // The name and the password as two values: auth=("name", "…"), HTTPBasicAuth('name', '…').
        r#"(?i)((?:\bauth\w*\s*=\s*|basicauth|\.login|\.auth|credentials?)\s*[(\[]\s*["'][^"']*["']\s*,\s*["'])([^"']+)"#,
        // A server, the name and the password as three values: new PDO("…", "…", "…"), DBI->connect(…), mysqli_connect(…).
        r#"(?i)((?:\bPDO|connect\w*|\bmysqli)\s*\(\s*["'][^"']*["']\s*,\s*["'][^"']*["']\s*,\s*["'])([^"']+)"#,
        // What follows the word has a digit, so it is no word.
        r"(?i)(\bbearer\s+)([A-Za-z._~+/=-]*[0-9][A-Za-z0-9._~+/=-]*)",
        // expect: what is sent after a prompt that asks for a password.
        r#"(?is)(ass(?:word|phrase|code)?\b.{0,80}?\bsend\s+(?:--\s+)?["']?)([^"'\s;}]+)"#,
        // SQLCipher: PRAGMA key = '…'.
        r#"(?i)(\bpragma\s+(?:hex)?(?:re)?key\s*=\s*["'])([^"']+)"#,
        // Teradata: .logon host/name,….
        r"(?i)(\.logon\s+[^\s,]+,)([^\s;,]+)",
        // PowerShell.
        r#"(?i)(\bConvertTo-SecureString\s+(?:-String\s+)?["'])([^"']+)"#,
    ]
    .map(regex)
});
/// A name without quotes before a value in quotes, as in JavaScript, Ruby and configurations.
static BARE: LazyLock<Regex> = LazyLock::new(|| {
    regex(r#"(\b[A-Za-z_][A-Za-z0-9_.$-]{0,80})(\s*(?:=>|:)\s*)(?:\\?"([^"\\]+)|'([^']+))"#)
});
/// `set NAME VALUE`, as consoles take it.
static SET: LazyLock<Regex> =
    LazyLock::new(|| regex(r#"(?i)(\bsetg?\s+)([A-Za-z_][A-Za-z0-9_.-]*)(\s+["']?)([^\s;"']+)"#));
/// `/name:value` and `-name:value`, as programs of Windows and of its protocols take it.
static SLASH: LazyLock<Regex> =
    LazyLock::new(|| regex(r#"((?:^|[\s"'])(?:/|--?))([A-Za-z0-9_-]{1,40})(:["']?)([^\s"']+)"#));
/// `<name>value</name>`, as in XML.
static MARKED: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(<)([A-Za-z0-9_:.-]{1,60})((?:\s[^<>]*)?>\s*)([^<>\s][^<>]*)"));
/// A name, an equals sign with a space beside it, and a value: in connection strings.
static SPACED: LazyLock<Regex> =
    LazyLock::new(|| regex(r#"()(\b[A-Za-z][A-Za-z_]{1,40})(\s+=\s*["']?|=\s+["']?)([^\s;"'>=~][^\s;"']*)"#));
/// What says that a text is a connection string.
static PLACE: LazyLock<Regex> = LazyLock::new(|| {
    regex(concat!(
        r"(?i)(?:^|[\s;])(?:host|hostaddr|server|data source|address|dsn|driver|provider|uid|user id|user|username",
        r"|dbname|database|initial catalog|service)\s*=\s*[^\s;]"
    ))
});
/// Names of keys and hashes that let one in as a password does.
const HASHES: [&str; 7] = ["rc4", "ntlm", "lmhash", "nthash", "aes128", "aes256", "des"];

#[expect(clippy::unwrap_used, reason = "constant expressions, each of which a test compiles")]
fn regex(text: &str) -> Regex {
    Regex::new(text).unwrap()
}

/// The text without its secrets; `more` are parts of names that the configuration adds.
pub(super) fn redacted(mut text: String, more: &[String]) -> String {
    let secret = |name: &str| promise(name, more) == Promise::Secret;
    if text.contains("</") {
        text = replaced(&MARKED, &text, |found| secret(&found[2]));
    }
    if text.contains(['/', '-']) && text.contains(':') {
        let at = |found: &Captures<'_>| {
            let name = &found[2];
            secret(name) || HASHES.iter().any(|hash| name.eq_ignore_ascii_case(hash))
        };
        text = replaced(&SLASH, &text, at);
    }
    if !text.contains([' ', '\n', '\t', '(', '{']) {
        return text;
    }
    if text.contains('=') && PLACE.is_match(&text) {
        text = replaced(&SPACED, &text, |found| {
            secret(&found[2]) && !found[4].starts_with(['?', '%', ':', '(', '='])
        });
    }
    for phrase in PHRASES.iter() {
        text = phrase.replace_all(&text, |found: &Captures<'_>| format!("{}{BLOT}", &found[1])).into_owned();
    }
    text = BARE
        .replace_all(&text, |found: &Captures<'_>| {
            let (quote, value) = match (found.get(3), found.get(4)) {
                (Some(value), _) => ('"', value.as_str()),
                (_, value) => ('\'', value.map_or("", |value| value.as_str())),
            };
            let escape =
                if found[0][found[1].len() + found[2].len()..].starts_with('\\') { "\\" } else { "" };
            match secret(&found[1]) && !is_reference(value) {
                true => format!("{}{}{escape}{quote}{BLOT}", &found[1], &found[2]),
                false => found[0].to_owned(),
            }
        })
        .into_owned();
    replaced(&SET, &text, |found| {
        secret(&found[2]) && !["for", "to", "=", "is"].iter().any(|word| found[4].eq_ignore_ascii_case(word))
    })
}

/// With the blot in place of the fourth part, where that is a secret.
fn replaced(expression: &Regex, text: &str, is_secret: impl Fn(&Captures<'_>) -> bool) -> String {
    let instead = |found: &Captures<'_>| match is_secret(found) && !is_reference(&found[4]) {
        true => format!("{}{}{}{BLOT}", &found[1], &found[2], &found[3]),
        false => found[0].to_owned(),
    };
    expression.replace_all(text, instead).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_expression_is_one() {
        for expression in PHRASES.iter().chain([&*SPACED, &*PLACE, &*BARE, &*SET, &*SLASH, &*MARKED]) {
            assert!(!expression.as_str().is_empty());
        }
    }
}
