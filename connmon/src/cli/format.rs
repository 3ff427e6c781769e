//! Formats that the name of a file tells.

use std::path::Path;

use clap::ValueEnum;

use super::{ExportFormat, ReportFormat};

/// The name of an output file contradicts its format.
#[derive(Debug, thiserror::Error)]
pub enum OtherFormat {
    /// The name suggests another format than the requested one.
    #[error("the name of --out {out} suggests another format than --format {said}; leave out one of the two")]
    Said {
        /// The file.
        out: String,
        /// The format.
        said: String,
    },
    /// The name suggests a format that connmon does not write.
    #[error("--out {out}: connmon writes no .{extension} files; end the name with .{known}")]
    Unknown {
        /// The file.
        out: String,
        /// How its name ends.
        extension: String,
        /// How it could end.
        known: String,
    },
}

/// File name endings that no format of connmon has: those of compressed files and of other programs' files.
const FOREIGN: [&str; 12] = ["gz", "bz2", "xz", "zst", "zip", "7z", "pdf", "png", "xls", "xlsx", "ods", "db"];

/// A format of files.
pub trait Format: ValueEnum + PartialEq + 'static {
    /// The format that is written by default.
    const USUAL: Self;

    /// Endings of file names with their formats; the first format of an ending is its default.
    const BY_EXTENSION: &'static [(&'static str, &'static [Self])];
}

/// Formats that write one JSON object per line.
const LINES: &[ExportFormat] = &[
    ExportFormat::Jsonl,
    ExportFormat::Ecs,
    ExportFormat::Ocsf,
    ExportFormat::ZeekJson,
    ExportFormat::Timesketch,
];

impl Format for ExportFormat {
    const USUAL: Self = Self::Jsonl;

    const BY_EXTENSION: &'static [(&'static str, &'static [Self])] = &[
        ("jsonl", LINES),
        ("ndjson", LINES),
        ("json", LINES),
        ("csv", &[Self::Csv]),
        ("parquet", &[Self::Parquet]),
        ("log", &[Self::Zeek, Self::ZeekJson]),
    ];
}

impl Format for ReportFormat {
    const USUAL: Self = Self::Html;

    const BY_EXTENSION: &'static [(&'static str, &'static [Self])] = &[
        ("html", &[Self::Html]),
        ("htm", &[Self::Html]),
        ("svg", &[Self::SvgMap, Self::SvgTimeline, Self::SvgHilbert, Self::SvgBars]),
        ("txt", &[Self::Txt]),
        ("json", &[Self::Json]),
        ("csv", &[Self::Csv]),
    ];
}

/// The requested format, else the one that the ending of the file's name suggests. A name without an ending suggests none.
///
/// # Errors
/// The name suggests another format, or one that connmon does not write.
pub fn chosen<F: Format>(said: Option<F>, out: Option<&Path>) -> Result<F, OtherFormat> {
    let extension = out.and_then(Path::extension).map(|extension| extension.to_string_lossy().to_lowercase());
    let shown = || out.map(|out| out.display().to_string()).unwrap_or_default();
    let by = F::BY_EXTENSION.iter();
    let named = by.clone().find(|(known, _)| extension.as_deref() == Some(*known)).map(|(_, named)| *named);
    let is_foreign = extension.as_deref().is_some_and(|extension| FOREIGN.contains(&extension));
    match (said, named, extension) {
        (Some(said), named, _) if named.map_or(is_foreign, |named| !named.contains(&said)) => {
            let said = said.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
            Err(OtherFormat::Said { out: shown(), said })
        }
        (Some(said), ..) => Ok(said),
        (None, Some(named), _) => Ok(named.first().cloned().unwrap_or(F::USUAL)),
        (None, None, None) => Ok(F::USUAL),
        (None, None, Some(extension)) => {
            let known = by.map(|(known, _)| *known).collect::<Vec<_>>().join(", .");
            Err(OtherFormat::Unknown { out: shown(), extension, known })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_format_of_its_name() {
        let export = |said, out: &str| chosen::<ExportFormat>(said, Some(Path::new(out))).ok();
        assert_eq!(export(None, "a.csv"), Some(ExportFormat::Csv));
        assert_eq!(export(None, "a.PARQUET"), Some(ExportFormat::Parquet));
        assert_eq!(export(None, "a"), Some(ExportFormat::Jsonl));
        assert_eq!(export(Some(ExportFormat::Ecs), "a.json"), Some(ExportFormat::Ecs));
        assert_eq!(export(Some(ExportFormat::Zeek), "conn.out"), Some(ExportFormat::Zeek));
        assert_eq!(export(Some(ExportFormat::Jsonl), "a.csv"), None);
        // What it would not be is not written under that name.
        for foreign in ["a.csv.gz", "a.pdf", "a.xlsx", "a.2026"] {
            assert_eq!(export(None, foreign), None, "{foreign}");
        }
        assert_eq!(export(Some(ExportFormat::Csv), "a.csv.GZ"), None);
        assert_eq!(export(Some(ExportFormat::Csv), "a.2026"), Some(ExportFormat::Csv));
        let unknown = chosen::<ExportFormat>(None, Some(Path::new("a.pdf"))).unwrap_err().to_string();
        assert!(unknown.contains("no .pdf files; end the name with .jsonl, .ndjson,"), "{unknown}");
        let report = |said, out: &str| chosen::<ReportFormat>(said, Some(Path::new(out)));
        assert_eq!(report(None, "x.svg").unwrap(), ReportFormat::SvgMap);
        assert_eq!(report(Some(ReportFormat::SvgBars), "x.svg").unwrap(), ReportFormat::SvgBars);
        assert_eq!(report(None, "-").unwrap(), ReportFormat::Html);
        let error = report(Some(ReportFormat::Html), "x.svg").unwrap_err().to_string();
        assert!(error.contains("--out x.svg") && error.contains("--format html"), "{error}");
    }

    #[test]
    fn every_page_of_the_manual_that_is_named_exists() {
        let pages = crate::cli::manual().unwrap();
        let names: Vec<&str> = pages.iter().map(|(name, _)| name.trim_end_matches(".1")).collect();
        assert!(names.contains(&"connmon") && names.contains(&"connmon-geo-fetch"), "{names:?}");
        for (name, text) in &pages {
            let text = String::from_utf8(text.clone()).unwrap().replace('\\', "");
            for (at, _) in text.match_indices("(1)") {
                let word = text[..at].rsplit(|c: char| c.is_whitespace()).next().unwrap_or_default();
                assert!(names.contains(&word), "{name} names {word}(1)");
            }
        }
    }
}
