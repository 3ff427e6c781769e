//! Text that somebody else chose.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

use super::text::visible;

/// Text that a stranger may have chosen: a process, a peer, a container, the maker of a file. It is hostile until it has passed the
/// sanitiser of the sink that shows it, so it can neither be formatted nor taken for a `str`, nor does serde write it by itself.
///
/// A sink takes it through [`display_safe`], or through its own function that goes by that one: cells of CSV, text nodes of pictures,
/// the page's templates, the cells of the screen. What keeps, compares or matches it uses [`raw`](Untrusted::raw), which
/// `cargo xtask tidy` refuses in sinks; what has to give it to another connmon exactly says so with [`exact`].
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(transparent)]
pub struct Untrusted<T = String>(T);

impl<T: AsRef<str>> Untrusted<T> {
    /// The text as it was captured, for what matches, keeps or sorts it. Never for a sink.
    pub fn raw(&self) -> &str {
        self.0.as_ref()
    }

    /// The text with nothing in it that could change how its surroundings are shown: see [`display_safe`].
    pub fn shown(&self) -> Cow<'_, str> {
        display_safe(self)
    }

    /// The value that the text represents: an address, a number. The value contains no text.
    ///
    /// # Errors
    /// It is none.
    pub fn parse<F: FromStr>(&self) -> Result<F, F::Err> {
        self.raw().parse()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.raw().is_empty()
    }

    /// Its length in bytes.
    pub fn len(&self) -> usize {
        self.raw().len()
    }

    /// The same, borrowed.
    pub fn borrowed(&self) -> Untrusted<&str> {
        Untrusted(self.raw())
    }

    /// The same, to be kept in many places.
    pub fn shared(&self) -> Untrusted<Arc<str>> {
        Untrusted(self.raw().into())
    }

    /// Something made of it, which is as untrusted.
    pub fn map<'a, U: AsRef<str>>(&'a self, make: impl FnOnce(&'a str) -> U) -> Untrusted<U> {
        Untrusted(make(self.raw()))
    }
}

impl Untrusted {
    /// The text as it was captured, out of its wrapping: as [`raw`](Untrusted::raw).
    pub fn into_raw(self) -> String {
        self.0
    }

    /// Several, with something of our own between them.
    pub fn joined<'a, T: AsRef<str> + 'a>(
        parts: impl IntoIterator<Item = &'a Untrusted<T>>,
        between: &str,
    ) -> Self {
        let mut joined = String::new();
        for (place, part) in parts.into_iter().enumerate() {
            joined += if place == 0 { "" } else { between };
            joined += part.raw();
        }
        Self(joined)
    }
}

/// In quotes, with what is not printable escaped as in Rust: harmless.
impl<T: AsRef<str>> fmt::Debug for Untrusted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.raw(), f)
    }
}

impl<T> From<T> for Untrusted<T> {
    fn from(text: T) -> Self {
        Self(text)
    }
}

impl From<&str> for Untrusted {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<&str> for Untrusted<Arc<str>> {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<Cow<'_, str>> for Untrusted {
    fn from(text: Cow<'_, str>) -> Self {
        Self(text.into_owned())
    }
}

impl<'a> From<&'a String> for Untrusted<&'a str> {
    fn from(text: &'a String) -> Self {
        Self(text)
    }
}

impl<'a> From<&'a Cow<'_, str>> for Untrusted<&'a str> {
    fn from(text: &'a Cow<'_, str>) -> Self {
        Self(text)
    }
}

impl<'a> From<&'a Arc<str>> for Untrusted<&'a str> {
    fn from(text: &'a Arc<str>) -> Self {
        Self(text)
    }
}

impl<'a, T: AsRef<str>> From<&'a Untrusted<T>> for Untrusted<&'a str> {
    fn from(text: &'a Untrusted<T>) -> Self {
        text.borrowed()
    }
}

impl<T: AsRef<str>> PartialEq<str> for Untrusted<T> {
    fn eq(&self, other: &str) -> bool {
        self.raw() == other
    }
}

impl<T: AsRef<str>> PartialEq<&str> for Untrusted<T> {
    fn eq(&self, other: &&str) -> bool {
        self.raw() == *other
    }
}

/// `text` with every character that could change how its surroundings are shown escaped visibly as `\u{…}`.
///
/// Covered: C0 and C1 controls, DEL, line and paragraph separators, the bidirectional controls, invisible
/// formatting characters and non-characters. Markup is escaped by each sink itself.
pub fn display_safe<'a>(text: impl Into<Untrusted<&'a str>>) -> Cow<'a, str> {
    visible(text.into().0)
}

/// For serde's `serialize_with`: writes untrusted text exactly, for another connmon that reads it as untrusted again. Captures and the
/// socket of viewers are written so.
///
/// # Errors
/// The serializer's.
pub fn exact<S: Serializer>(text: &impl Exact, serializer: S) -> Result<S::Ok, S::Error> {
    text.exact(serializer)
}

/// The output of [`exact`].
pub trait Exact {
    /// Writes it.
    ///
    /// # Errors
    /// The serializer's.
    fn exact<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
}

/// A value that is written [exactly](exact) but is not a field.
pub struct Exactly<'a, T>(pub &'a T);

impl<T: Exact> Serialize for Exactly<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.exact(serializer)
    }
}

impl<T: AsRef<str>> Exact for Untrusted<T> {
    fn exact<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.raw())
    }
}

impl<T: Exact> Exact for Option<T> {
    fn exact<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_ref().map(Exactly).serialize(serializer)
    }
}

impl<T: Exact> Exact for Vec<T> {
    fn exact<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Exactly))
    }
}

impl<T: Exact> Exact for std::collections::BTreeSet<T> {
    fn exact<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Exactly))
    }
}

impl<K: Serialize, T: Exact> Exact for std::collections::HashMap<K, T> {
    fn exact<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(key, value)| (key, Exactly(value))))
    }
}

/// Something that is known by a key of ours.
impl<K: Serialize, T: Exact> Exact for (K, T) {
    fn exact<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.0, Exactly(&self.1)).serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    struct Told {
        #[serde(serialize_with = "exact")]
        name: Untrusted,
        #[serde(serialize_with = "exact", default)]
        user: Option<Untrusted>,
        #[serde(serialize_with = "exact")]
        names: Vec<(u8, Vec<Untrusted>)>,
    }

    #[test]
    fn it_is_shown_made_safe_and_told_exactly() {
        let hostile: Untrusted = "a\u{202e}b\u{1b}[2J".into();
        assert_eq!(hostile.shown(), "a\\u{202e}b\\u{1b}[2J");
        assert_eq!(format!("{hostile:?}"), "\"a\\u{202e}b\\u{1b}[2J\"");
        let told = Told { name: hostile.clone(), user: None, names: vec![(7, vec![hostile])] };
        let json = serde_json::to_string(&told).unwrap();
        assert_eq!(
            json,
            "{\"name\":\"a\u{202e}b\\u001b[2J\",\"user\":null,\"names\":[[7,[\"a\u{202e}b\\u001b[2J\"]]]}"
        );
        assert_eq!(serde_json::from_str::<Told>(&json).unwrap(), told);
        assert_eq!(serde_json::from_str::<Told>("{\"name\":\"\",\"names\":[]}").unwrap().user, None);
    }

    #[test]
    fn what_is_made_of_it_is_untrusted_too() {
        let path: Untrusted = "/bin/\u{1b}x".into();
        assert_eq!(path.map(|path| path.rsplit('/').next().unwrap_or(path)).shown(), "\\u{1b}x");
        assert_eq!(Untrusted::joined([&path, &"b".into()], ", "), "/bin/\u{1b}x, b");
    }
}
