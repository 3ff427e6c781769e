//! `connmon geo fetch`: the only network code in connmon.

use std::io::{IsTerminal, Read, Write, stderr};
use std::path::Path;
use std::time::Duration;

use sha2::{Digest, Sha256};
use ureq::Agent;

use super::install::{day, install};
use crate::cli;
use crate::clock::now;
use crate::commands::{CommandError, Outcome};
use connmon_analysis::format::bytes;
use connmon_record::display_safe;

/// Names that stand for this month's files of DB-IP.
const NAMES: [&str; 3] = ["dbip-country-lite", "dbip-city-lite", "dbip-asn-lite"];
/// Without an answer to a connection attempt.
const CONNECT: Duration = Duration::from_secs(30);
/// For everything together.
const WHOLE: Duration = Duration::from_secs(3_600);
/// Bytes between two lines of progress.
const STEP: usize = 4 << 20;

/// Why nothing was fetched. The data folder is as it was.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// It is neither a URL nor a known name.
    #[error("{0} is neither an http or https URL nor one of {names}", names = NAMES.join(", "))]
    Unknown(String),
    /// The server, or the way to it.
    #[error("{0} cannot be fetched: {1}")]
    Failed(String, Box<ureq::Error>),
    /// The connection broke.
    #[error("{0} cannot be fetched: {1}")]
    Broken(String, std::io::Error),
    /// It is larger than allowed.
    #[error("{0} has more than {1}; --max-size allows more")]
    TooLarge(String, String),
    /// It is not what was expected.
    #[error("{url} is not what was expected: its SHA-256 is {found}, not {wanted}; nothing was changed")]
    Digest {
        /// What was fetched.
        url: String,
        /// Its digest.
        found: String,
        /// The digest that was given.
        wanted: String,
    },
    /// What was given cannot be a digest.
    #[error("--sha256 {0}: a SHA-256 has 64 hexadecimal digits")]
    NoDigest(String),
}

/// Fetches a database and puts it into the data folder.
///
/// # Errors
/// The network, the digest, the file, or the folder; then the folder is as it was.
pub fn run(args: cli::Fetch) -> Result<Outcome, CommandError> {
    let today = day(now());
    let url = url(&args.from, &today)?;
    if let Some(wanted) = args.sha256.as_ref().filter(|hex| !is_digest(hex)) {
        return Err(FetchError::NoDigest(wanted.clone()).into());
    }
    let most = u64::from(args.max_size) << 20;
    let content = fetch(&url, most)?;
    let found = connmon_record::hex(&Sha256::digest(&content));
    let _ = writeln!(stderr(), "{}: {}, SHA-256 {found}", display_safe(&url), bytes(content.len() as u64));
    if let Some(wanted) = args.sha256.filter(|wanted| !wanted.eq_ignore_ascii_case(&found)) {
        return Err(FetchError::Digest { url, found, wanted }.into());
    }
    let path = url.split(['?', '#']).next().unwrap_or(&url);
    install(Path::new(path), content, &args.install, &today, most)
}

/// The address behind a name, or what is one already.
fn url(from: &str, today: &str) -> Result<String, FetchError> {
    if from.starts_with("https://") || from.starts_with("http://") {
        return Ok(from.to_owned());
    }
    if !NAMES.contains(&from) {
        return Err(FetchError::Unknown(from.to_owned()));
    }
    let month = today.get(..7).unwrap_or(today);
    Ok(format!("https://download.db-ip.com/free/{from}-{month}.mmdb.gz"))
}

fn is_digest(hex: &str) -> bool {
    hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn fetch(url: &str, most: u64) -> Result<Vec<u8>, FetchError> {
    let agent: Agent = Agent::config_builder()
        .timeout_connect(Some(CONNECT))
        .timeout_global(Some(WHOLE))
        // Nothing that began encrypted goes on in the open.
        .https_only(url.starts_with("https://"))
        .user_agent(concat!("connmon/", env!("CARGO_PKG_VERSION")))
        .build()
        .into();
    let failed = |error| FetchError::Failed(url.to_owned(), Box::new(error));
    let mut response = agent.get(url).call().map_err(failed)?;
    let mut body = response.body_mut().with_config().limit(u64::MAX).reader().take(most + 1);
    let (mut content, mut part, mut shown) = (Vec::new(), vec![0; 1 << 16], 0);
    let terminal = stderr().is_terminal();
    loop {
        let read = body.read(&mut part).map_err(|error| FetchError::Broken(url.to_owned(), error))?;
        if read == 0 {
            break;
        }
        content.extend_from_slice(&part[..read]);
        if terminal && content.len() >= shown + STEP {
            shown = content.len();
            let _ = write!(stderr(), "\r\x1b[K{} so far", bytes(shown as u64));
        }
    }
    if shown > 0 {
        let _ = write!(stderr(), "\r\x1b[K");
    }
    if content.len() as u64 > most {
        return Err(FetchError::TooLarge(url.to_owned(), bytes(most)));
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses() {
        let url = |from| url(from, "2026-11-21").ok();
        assert_eq!(
            url("dbip-city-lite").as_deref(),
            Some("https://download.db-ip.com/free/dbip-city-lite-2026-11.mmdb.gz")
        );
        assert_eq!(url("http://127.0.0.1/x").as_deref(), Some("http://127.0.0.1/x"));
        for other in ["file:///etc/passwd", "ftp://x", "dbip", ""] {
            assert_eq!(url(other), None, "{other}");
        }
        assert!(is_digest(&"aB".repeat(32)) && !is_digest("ab") && !is_digest(&"xy".repeat(32)));
    }
}
