//! Formats that the name of a file tells.

use std::path::Path;

use clap::ValueEnum;

use super::{ExportFormat, ReportFormat};

/// A file is named like another format than the one that was asked for.
#[derive(Debug, thiserror::Error)]
#[error("--out {out} is named like another format than --format {said}; leave out one of the two")]
pub struct OtherFormat {
    out: String,
    said: String,
}

/// A format of files.
pub trait Format: ValueEnum + PartialEq {
    /// What is written where nothing says otherwise.
    const USUAL: Self;

    /// The formats whose files end so; the first is meant where nothing else is said.
    fn of_extension(extension: &str) -> &'static [Self];
}

impl Format for ExportFormat {
    const USUAL: Self = Self::Jsonl;

    fn of_extension(extension: &str) -> &'static [Self] {
        match extension {
            "jsonl" | "ndjson" | "json" => &[Self::Jsonl, Self::Ecs, Self::ZeekJson, Self::Timesketch],
            "csv" => &[Self::Csv],
            "parquet" => &[Self::Parquet],
            "log" => &[Self::Zeek, Self::ZeekJson],
            _ => &[],
        }
    }
}

impl Format for ReportFormat {
    const USUAL: Self = Self::Html;

    fn of_extension(extension: &str) -> &'static [Self] {
        match extension {
            "html" | "htm" => &[Self::Html],
            "svg" => &[Self::SvgMap, Self::SvgTimeline, Self::SvgHilbert, Self::SvgBars],
            "txt" => &[Self::Txt],
            "json" => &[Self::Json],
            "csv" => &[Self::Csv],
            _ => &[],
        }
    }
}

/// The format that was said, else the one that goes with the name of the file.
///
/// # Errors
/// They contradict each other.
pub fn chosen<F: Format + 'static>(said: Option<F>, out: Option<&Path>) -> Result<F, OtherFormat> {
    let extension = out.and_then(Path::extension).and_then(|extension| extension.to_str());
    let named = extension.map_or(&[][..], |extension| F::of_extension(&extension.to_ascii_lowercase()));
    match (said, named) {
        (Some(said), [_, ..]) if !named.contains(&said) => Err(OtherFormat {
            out: out.map(|out| out.display().to_string()).unwrap_or_default(),
            said: said.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default(),
        }),
        (Some(said), _) => Ok(said),
        (None, named) => Ok(named.first().cloned().unwrap_or(F::USUAL)),
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
