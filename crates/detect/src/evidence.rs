//! Evidence: the filter of the query language that selects the connections of a finding.

use std::net::IpAddr;

use connmon_record::Untrusted;

use crate::finding::Subject;
use crate::program::Program;
use crate::world::Destination;

/// A filter that is put together from tests that must all match.
#[derive(Clone, Debug, Default)]
pub(crate) struct Evidence(String);

impl Evidence {
    /// The connections of a program, by its hash, else its path, else its name.
    pub(crate) fn of_program(program: &Program) -> Self {
        Self::of(program.sha256.as_deref(), &program.path, &program.comm)
    }

    /// The connections of the program that a finding is about.
    pub(crate) fn of_subject(subject: &Subject) -> Self {
        Self::of(subject.sha256.as_deref(), &subject.exe, &subject.comm)
    }

    fn of(sha256: Option<&str>, path: &Untrusted, comm: &Untrusted) -> Self {
        let own = Self::default();
        match sha256 {
            Some(hash) => own.word(&format!("hash={hash}")),
            None if !path.is_empty() => own.text("exe=", path),
            None if !comm.is_empty() => own.text("proc=", comm),
            None => own,
        }
    }

    /// Only those to or from a destination.
    #[must_use]
    pub(crate) fn with(self, destination: &Destination) -> Self {
        match destination {
            Destination::Name(name) => self.text("host=", name),
            Destination::Network(number, _) => self.word(&format!("asn:{number}")),
            Destination::Address(ip) => self.address(*ip),
        }
    }

    /// Only those with a remote address.
    #[must_use]
    pub(crate) fn address(self, ip: IpAddr) -> Self {
        self.word(&format!("ip:{ip}"))
    }

    /// A test that consists of words of ours.
    #[must_use]
    pub(crate) fn word(mut self, word: &str) -> Self {
        if !self.0.is_empty() {
            self.0.push(' ');
        }
        self.0.push_str(word);
        self
    }

    /// A test of a field (with its operator) with captured text, in quotes.
    #[must_use]
    pub(crate) fn text<T: AsRef<str>>(self, field: &str, text: &Untrusted<T>) -> Self {
        let quoted = text.raw().replace('\\', "\\\\").replace('"', "\\\"");
        self.word(&format!("{field}\"{quoted}\""))
    }

    /// The filter, with captured text in it.
    pub(crate) fn into_filter(self) -> Untrusted {
        self.0.into()
    }
}

#[cfg(test)]
mod tests {
    use connmon_filter::Filter;
    use connmon_record::Timestamp;

    use super::*;

    #[test]
    fn hostile_text_stays_within_its_quotes() {
        for hostile in ["a\" or bytes>0 or \"b", "back\\", "\\\"", "x y", "\u{202e}(", "a,b"] {
            let filter =
                Evidence::default().text::<String>("host=", &hostile.into()).word("dir:out").into_filter();
            let filter = Filter::parse(filter.raw(), Timestamp(0)).unwrap();
            let mut row = connmon_filter::FilterRow { direction: "out".into(), tx: 5, ..Default::default() };
            assert!(!filter.fits(&row), "{hostile}");
            row.hosts.push(hostile.into());
            assert!(filter.fits(&row), "{hostile}");
        }
    }
}
