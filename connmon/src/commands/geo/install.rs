//! `connmon geo import`, and how a database gets into the data folder: whole or not at all, with the one before kept.

use std::fs;
use std::io::{self, Read, Write, stderr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::cli;
use crate::commands::{CommandError, Outcome, write_file};
use connmon_analysis::format::{bytes, count, grouped};
use connmon_enrich::geo::{
    Database, Flaws, GeoError, ImportError, Imported, Ranges, import as convert, usual_terms,
};
use connmon_record::{GeoDatabase, Timestamp, Untrusted, display_safe};
use connmon_system::files;

/// Bytes that an unpacked file may have.
const MOST: u64 = 4 << 30;
/// Values that are listed at most.
const MOST_LISTED: usize = 100_000;

/// Why a database cannot be added.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The file cannot be read.
    #[error("{0} cannot be read: {1}")]
    Read(String, io::Error),
    /// The CSV has a bad row, and so on.
    #[error("{0} cannot be imported: {1}")]
    Import(String, ImportError),
    /// An archive of several files.
    #[error("{0} is an archive: unpack it and import the .mmdb or .csv in it")]
    Archive(String),
    /// It does not fit into memory, or is meant to.
    #[error("{0} has more than {1} when it is unpacked; --max-size of `connmon geo fetch` allows more")]
    TooLarge(String, String),
    /// `--name` is no name of a file.
    #[error(
        "--name {0}: a name has letters, digits, dots, dashes and underscores, and begins with a letter or digit"
    )]
    Name(String),
    /// `--date` is no date.
    #[error("--date {0}: not a valid date; write it as 2026-01-31")]
    Date(String),
    /// The folder cannot be made.
    #[error("{0} cannot be created: {1}")]
    Folder(String, io::Error),
}

/// Adds a file.
///
/// # Errors
/// It cannot be read or is no database, or the folder cannot be written to.
pub fn import(args: cli::Import) -> Result<Outcome, CommandError> {
    let name = args.file.display().to_string();
    let changed = fs::metadata(&args.file)
        .and_then(|metadata| metadata.modified())
        .map_err(|error| InstallError::Read(name.clone(), error))?;
    let since = changed.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let day = day(Timestamp(i64::try_from(since.as_nanos()).unwrap_or(0)));
    let content = files::read(&args.file).map_err(|error| InstallError::Read(name, error))?;
    // Packages come with times of long before there were such tables.
    let day = if day.as_str() < "2000" { "" } else { &day };
    install(&args.file, content, &args.install, day, MOST)
}

/// Puts a database into the data folder. `file` is what it was called, `day` what counts as its date if nothing else tells.
pub(super) fn install(
    file: &Path,
    content: Vec<u8>,
    options: &cli::Install,
    day: &str,
    most: u64,
) -> Result<Outcome, CommandError> {
    let shown = file.display().to_string();
    let content = unpack(content, &shown, most)?;
    let name = name(file, options.name.as_deref())?;
    let folder = options.geo_dir.clone().unwrap_or_else(|| cli::DEFAULT_GEO_DIR.into());
    let (mut overlaps, mut not_read) = (None, NotRead::default());
    let (path, content, what) = if is_csv(&content) {
        let (content, imported) = from_csv(&content, &shown, &name, options, day)?;
        not_read = NotRead::of_csv(&imported);
        let (rows, records) =
            (count(imported.rows, "row", "rows"), count(imported.records, "record", "records"));
        let what = format!("{rows}, {records}, {}", bytes(content.len() as u64));
        overlaps = imported.first_overlap.map(|line| (imported.overlaps, line));
        (folder.join(format!("{name}.cgeo")), content, what)
    } else {
        let ending = if content.starts_with(Ranges::MAGIC) { "cgeo" } else { "mmdb" };
        let path = folder.join(format!("{name}.{ending}"));
        let what = bytes(content.len() as u64);
        (path, content, what)
    };
    // What does not open here would make every recording fail that finds it in the folder.
    let database = Database::from_bytes(&path, content.clone())?;
    let most = if options.explain { MOST_LISTED } else { 1 };
    let flaws = database
        .examine(most, options.explain)
        .map_err(|why| GeoError::File(shown, format!("it is damaged ({why})")))?;
    not_read.add(flaws);
    let kept = put(&folder, &path, &content)?;
    let about = database.about();
    let mut out = stderr().lock();
    let date = if about.date.is_empty() { "no date".into() } else { about.date.shown() };
    let _ = writeln!(out, "{}: {}, {date}, {what}", path.display(), about.kind.shown());
    if let Some((overlaps, line)) = overlaps {
        let rows = count(overlaps, "row overlaps", "rows overlap");
        let _ = writeln!(
            out,
            "{rows} with another range, the first in line {line}; the range that begins later takes precedence"
        );
    }
    not_read.tell(options.explain, &mut out);
    if let Some(kept) = kept {
        let _ = writeln!(out, "the previous file is kept as {}", kept.display());
    }
    let terms = Untrusted::joined([&about.licence, &about.attribution].into_iter().flatten(), "; ");
    let _ = match terms.is_empty() {
        true => writeln!(out, "its licence is unknown: see the file's source"),
        false => writeln!(out, "licence: {}", terms.shown()),
    };
    Ok(Outcome::Done)
}

/// What of a file was not understood, or not used.
#[derive(Default)]
struct NotRead {
    cells: u64,
    each: Vec<String>,
    unused: Vec<String>,
}

impl NotRead {
    fn of_csv(imported: &Imported) -> Self {
        Self {
            cells: imported.unread,
            each: imported.each.iter().map(|(line, what)| format!("line {line}: {what}")).collect(),
            unused: imported.unused.iter().map(|(nth, name)| format!("column {nth}: {name}")).collect(),
        }
    }

    fn add(&mut self, flaws: Flaws) {
        self.cells += flaws.records;
        self.each.extend(flaws.each);
        let records = |number| count(number, "record", "records");
        self.unused
            .extend(flaws.unused.into_iter().map(|(field, number)| format!("{field}: {}", records(number))));
    }

    /// Counts it, and lists it if that was asked for.
    fn tell(&self, explain: bool, out: &mut impl Write) {
        let mut say = |line: &str| {
            let _ = writeln!(out, "{}", display_safe(line));
        };
        if self.cells > 0 {
            let values = count(self.cells, "value", "values");
            let first = self.each.first().filter(|_| !explain).map(|first| format!("; the first: {first}"));
            say(&format!("{values} not understood{}", first.unwrap_or_default()));
        }
        if explain {
            self.each.iter().for_each(|each| say(&format!("not understood: {each}")));
            let more = self.cells.saturating_sub(self.each.len() as u64);
            if more > 0 {
                say(&format!("not understood: and {} more", grouped(more)));
            }
            self.unused.iter().for_each(|unused| say(&format!("not used: {unused}")));
        }
    }
}

fn from_csv(
    content: &[u8],
    shown: &str,
    name: &str,
    options: &cli::Install,
    day: &str,
) -> Result<(Vec<u8>, Imported), InstallError> {
    let usual = usual_terms(name).or_else(|| usual_terms(shown));
    let (licence, attribution) =
        usual.map_or((None, None), |(l, a)| (Some(l.to_owned()), Some(a.to_owned())));
    let date = match &options.date {
        Some(date) if date_in(date).as_deref() == Some(date) => date.clone(),
        Some(date) => return Err(InstallError::Date(date.clone())),
        None => date_in(shown).unwrap_or_else(|| day.to_owned()),
    };
    let about = GeoDatabase {
        name: name.into(),
        date: date.into(),
        source: Path::new(shown).file_name().unwrap_or_default().to_string_lossy().into(),
        licence: options.licence.clone().or(licence).map(Untrusted::from),
        attribution: options.attribution.clone().or(attribution).map(Untrusted::from),
        ..GeoDatabase::default()
    };
    convert(content, about).map_err(|error| InstallError::Import(shown.to_owned(), error))
}

/// Unpacks gzip, if that is what it is.
fn unpack(content: Vec<u8>, shown: &str, most: u64) -> Result<Vec<u8>, InstallError> {
    let content = if content.starts_with(&[0x1f, 0x8b]) {
        let mut plain = Vec::new();
        MultiGzDecoder::new(&content[..])
            .take(most + 1)
            .read_to_end(&mut plain)
            .map_err(|error| InstallError::Read(shown.to_owned(), error))?;
        plain
    } else {
        content
    };
    if content.len() as u64 > most {
        return Err(InstallError::TooLarge(shown.to_owned(), bytes(most)));
    }
    if content.get(257..262) == Some(b"ustar") || content.starts_with(b"PK\x03\x04") {
        return Err(InstallError::Archive(shown.to_owned()));
    }
    Ok(content)
}

/// Whether this is text, as far as its beginning tells. A database has zeros early on.
fn is_csv(content: &[u8]) -> bool {
    let start = &content[..content.len().min(512)];
    !start.contains(&0) && [b',', b'\t', b';', b'|'].iter().any(|delimiter| start.contains(delimiter))
}

/// What a database is called: as it was asked for, else its file without the usual endings.
fn name(file: &Path, asked: Option<&str>) -> Result<String, InstallError> {
    let mut name = match asked {
        Some(name) => name.to_owned(),
        None => file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
    };
    for ending in [".gz", ".csv", ".mmdb", ".cgeo"] {
        name.truncate(name.strip_suffix(ending).unwrap_or(&name).len());
    }
    let fits = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        && name.len() <= 100;
    if fits { Ok(name) } else { Err(InstallError::Name(name)) }
}

/// The first `2026-01-31` or `2026-01` in a text, the latter with the first day.
fn date_in(text: &str) -> Option<String> {
    let fits = |part: &str| Timestamp::parse(&format!("{part}T00:00:00Z"), Timestamp::default()).is_ok();
    let at = |start: usize| {
        let whole = text.get(start..start + 10).filter(|part| fits(part)).map(str::to_owned);
        let month = || text.get(start..start + 7).map(|part| format!("{part}-01")).filter(|part| fits(part));
        whole.or_else(month)
    };
    let after_digit = |start: usize| text[..start].ends_with(|c: char| c.is_ascii_digit());
    text.char_indices().map(|(start, _)| start).filter(|start| !after_digit(*start)).find_map(at)
}

/// The day of a moment.
pub(super) fn day(time: Timestamp) -> String {
    time.to_string().chars().take(10).collect()
}

/// Writes a file beside its place and renames it, after the one that is there has got a second name.
fn put(folder: &Path, path: &Path, content: &[u8]) -> Result<Option<PathBuf>, CommandError> {
    fs::create_dir_all(folder).map_err(|error| InstallError::Folder(folder.display().to_string(), error))?;
    let mut old = path.as_os_str().to_owned();
    old.push(".old");
    let old = PathBuf::from(old);
    let kept = path.exists();
    if kept {
        let failed = |error| CommandError::File(old.display().to_string(), error);
        match fs::remove_file(&old) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => fs::hard_link(path, &old).map_err(failed)?,
        }
    }
    write_file(path, |out| {
        // Geo data are no secret, unlike what connmon records.
        out.get_ref().set_permissions(fs::Permissions::from_mode(0o644))?;
        out.write_all(content)
    })?;
    files::sync_folder(folder).map_err(|error| CommandError::File(folder.display().to_string(), error))?;
    Ok(kept.then_some(old))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_in_names() {
        for (text, date) in [
            ("dbip-city-lite-2026-06.csv.gz", Some("2026-06-01")),
            ("/tmp/asn_2026-06-17.csv", Some("2026-06-17")),
            ("x-12026-06-17", None),
            ("2026-13-01", None),
            ("é-2026", None),
            ("", None),
        ] {
            assert_eq!(date_in(text).as_deref(), date, "{text}");
        }
    }

    #[test]
    fn names_of_files() {
        let of = |file: &str| name(Path::new(file), None).ok();
        assert_eq!(of("/a/dbip-city-lite-2026-06.csv.gz").as_deref(), Some("dbip-city-lite-2026-06"));
        assert_eq!(of("city.mmdb").as_deref(), Some("city"));
        for bad in ["..", ".mmdb", "-x", "a b", "a/..", ""] {
            assert_eq!(name(Path::new("x"), Some(bad)).ok(), None, "{bad}");
        }
    }
}
