//! Whether a report is still what was written.

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::html::{DATA, END, MANIFEST};
use super::manifest::{Manifest, Part, part_of};

/// What was found in a report.
#[derive(Debug)]
pub struct Verified {
    /// The manifest that is in it.
    pub manifest: Manifest,
    /// The page before the manifest, as it is now.
    pub page: Part,
    /// The data, as it is now.
    pub data: Part,
    /// The connections in the data, if it can be read.
    pub rows: Option<u64>,
    /// Whether the script is the one that the page allows.
    pub script: bool,
    /// Bytes that stand where nothing was written: between the manifest and the script, and after the end.
    pub added: [u64; 2],
    /// The end is not what was written: it was cut off.
    pub cut: bool,
    /// The whole file.
    pub file: Part,
}

/// A file that is no report.
#[derive(Debug, thiserror::Error)]
pub enum NoReport {
    /// It has no manifest.
    #[error("has no manifest: it is not a connmon report, or it was truncated")]
    Manifest,
    /// It compares two intervals.
    #[error("is a comparison, which has no manifest; verify the reports of its two sides")]
    Comparison,
    /// The manifest is not understood.
    #[error("has a manifest that cannot be parsed: {0}")]
    Form(serde_json::Error),
    /// It has no data.
    #[error("has no data section")]
    Data,
}

/// Begins the script, after one line feed.
const BEGIN: &str = "<script type=\"module\">";
/// What comes after the script, to the end.
const LAST: &str = "</script>\n</body>\n</html>\n";

/// What a comparison has for a title.
const COMPARISON: &str = "<title>Comparison · connmon</title>";

/// The part of the header that is compared.
#[derive(Deserialize)]
struct PayloadHeader {
    rows: u64,
}

impl Verified {
    /// Whether everything is as it was written.
    pub fn is_whole(&self) -> bool {
        self.page_is_whole() && self.data_is_whole() && self.script && self.added == [0, 0] && !self.cut
    }

    /// Whether the page is as it was written.
    pub fn page_is_whole(&self) -> bool {
        self.page == self.manifest.page
    }

    /// Whether the data is as it was written, and has as many connections as the manifest says.
    pub fn data_is_whole(&self) -> bool {
        self.data == self.manifest.data && self.rows == Some(self.manifest.rows)
    }
}

/// Recomputes the digests of a report.
///
/// # Errors
/// The file is no report.
pub fn verify(file: &[u8]) -> Result<Verified, NoReport> {
    let at = rfind(file, MANIFEST.as_bytes()).ok_or_else(|| {
        let compares = find(&file[..file.len().min(4096)], COMPARISON.as_bytes()).is_some();
        if compares { NoReport::Comparison } else { NoReport::Manifest }
    })?;
    let (page, rest) = file.split_at(at);
    let rest = &rest[MANIFEST.len()..];
    let end = find(rest, END.as_bytes()).ok_or(NoReport::Manifest)?;
    let manifest: Manifest = serde_json::from_slice(&rest[..end]).map_err(NoReport::Form)?;
    let start = rfind(page, DATA.as_bytes()).ok_or(NoReport::Data)? + DATA.len();
    let length = find(&page[start..], END.as_bytes()).ok_or(NoReport::Data)?;
    // What is no base64 any more has no bytes, so its digest is another one.
    let data = STANDARD.decode(&page[start..start + length]).unwrap_or_default();
    let behind = AfterManifest::examine(page, &rest[end + END.len()..]);
    Ok(Verified {
        page: part_of(page),
        rows: rows(&data),
        data: part_of(&data),
        script: behind.script,
        added: behind.added,
        cut: behind.cut,
        file: part_of(file),
        manifest,
    })
}

/// The connections that the data says it has.
fn rows(data: &[u8]) -> Option<u64> {
    let mut decoder = GzDecoder::new(data);
    let mut length = [0; 4];
    decoder.read_exact(&mut length).ok()?;
    let mut header = Vec::new();
    decoder.by_ref().take(u32::from_le_bytes(length).into()).read_to_end(&mut header).ok()?;
    // To the end, because only there stands the checksum.
    std::io::copy(&mut decoder, &mut std::io::sink()).ok()?;
    serde_json::from_slice::<PayloadHeader>(&header).ok().map(|header| header.rows)
}

/// What stands behind the manifest.
#[derive(Default)]
struct AfterManifest {
    script: bool,
    added: [u64; 2],
    cut: bool,
}

impl AfterManifest {
    /// Looks for the script with the digest that the page names, and at what is before and after it.
    fn examine(page: &[u8], rest: &[u8]) -> Self {
        let none = Self { cut: true, ..Self::default() };
        let Some(at) = find(rest, BEGIN.as_bytes()) else { return none };
        let start = at + BEGIN.len();
        let Some(length) = find(&rest[start..], END.as_bytes()) else { return none };
        let digest = STANDARD.encode(Sha256::digest(&rest[start..start + length]));
        let allowed = format!("script-src 'sha256-{digest}'");
        let after = &rest[start + length..];
        let added = |there: &[u8], written: usize| there.len().saturating_sub(written) as u64;
        let last = after.strip_prefix(LAST.as_bytes());
        Self {
            script: find(page, allowed.as_bytes()).is_some(),
            added: [added(&rest[..at], 1), last.map_or(0, |more| added(more, 0))],
            cut: last.is_none(),
        }
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

fn rfind(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).rposition(|window| window == wanted)
}
