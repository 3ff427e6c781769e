//! rpm: an SQLite file with a header for each package (RPM format manual, "RPM v4 header"; rpm 4.16 and later). Of the Berkeley DB files of
//! earlier versions nothing is known.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

/// Where distributions keep it: Fedora and openSUSE, and Red Hat Enterprise Linux.
pub(super) const DATABASES: [&str; 2] = ["usr/lib/sysimage/rpm/rpmdb.sqlite", "var/lib/rpm/rpmdb.sqlite"];

/// What a header's entry tells (RPM format manual, "Tags").
mod tag {
    pub const NAME: u32 = 1000;
    pub const FILEDIGESTS: u32 = 1035;
    pub const DIRINDEXES: u32 = 1116;
    pub const BASENAMES: u32 = 1117;
    pub const DIRNAMES: u32 = 1118;
}

/// The names of packages and their files; `None` if rpm is not there. `most` is how many bytes are read.
pub(super) fn lists(root: &Path, most: u64) -> io::Result<Option<Vec<(String, String)>>> {
    let Some(path) = database(root) else { return Ok(None) };
    if fs::metadata(&path)?.len() > most {
        return Err(super::too_large());
    }
    let lists = read(&path).map_err(io::Error::other)?;
    Ok((!lists.is_empty()).then_some(lists))
}

/// The digest of a file that a package lists by one of these paths; `None` if it has none, or rpm is at work.
pub(super) fn digest(root: &Path, package: &str, paths: &[String]) -> io::Result<Option<String>> {
    let Some(path) = database(root) else { return Ok(None) };
    let mut log = path.clone().into_os_string();
    log.push("-wal");
    if fs::metadata(log).is_ok_and(|log| log.len() > 0) {
        return Ok(None);
    }
    let mut found = None;
    each_header(&path, &mut |header| {
        let header = Header::new(header)?;
        if found.is_none() && header.texts(tag::NAME)?.next() == Some(package) {
            let mut files = header.files().zip(header.texts(tag::FILEDIGESTS)?);
            found = files.find(|(file, _)| paths.contains(file)).map(|(_, digest)| digest.to_owned());
        }
        Some(())
    })
    .map_err(io::Error::other)?;
    Ok(found)
}

fn database(root: &Path) -> Option<PathBuf> {
    DATABASES.into_iter().map(|path| root.join(path)).find(|path| path.is_file())
}

fn read(path: &Path) -> rusqlite::Result<Vec<(String, String)>> {
    let mut lists = Vec::new();
    each_header(path, &mut |header| {
        lists.push(package(header)?);
        Some(())
    })?;
    lists.sort_unstable();
    Ok(lists)
}

/// Reads without locks and without the log, in which nothing is while rpm does not run. What is no header is passed over.
fn each_header(path: &Path, each: &mut dyn FnMut(&[u8]) -> Option<()>) -> rusqlite::Result<()> {
    let address = format!("file:{}?immutable=1", escaped(&path.to_string_lossy()));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let db = Connection::open_with_flags(address, flags)?;
    // A view could be anything.
    let tables = "SELECT count(*) FROM sqlite_schema WHERE name = 'Packages' AND type = 'table'";
    if db.query_row(tables, [], |row| row.get::<_, i64>(0))? == 0 {
        return Ok(());
    }
    let mut headers = db.prepare("SELECT blob FROM Packages")?;
    let mut rows = headers.query([])?;
    while let Some(row) = rows.next()? {
        each(row.get_ref(0)?.as_bytes()?);
    }
    Ok(())
}

/// A path as a part of an address.
fn escaped(path: &str) -> String {
    path.replace('%', "%25").replace('?', "%3f").replace('#', "%23")
}

/// The name of a package and its files, each between line breaks; `None` of what is no header.
fn package(header: &[u8]) -> Option<(String, String)> {
    let header = Header::new(header)?;
    let name = header.texts(tag::NAME)?.next()?.to_owned();
    let files = header.files().map(|file| file + "\n").collect::<String>();
    Some((name, format!("\n{files}")))
}

/// Two numbers, so many entries of four numbers, and so many bytes to which these point; all numbers have 32 bits, the highest first.
struct Header<'a> {
    entries: &'a [[u8; 16]],
    data: &'a [u8],
}

impl<'a> Header<'a> {
    fn new(bytes: &'a [u8]) -> Option<Self> {
        let (count, rest) = bytes.split_first_chunk::<4>()?;
        let (size, rest) = rest.split_first_chunk::<4>()?;
        let (entries, data) = rest
            .as_chunks::<16>()
            .0
            .split_at_checked(number(count)?)
            .map(|(entries, _)| (entries, rest.get(size_of_val(entries)..).unwrap_or_default()))?;
        Some(Self { entries, data: data.get(..number(size)?)? })
    }

    /// Where the data of a tag begins, and how many values it has.
    fn find(&self, tag: u32) -> Option<(&'a [u8], usize)> {
        let entry = self.entries.iter().find(|entry| entry.starts_with(&tag.to_be_bytes()))?;
        let [at, count] =
            [8, 12].map(|at| entry.get(at..at + 4).and_then(|bytes| number(bytes.first_chunk()?)));
        Some((self.data.get(at?..)?, count?))
    }

    /// The paths of the files, as far as the header contradicts itself nowhere.
    fn files(&self) -> impl Iterator<Item = String> {
        let folders: Vec<&str> = self.texts(tag::DIRNAMES).into_iter().flatten().collect();
        let places = self.numbers(tag::DIRINDEXES).unwrap_or_default();
        let names = self.texts(tag::BASENAMES).into_iter().flatten();
        names.zip(places).map_while(move |(name, place)| {
            Some(format!("{}{name}", folders.get(usize::try_from(place).ok()?)?))
        })
    }

    /// Texts, each with a zero after it.
    fn texts(&self, tag: u32) -> Option<impl Iterator<Item = &'a str> + use<'a>> {
        let (data, count) = self.find(tag)?;
        Some(data.split(|byte| *byte == 0).take(count).map(|text| str::from_utf8(text).unwrap_or_default()))
    }

    fn numbers(&self, tag: u32) -> Option<Vec<u32>> {
        let (data, count) = self.find(tag)?;
        let numbers = data.as_chunks::<4>().0.get(..count)?;
        Some(numbers.iter().map(|bytes| u32::from_be_bytes(*bytes)).collect())
    }
}

fn number(bytes: &[u8; 4]) -> Option<usize> {
    usize::try_from(u32::from_be_bytes(*bytes)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_header_is_passed_over() {
        // An entry for the name, with one text at byte 0.
        let entry = [1000_u32, 6, 0, 1].map(u32::to_be_bytes).concat();
        let header = |count: u32, size: u32, data: &[u8]| {
            [&count.to_be_bytes()[..], &size.to_be_bytes()[..], &entry[..], data].concat()
        };
        assert_eq!(package(&header(1, 5, b"curl\0")), Some(("curl".to_owned(), "\n".to_owned())));
        for bad in [
            &header(1, 6, b"curl\0")[..],
            &header(2, 5, b"curl\0"),
            &header(u32::MAX, 5, b""),
            b"",
            b"\0\0\0\x01",
        ] {
            assert_eq!(package(bad), None, "{bad:?}");
        }
    }
}
