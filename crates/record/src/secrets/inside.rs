//! Secrets within one argument: in URLs, headers, JSON, forms and lists of names and values, and what looks like the token of
//! a well-known service.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::names::{Promise, is_path, is_pattern, is_reference, looks_made, may_be_path, promise};
use super::{BLOT, PAIRS, is_pair, phrases};

/// Tokens of services that are known by their form, each as its documentation gives it.
static TOKENS: LazyLock<Regex> = LazyLock::new(|| {
    regex(concat!(
        r"(?-u:\b)(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|gl(?:pat|dt|rt|cbt|ptt|ft|soat|agent|oas)-[A-Za-z0-9_-]{16,}",
        r"|xox[abeoprs]-[A-Za-z0-9_-]{8,}|xapp-[A-Za-z0-9_-]{10,}|(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9_]{10,}|sk-[A-Za-z0-9_-]{16,}|AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9_-]{10,}",
        r"|eyJ[A-Za-z0-9_-]{6,}\.eyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]*|hv[sbr]\.[A-Za-z0-9_-]{20,}|npm_[A-Za-z0-9_]{30,}|pypi-[A-Za-z0-9_-]{16,}|do[opr]_v1_[0-9a-f]{20,}",
        r"|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|key-[0-9a-f]{32}|dckr_pat_[A-Za-z0-9_-]{20,}|hf_[A-Za-z0-9_]{30,}|AGE-SECRET-KEY-1[A-Za-z0-9_]{20,}|tskey-[A-Za-z0-9_-]{12,}",
        r"|shp(?:at|ca|pa|ss)_[0-9a-fA-F]{20,}|lin_api_[A-Za-z0-9_]{20,}|NRAK-[A-Za-z0-9_]{20,}|[0-9]{8,10}:[A-Za-z0-9_-]{35}(?-u:\b))"
    ))
});
/// Addresses that are secrets from some part of their path on: who knows them may post.
static HOOKS: LazyLock<Regex> = LazyLock::new(|| {
    regex(concat!(
        r#"(?i)(hooks\.slack\.com/(?:services|workflows|triggers)/|discord(?:app)?\.com/api/(?:v[0-9]+/)?webhooks/"#,
        r#"|api\.telegram\.org/(?:file/)?bot|webhook\.office\.com/webhookb2/|outlook\.office(?:365)?\.com/webhook/"#,
        r#"|hooks\.zapier\.com/hooks/catch/|/with/key/|hc-ping\.com/(?:ping/)?|hook\.[a-z0-9]+\.make\.com/|logic\.azure\.com[^?]*/triggers/"#,
        r#"|rtmps?://[^/\s]+/[^/\s]+/|webhook\.site/|maker\.ifttt\.com/use/|/webhooks?/(?:incoming/)?|//[^/?#\s]*(?:mattermost|rocket|chat)[^/?#\s]*/hooks/|pagerduty\.com/integration/|(?:vmess|ssr)://"#,
        r#"|oapi\.dingtalk\.com/robot/send\?access_token=|open\.feishu\.cn/open-apis/bot/v2/hook/|qyapi\.weixin\.qq\.com/[^?]*\?key="#,
        r#"|jdbc:oracle:(?:thin|oci8?):[^/@\s"']+/|sentry\.io/api/hooks/|//[^/?#\s]*conda[^?#\s]*/t/|pushcut\.io/)([^\s"'?#]{6,})"#
    ))
});
/// A name in quotes, as in JSON, before its value.
static QUOTED: LazyLock<Regex> =
    LazyLock::new(|| regex(r#"\\?["']([A-Za-z0-9_.$ -]{1,80})\\?["']\s*(?:=>|:)\s*"#));
/// A name before its value: in a form, a query, a list, a command.
static NAMED: LazyLock<Regex> = LazyLock::new(|| regex(r"([A-Za-z0-9_.$%{}\[\]-]{1,120})(=|:=)"));
/// The separator between one pair of name and value and the next.
static NEXT: LazyLock<Regex> = LazyLock::new(|| regex(r#"[&;,\s#"'|]+-{0,2}[A-Za-z0-9_.$%\[\]-]{1,80}="#));
/// Schemes of addresses whose name is the secret that lets one in.
const NAMELESS: [&str; 16] = [
    "redis",
    "rediss",
    "valkey",
    "valkeys",
    "nats",
    "trojan",
    "trojan-go",
    "vless",
    "vmess",
    "ss",
    "ssr",
    "hysteria",
    "hysteria2",
    "hy2",
    "tuic",
    "snell",
];
/// Schemes of addresses whose name is a token, unless it reads like a person's.
const TOKEN_USERS: [&str; 4] = ["http", "https", "ws", "wss"];
/// Names that are no tokens, though they have digits: what services want before a token, and users of databases.
const PLAIN_USERS: [&str; 3] = ["oauth2", "default", "user1"];
/// Fields of forms and queries that let one in, by the end of their names.
const FIELDS: [&str; 3] = ["assertion", "samlresponse", "samlart"];
/// The same, in queries of addresses.
const QUERY_FIELDS: [&str; 7] =
    ["ticket", "sid", "sessionid", "session_id", "jsessionid", "phpsessid", "sessid"];
/// Values of `AUTH=` that say how, and not with what.
const KINDS: [&str; 16] = [
    "basic", "bearer", "digest", "ldap", "oidc", "oauth", "oauth2", "saml", "pam", "kerberos", "gssapi",
    "plain", "login", "enabled", "disabled", "required",
];
/// `name:secret@host` without a scheme, also behind `domain/` and CVS's `:method:`.
static USER: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^((?:-{1,2}[A-Za-z-]*[= ]?)?(?::[a-z]+:)?(?:[A-Za-z0-9_.-]+[/\\])?[A-Za-z0-9_.$+-]+):(\S+)@([A-Za-z0-9_.-]+|\[[0-9a-fA-F:]+\])(:[0-9]*)?(?:/\S*)?$",
    )
});
static HEADER: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r#"(?is)^((?:-H=?|[A-Za-z0-9_.-]*[hH]eader[A-Za-z-]*[= ])?\s*["']?)([A-Za-z0-9_-]{2,80})(\s*:\s*)(\S.*)$"#,
    )
});

#[expect(clippy::unwrap_used, reason = "constant expressions, each of which a test compiles")]
fn regex(text: &str) -> Regex {
    Regex::new(text).unwrap()
}

/// The argument without its secrets, if it has any. `more` are parts of names that the configuration adds.
pub(super) fn redacted(arg: &str, more: &[String]) -> Option<String> {
    if arg.contains("PRIVATE KEY-----") {
        return Some(BLOT.to_owned());
    }
    if let Some(found) = header(arg, more) {
        return Some(found);
    }
    if let Some(rest) = arg.strip_prefix("pass:").filter(|rest| !rest.is_empty()) {
        return Some(format!("{}{BLOT}", &arg[..arg.len() - rest.len()]));
    }
    let mut text = arg.to_owned();
    if text.contains("://") {
        text = without_userinfo(&text);
    } else if let Some(found) = USER.captures(&text).filter(is_user) {
        text = format!("{}:{BLOT}@{}", &found[1], &text[found.get(3).map_or(0, |host| host.start())..]);
    }
    if text.contains('/') {
        text = HOOKS.replace_all(&text, |found: &Captures<'_>| format!("{}{BLOT}", &found[1])).into_owned();
    }
    if text.contains(['"', '\'']) {
        text = quoted(&text, more);
    }
    if text.contains('=') {
        text = named(&text, more);
    }
    text = phrases::redacted(text, more);
    if text.len() >= 20 {
        text = TOKENS.replace_all(&text, BLOT).into_owned();
    }
    (text != arg).then_some(text)
}

/// `Name: value` of HTTP.
fn header(arg: &str, more: &[String]) -> Option<String> {
    let found = HEADER.captures(arg)?;
    let (start, name, colon, value) = (&found[1], &found[2], &found[3], &found[4]);
    let lower = name.to_ascii_lowercase();
    let usual = matches!(
        lower.as_str(),
        "authorization"
            | "proxy-authorization"
            | "cookie"
            | "cookie2"
            | "set-cookie"
            | "x-auth-email"
            | "auth"
            | "x-session-id"
            | "session-id"
            | "x-session"
            | "x-hub-signature-256"
    ) || lower == "signature" && value.contains('=')
        || lower == "sec-websocket-protocol" && value.to_ascii_lowercase().contains("bearer");
    let ends = [
        "-key",
        "-token",
        "-secret",
        "-auth",
        "apikey",
        "-authorization",
        "-signature",
        "-password",
        "-pass",
        "-pwd",
    ];
    let is_field = start.len() > start.trim().len() || !start.is_empty() || colon.ends_with(' ');
    let port = value.bytes().all(|c| c.is_ascii_digit()) && value.len() <= 5;
    let by_name = promise(name, more) == Promise::Secret || ends.iter().any(|end| lower.ends_with(end));
    let secret = usual && lower != "x-auth-email"
        || by_name
            && (is_field || lower.starts_with("x-") || name.contains('-') && !port && looks_made(value));
    let value_is_field = secret && !value.starts_with("//") && !value.starts_with(BLOT);
    value_is_field.then(|| format!("{start}{name}: {BLOT}"))
}

/// Not the digest of an image, a package, or an address that begins with a scheme.
fn is_user(found: &Captures<'_>) -> bool {
    let (name, host) = (&found[1], &found[3]);
    let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let other =
        ["sha256", "sha512", "npm", "mailto", "sip", "xmpp", "git", "pkg", "file", "jsr", "workspace"];
    !other.contains(&name) && !matches!(host, "sha256" | "sha512") && !found[2].starts_with('/')
}

/// `scheme://name:secret@host` (RFC 3986, section 3.2.1), anywhere in an argument; a name alone is a secret if it looks like a
/// token, as that of Sentry's and GitHub's addresses.
fn without_userinfo(arg: &str) -> String {
    let mut rest = arg;
    let mut out = String::new();
    while let Some((before, after)) = rest.split_once("://") {
        out.push_str(before);
        out.push_str("://");
        let mut end = after.find(['/', '?', '#', ' ', '"', '\'']).unwrap_or(after.len());
        // A password that was not escaped may have what would end it: the host follows the last `@` before a space.
        let word = after.find([' ', '"', '\'']).unwrap_or(after.len());
        if !after[..end].contains('@')
            && let Some(at) = after[..word].rfind('@')
            && after[..end].split_once(':').is_some_and(|(_, port)| !port.bytes().all(|c| c.is_ascii_digit()))
        {
            end = at + after[at..word].find(['/', '?', '#']).unwrap_or(word - at);
        }
        let (authority, tail) = after.split_at(end);
        match authority.rsplit_once('@') {
            Some((user, host)) => {
                match user.split_once(':') {
                    Some((name, "")) if looks_made(name) => out.push_str(BLOT),
                    Some((_, "")) => out.push_str(user),
                    // `TOKEN:x-oauth-basic@`
                    Some((name, password)) if looks_made(name) || password == "x-oauth-basic" => {
                        out.push_str(&format!("{BLOT}:{BLOT}"))
                    }
                    Some((name, _)) => out.push_str(&format!("{name}:{BLOT}")),
                    None if looks_made(user) && !is_plain_user(user)
                        || TOKEN_USERS.iter().any(|scheme| is_scheme(before, scheme))
                            && !is_plain_user(user)
                        || !matches!(user, "" | "default")
                            && !is_reference(user)
                            && NAMELESS.iter().any(|scheme| is_scheme(before, scheme)) =>
                    {
                        out.push_str(BLOT)
                    }
                    None => out.push_str(user),
                }
                out.push('@');
                out.push_str(host);
            }
            None => out.push_str(authority),
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// Whether a name before `@` in an address of the web reads like a user's: small letters, an e-mail address, or a variable.
/// What has digits or capitals is taken for a token.
fn is_plain_user(user: &str) -> bool {
    let letter = |c: char| c.is_ascii_lowercase() || matches!(c, '.' | '_' | '-');
    user.len() <= 24 && user.chars().all(letter)
        || user.contains("%40")
        || user.contains(['{', '<', '$', '%'])
        || PLAIN_USERS.contains(&user)
}

/// Whether what stands before `://` ends with this scheme.
fn is_scheme(before: &str, scheme: &str) -> bool {
    let rest = before.strip_suffix(scheme);
    rest.is_some_and(|rest| !rest.ends_with(|c: char| c.is_ascii_alphanumeric() || "+-.".contains(c)))
}

/// Values behind names in quotes.
fn quoted(text: &str, more: &[String]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for found in QUOTED.captures_iter(text) {
        let Some((whole, name)) = found.get(0).zip(found.get(1)) else { continue };
        if whole.start() < from || promise(name.as_str(), more) == Promise::Nothing {
            continue;
        }
        let value = &text[whole.end()..];
        let length = value_length(value, |rest| rest.find([',', '}', ']', '\n']).unwrap_or(rest.len()));
        let (open, inner) = unquoted(&value[..length]);
        if inner.is_empty()
            || is_word(inner)
            || promise(name.as_str(), more) == Promise::Perhaps && !looks_made(inner)
        {
            continue;
        }
        blot(&mut out, &text[from..whole.end()], open);
        from = whole.end() + length;
    }
    out.push_str(&text[from..]);
    out
}

/// The text before a value, and in place of the value the replacement, in the value's quotes.
fn blot(out: &mut String, before: &str, quote: &str) {
    for part in [before, quote, BLOT, quote] {
        out.push_str(part);
    }
}

/// The length of a value: up to the end of its quotes, or as far as `bare` says.
fn value_length(value: &str, bare: impl Fn(&str) -> usize) -> usize {
    let escaped = value.starts_with("\\\"") || value.starts_with("\\'");
    let quote = value[usize::from(escaped)..].chars().next().filter(|c| matches!(c, '"' | '\''));
    let Some(quote) = quote else { return bare(value) };
    let start = usize::from(escaped) + 1;
    let mut before = ' ';
    for (at, c) in value[start..].char_indices() {
        if c == quote && (before == '\\') == escaped {
            return start + at + 1;
        }
        before = if before == '\\' && c == '\\' { ' ' } else { c };
    }
    value.len()
}

/// The quote around a value, and what is within.
fn unquoted(value: &str) -> (&str, &str) {
    for quote in ["\\\"", "\\'", "\"", "'"] {
        if let Some(inner) = value.strip_prefix(quote) {
            return (quote, inner.strip_suffix(quote).unwrap_or(inner));
        }
    }
    ("", value)
}

/// A value that says whether, and not what.
fn is_word(value: &str) -> bool {
    const WORDS: [&str; 10] = ["yes", "no", "true", "false", "on", "off", "none", "null", "nil", "ask"];
    WORDS.iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// Whether a name that promises nothing by itself has a secret where it stands.
fn is_field(name: &str, value: &str, text: &str, at: usize) -> bool {
    let lower = name.to_ascii_lowercase();
    let last = lower.rsplit(['_', '-', '.']).next().unwrap_or_default();
    let number = value.bytes().all(|c| c.is_ascii_digit());
    let in_query = text.contains("://") && text[..at].ends_with(['?', '&', ';']);
    // Variables of the environment.
    let variable = name.trim_start_matches("-e").bytes().all(|c| c.is_ascii_uppercase() || c == b'_');
    let ends = ["AUTH", "SALT"].iter().any(|end| name.ends_with(end));
    FIELDS.contains(&last)
        || lower.trim_start_matches("-d") == "code" && text.contains("grant_type=")
        || in_query && QUERY_FIELDS.contains(&lower.as_str()) && !number
        || variable && ends && !number && !KINDS.iter().any(|kind| value.eq_ignore_ascii_case(kind))
}

/// Values behind names and an equals sign.
fn named(text: &str, more: &[String]) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut from, mut search) = (0, 0);
    while let Some(found) = NAMED.captures_at(text, search) {
        let Some((whole, name)) = found.get(0).zip(found.get(1)) else { break };
        search = whole.end();
        let value = &text[whole.end()..];
        let mut promised = promise(name.as_str(), more);
        // `-dpin=…`, `-Fpin=…`, `-epin=…`
        if let Some(rest) =
            name.as_str().strip_prefix('-').and_then(|rest| rest.strip_prefix(['d', 'F', 'e']))
            && promised == Promise::Nothing
        {
            promised = promise(rest, more);
        }
        // `-o user=NAME:SECRET`
        let word = value.split([',', '&', ';', ' ']).next().unwrap_or_default();
        if let Some((user, _)) = word.split_once(':').filter(|(user, _)| !user.is_empty() && is_pair(word))
            && PAIRS.iter().any(|end| name.as_str().to_ascii_lowercase().ends_with(end))
            && !text.starts_with('-')
        {
            out.push_str(&text[from..whole.end()]);
            out.push_str(&format!("{user}:{BLOT}"));
            from = whole.end() + word.len();
            search = from;
            continue;
        }
        if is_field(name.as_str(), word, text, whole.start()) {
            promised = Promise::Secret;
        }
        if promised == Promise::Nothing
            || value.is_empty()
            || value.starts_with(['=', '~'])
            || value.starts_with(BLOT)
        {
            continue;
        }
        let in_query = text[..whole.start()].contains(['?', '#']) && text.contains("://");
        let ends = |rest: &str| match in_query {
            true => rest.find(['&', '#', '"', '\'', ' ']).unwrap_or(rest.len()),
            // Until another name follows: a secret may have every other character.
            false => NEXT.find(rest).map_or(rest.len(), |next| next.start()),
        };
        let length = value_length(value, ends);
        let (open, inner) = unquoted(&value[..length]);
        let lower = name.as_str().to_ascii_lowercase();
        let short = matches!(lower.as_str(), "key" | "code" | "auth") && inner.len() >= 8;
        if in_query && (short || lower.ends_with("signature")) {
            promised = Promise::Secret;
        }
        let refers = is_word(inner)
            || is_reference(inner)
            || is_pattern(inner)
            || inner.starts_with("%(")
            || inner.starts_with("{{");
        let path = is_path(inner) && may_be_path(name.as_str());
        let inner_has_names = promised == Promise::Perhaps && !looks_made(inner);
        if inner.is_empty() || refers || path || inner_has_names {
            continue;
        }
        blot(&mut out, &text[from..whole.end()], open);
        from = whole.end() + length;
        search = from;
    }
    out.push_str(&text[from..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_expression_is_one() {
        for expression in [&TOKENS, &HOOKS, &QUOTED, &NAMED, &NEXT, &USER, &HEADER] {
            assert!(!expression.as_str().is_empty());
        }
    }
}
