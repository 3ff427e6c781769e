//! A message over HTTP, to an address that the configuration names. Without one connmon asks nothing of any network.

use std::time::Duration;

use ureq::Agent;

/// For everything together.
const WHOLE: Duration = Duration::from_secs(10);

/// Sends a message.
///
/// # Errors
/// The server cannot be reached, or does not take it.
pub fn send(url: &str, json: &str) -> Result<(), Box<ureq::Error>> {
    let config = Agent::config_builder().timeout_global(Some(WHOLE)).max_redirects(0).build();
    let agent = Agent::new_with_config(config);
    let answer = agent.post(url).header("content-type", "application/json").send(json).map_err(Box::new)?;
    match answer.status().as_u16() {
        200..=299 => Ok(()),
        other => Err(Box::new(ureq::Error::StatusCode(other))),
    }
}

/// Scheme and host of an address: what follows may be a secret.
pub fn place_of(url: &str) -> &str {
    let from = url.find("://").map_or(0, |at| at + 3);
    let end = url[from..].find(['/', '?', '#']).map_or(url.len(), |at| from + at);
    &url[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_in_addresses_are_not_shown() {
        for (url, place) in [
            ("https://hooks.example/services/T0/B0/secret", "https://hooks.example"),
            ("http://127.0.0.1:9000?key=1", "http://127.0.0.1:9000"),
            ("https://a.example", "https://a.example"),
        ] {
            assert_eq!(place_of(url), place);
        }
    }
}
