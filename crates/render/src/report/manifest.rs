//! The manifest at the end of a report: what it was made of, and digests by which a later reader can tell whether
//! the file is still what was written.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::PictureOptions;
use super::payload::Written;
use connmon_analysis::{ShownDatabase, Summary};
use connmon_record::{LossCounters, Run, Timestamp, hex};

/// The name of this form of manifest.
const FORMAT: &str = "connmon-manifest-1";
/// The commit that connmon was built from, where git told; `+` for changes on top of it.
pub const COMMIT: &str = env!("CONNMON_COMMIT");

/// What a report was made of.
#[derive(Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// The form of this manifest.
    pub format: String,
    /// The program that made the report.
    pub tool: String,
    /// The commit that it was built from; empty where it is not known.
    pub commit: String,
    /// The recordings.
    pub recordings: Vec<Recording>,
    /// The start of the interval asked for, RFC 3339; absent if it is not bounded.
    pub since: Option<String>,
    /// The end of the interval asked for, likewise.
    pub until: Option<String>,
    /// The filter, as it was typed.
    pub query: String,
    /// What was taken out before the report was made, in words.
    pub redacted: String,
    /// Whether nothing was lost.
    pub complete: bool,
    /// Connections that the filter chose.
    pub connections: u64,
    /// Of these, the connections in the data.
    pub rows: u64,
    /// The geo databases, with their dates.
    pub geo: Vec<ShownDatabase>,
    /// The bytes of the data, after base64 was undone.
    pub data: Part,
    /// The bytes of the file before this manifest's element.
    pub page: Part,
}

/// A recording, and what it lost.
#[derive(Debug, Serialize, Deserialize)]
pub struct Recording {
    /// Its number in the store.
    pub id: i64,
    /// The host's name.
    pub host: String,
    /// The kernel's release.
    pub kernel: String,
    /// The boot's identifier.
    pub boot_id: String,
    /// The backend.
    pub backend: String,
    /// The version of connmon that recorded.
    pub tool_version: String,
    /// SHA-256 of the BPF object that was loaded.
    pub object_sha256: String,
    /// When it began, RFC 3339.
    pub started: String,
    /// When it ended; absent if it did not end in order.
    pub ended: Option<String>,
    /// Records that were lost, so that something is missing: events, and of these connections and processes.
    pub lost: [u64; 3],
    /// Bytes sent and received of which no connection is known.
    pub unattributed: [u64; 2],
}

/// A part of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its length in bytes.
    pub bytes: u64,
    /// Its digest, in hexadecimal.
    pub sha256: String,
}

impl Manifest {
    /// The manifest of a report.
    pub(super) fn new(
        summary: &Summary,
        options: &PictureOptions,
        written: Written,
        data: Part,
        page: Part,
    ) -> Self {
        let mut geo: Vec<ShownDatabase> =
            summary.runs.iter().flat_map(|run| &run.geo).map(ShownDatabase::new).collect();
        geo.sort_unstable();
        geo.dedup();
        Self {
            format: FORMAT.to_owned(),
            tool: concat!("connmon ", env!("CARGO_PKG_VERSION")).to_owned(),
            commit: COMMIT.to_owned(),
            recordings: summary.runs.iter().map(Recording::new).collect(),
            since: summary.selection.since.map(|time| time.to_string()),
            until: summary.selection.until.map(|time| time.to_string()),
            query: summary.selection.filter.clone(),
            redacted: options.redacted.clone(),
            complete: summary.is_complete(),
            connections: written.total,
            rows: written.rows,
            geo,
            data,
            page,
        }
    }
}

impl Recording {
    fn new(run: &Run) -> Self {
        let LossCounters { lost_events, lost_connections, lost_processes, .. } = run.completeness;
        let text = |time: Timestamp| time.to_string();
        Self {
            id: run.id,
            host: run.host.shown().into_owned(),
            kernel: run.kernel.shown().into_owned(),
            boot_id: run.boot_id.shown().into_owned(),
            backend: run.backend.shown().into_owned(),
            tool_version: run.tool_version.shown().into_owned(),
            object_sha256: run.object_sha256.shown().into_owned(),
            started: text(run.started),
            ended: run.ended.map(text),
            lost: [lost_events, lost_connections, lost_processes],
            unattributed: [run.completeness.unattributed_tx_bytes, run.completeness.unattributed_rx_bytes],
        }
    }
}

/// Counts and digests what is written through it.
pub(super) struct Digesting<W> {
    out: W,
    bytes: u64,
    digest: Sha256,
}

impl<W: Write> Digesting<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, bytes: 0, digest: Sha256::new() }
    }

    /// What was written so far.
    pub(super) fn part(&self) -> Part {
        Part { bytes: self.bytes, sha256: hex(&self.digest.clone().finalize()) }
    }

    /// The writer beneath, which no longer counts.
    pub(super) fn into_inner(self) -> W {
        self.out
    }
}

impl<W: Write> Write for Digesting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.digest.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A part of a file that is already there.
pub fn part_of(bytes: &[u8]) -> Part {
    Part { bytes: bytes.len() as u64, sha256: hex(&Sha256::digest(bytes)) }
}
