//! The host's own list of names, /etc/hosts (hosts(5)).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::time::SystemTime;
use std::{fs, io};

use super::sys;
use connmon_record::frame::Frame;
use connmon_record::{AddressNames, Untrusted, from_bytes};

/// The path of the file.
const PATH: &str = "/etc/hosts";
/// Bytes that are read; what some put there to block advertisements is longer, and names nothing.
const MAX_BYTES: u64 = 4 << 20;
/// Names of an address that are kept.
const MAX_NAMES: usize = 8;
/// Addresses that are kept.
const MAX_ADDRESSES: usize = 4096;

/// Reads the list again when it has changed.
#[derive(Default)]
pub struct Hosts {
    read: Option<(SystemTime, u64)>,
}

impl Hosts {
    /// The list, if it has changed since the last call. A host without one has no names to tell.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub fn changed(&mut self) -> io::Result<Option<Frame>> {
        self.changed_at(Path::new(PATH))
    }

    fn changed_at(&mut self, path: &Path) -> io::Result<Option<Frame>> {
        let about = match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            about => about?,
        };
        let state = Some((about.modified()?, about.len()));
        if state == self.read {
            return Ok(None);
        }
        self.read = state;
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut io::Read::take(fs::File::open(path)?, MAX_BYTES), &mut bytes)?;
        Ok(Some(Frame::Hosts(sys::boot_time_ns(), parse(&from_bytes(&bytes)))))
    }
}

/// Addresses and their names, in the order of the addresses. The unspecified address names nobody.
fn parse(text: &str) -> AddressNames {
    let mut all: BTreeMap<IpAddr, Vec<Untrusted>> = BTreeMap::new();
    for line in text.lines() {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let Some(ip) = words.next().and_then(|word| word.parse::<IpAddr>().ok()) else { continue };
        let ip = ip.to_canonical();
        if ip.is_unspecified() || (all.len() >= MAX_ADDRESSES && !all.contains_key(&ip)) {
            continue;
        }
        let names = all.entry(ip).or_default();
        for word in words {
            let name = Untrusted::from(word.trim_end_matches('.').to_ascii_lowercase());
            if names.len() < MAX_NAMES && !name.is_empty() && !names.contains(&name) {
                names.push(name);
            }
        }
    }
    all.into_iter().filter(|(_, names)| !names.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_by_address() {
        let all = parse(
            "# a comment\n127.0.0.1\tlocalhost Localhost.\n::1 localhost ip6-localhost # more\n0.0.0.0 ads.example\n\
             ::ffff:10.0.0.1 db.example db\n10.0.0.1 db-old\nnonsense here\n10.0.0.2\n",
        );
        let names = |ip: &str| {
            all.iter()
                .find(|(known, _)| *known == ip.parse::<IpAddr>().unwrap())
                .map(|(_, names)| Untrusted::joined(names, " ").into_raw())
        };
        assert_eq!(names("127.0.0.1").as_deref(), Some("localhost"));
        assert_eq!(names("::1").as_deref(), Some("localhost ip6-localhost"));
        assert_eq!(names("10.0.0.1").as_deref(), Some("db.example db db-old"));
        assert_eq!(all.len(), 3);
    }

    #[test]
    fn told_again_only_when_changed() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "10.0.0.1 a\n").unwrap();
        let mut hosts = Hosts::default();
        assert!(hosts.changed_at(file.path()).unwrap().is_some());
        assert!(hosts.changed_at(file.path()).unwrap().is_none());
        fs::write(file.path(), "10.0.0.1 a\n10.0.0.2 b\n").unwrap();
        assert!(hosts.changed_at(file.path()).unwrap().is_some());
        assert!(hosts.changed_at(Path::new("/nonexistent/hosts")).unwrap().is_none());
    }
}
