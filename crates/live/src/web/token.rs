//! The token that a browser needs: a random number, which becomes a cookie.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::ServeError;
use connmon_record::hex;

/// Random bytes of a token.
const BYTES: usize = 32;
/// The smallest number of characters: a shorter token can be guessed.
const LEAST: usize = 32;

/// A token, and the cookie that stands for it.
#[derive(Clone)]
pub struct Token {
    text: String,
    cookie: String,
}

impl Token {
    /// A new one.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn random() -> Result<Self, ServeError> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes).map_err(|error| ServeError::Random(error.to_string()))?;
        Ok(Self::new(hex(&bytes)))
    }

    /// The one in a file that only its owner can read; a file that does not exist is made, with a new one. So browsers stay
    /// known when the server begins again.
    ///
    /// # Errors
    /// The file can be read by others, or holds nothing that could be one.
    pub fn of_file(path: &Path) -> Result<Self, ServeError> {
        let error = |error: &dyn ToString| ServeError::Token(path.into(), error.to_string());
        match OpenOptions::new().read(true).open(path) {
            Ok(mut file) => {
                let mode = file.metadata().map_err(|e| error(&e))?.permissions().mode();
                if mode & 0o077 != 0 {
                    return Err(error(&"other users can read this token: run chmod 600 on it"));
                }
                let mut text = String::new();
                (&mut file).take(4096).read_to_string(&mut text).map_err(|e| error(&e))?;
                let text = text.trim();
                let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
                if text.len() < LEAST || !text.chars().all(plain) {
                    return Err(error(&"a token is at least 32 letters, digits, - or _"));
                }
                Ok(Self::new(text.to_owned()))
            }
            Err(missing) if missing.kind() == ErrorKind::NotFound => {
                let token = Self::random()?;
                let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
                file.and_then(|mut file| writeln!(file, "{}", token.text)).map_err(|e| error(&e))?;
                Ok(token)
            }
            Err(other) => Err(error(&other)),
        }
    }

    fn new(text: String) -> Self {
        // The cookie does not give the token away, and the token of a file gives the same cookie again.
        let cookie = hex(&Sha256::digest(format!("connmon cookie {text}")));
        Self { text, cookie }
    }

    /// As it stands in the address.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The cookie's value.
    pub fn cookie(&self) -> &str {
        &self.cookie
    }

    /// Whether this is the token.
    pub fn is(&self, text: &str) -> bool {
        same(&self.text, text)
    }

    /// Whether this is the cookie's value.
    pub fn is_cookie(&self, text: &str) -> bool {
        same(&self.cookie, text)
    }
}

/// Compares in a time that does not reveal where two texts differ. Their length is no secret.
fn same(a: &str, b: &str) -> bool {
    let differences = a.bytes().zip(b.bytes()).fold(0, |all, (a, b)| std::hint::black_box(all | (a ^ b)));
    a.len() == b.len() && differences == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_like_no_other() {
        let (a, b) = (Token::random().unwrap(), Token::random().unwrap());
        assert_eq!(a.text().len(), 64);
        assert!(a.is(a.text()) && !a.is(b.text()) && !a.is("") && !a.is(&a.text()[1..]));
        assert!(a.is_cookie(a.cookie()) && !a.is_cookie(a.text()) && !a.is(a.cookie()));
        assert!(!a.is(&format!("{}0", a.text())));
    }

    #[test]
    fn a_file_keeps_its_token_to_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let made = Token::of_file(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Token::of_file(&path).unwrap().cookie(), made.cookie());
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        assert!(matches!(Token::of_file(&path), Err(ServeError::Token(..))));
        for text in ["", "short", &"x y".repeat(20)] {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
            assert!(Token::of_file(&path).is_err(), "{text}");
        }
    }
}
