//! Whether a store is what was recorded: its segments are a chain in which nothing was changed, left out or put in, and its rows are what
//! the segments say.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write;
use std::path::Path;

use super::super::geo::open_databases;
use super::super::{CommandError, Outcome, settle, stdout};
use crate::config::GeoConfig;
use crate::indexer::{IndexError, Indexer};
use connmon_analysis::format::{count, grouped};
use connmon_enrich::Enricher;
use connmon_filter::Filter;
use connmon_record::frame::Frame;
use connmon_record::segment::{Hash, Packed};
use connmon_record::{Connection, ConnectionId, Step, hex};
use connmon_store::{RUN_SHIFT, Sealed, Store, Writer};
use sha2::{Digest, Sha256};

/// Differences that are told one by one.
const TOLD: usize = 10;

/// What the chain of segments tells.
#[derive(Default)]
struct Chain {
    segments: u64,
    pruned: u64,
    frames: u64,
    last: Hash,
    /// The number of the last segment of each recording, and whether all its frames are there.
    runs: BTreeMap<i64, (u64, bool)>,
    faults: Vec<String>,
}

impl Chain {
    fn take(&mut self, sealed: &Sealed) {
        let Sealed { run, link, hash, packed } = sealed;
        let (number, is_whole) = self.runs.entry(*run).or_insert((0, true));
        let name = format!("segment {} of recording {run}", link.number);
        if link.number != *number + 1 {
            self.faults.push(format!(
                "{name} comes after segment {number}: something is missing or was added between them"
            ));
        }
        // The first segment of a store says what it follows; nothing in the store can say whether that is so.
        if self.segments > 0 && link.previous != self.last {
            self.faults.push(format!("{name} does not follow the segment before it"));
        }
        *number = link.number;
        match packed {
            None => {
                *is_whole = false;
                self.pruned += 1;
            }
            Some(packed) => {
                if Hash::from(Sha256::digest(&packed.payload)) != packed.payload_hash
                    || packed.hash(link) != *hash
                {
                    self.faults.push(format!("{name} is not what was sealed"));
                    *is_whole = false;
                }
                self.frames += packed.frames;
            }
        }
        self.segments += 1;
        self.last = *hash;
    }
}

/// Checks a store.
///
/// # Errors
/// It cannot be read.
pub(super) fn run(path: &Path) -> Result<Outcome, CommandError> {
    let store = settle::open(path)?;
    let mut chain = Chain::default();
    store.for_each_segment(|sealed| {
        chain.take(&sealed);
        Ok::<(), CommandError>(())
    })?;
    let mut out = stdout();
    write_chain(&chain, &mut out)?;
    let differences = if chain.faults.is_empty() { write_rows(&store, &chain, &mut out)? } else { 0 };
    writeln!(
        out,
        "Keep the last hash elsewhere: anyone who can rewrite the whole store can seal it anew, up to any hash that is known elsewhere."
    )?;
    out.flush()?;
    Ok(if chain.faults.is_empty() && differences == 0 { Outcome::Done } else { Outcome::Altered })
}

fn write_chain(chain: &Chain, out: &mut impl Write) -> std::io::Result<()> {
    for fault in chain.faults.iter().take(TOLD) {
        writeln!(out, "chain   ✗ {fault}")?;
    }
    if let more @ 1.. = chain.faults.len().saturating_sub(TOLD) {
        writeln!(out, "chain   ✗ {more} more")?;
    }
    if chain.segments == 0 {
        return writeln!(out, "chain   there are no segments: earlier versions sealed none");
    }
    if chain.faults.is_empty() {
        writeln!(
            out,
            "chain   ✓ unbroken, {} with {}, {}",
            count(chain.segments, "segment", "segments"),
            count(chain.frames, "event", "events"),
            count(chain.runs.len() as u64, "recording", "recordings")
        )?;
    }
    if chain.pruned > 0 {
        writeln!(
            out,
            "        {} have lost their events on purpose and are there by their hashes",
            grouped(chain.pruned)
        )?;
    }
    writeln!(out, "last    SHA-256 {}", hex(&chain.last))
}

/// Makes the rows of all recordings anew whose segments are all there, and compares them; how many differ.
fn write_rows(store: &Store, chain: &Chain, out: &mut impl Write) -> Result<usize, CommandError> {
    // Of what was pruned only sums are left.
    let pruned: Vec<i64> = store.runs()?.iter().filter_map(|run| run.pruned.map(|_| run.id)).collect();
    let is_whole = |run: &i64, is_whole: bool| is_whole && !pruned.contains(run);
    let whole: Vec<i64> =
        chain.runs.iter().filter(|(run, (_, all))| is_whole(run, *all)).map(|(run, _)| *run).collect();
    if whole.is_empty() {
        return Ok(0);
    }
    let folder = tempfile::tempdir()?;
    let fresh = folder.path().join("rows.db");
    let made = make_rows(store, &fresh, &whole)?;
    let mut by_the_hour = HashSet::new();
    let found = digests(
        store,
        |run| whole.contains(&run).then_some(run),
        |connection| {
            let is_merged = connection.steps.iter().any(Step::is_merged);
            if is_merged {
                by_the_hour.insert(connection.id);
            }
            is_merged
        },
    )?;
    let mut expected = digests(
        &Store::open(&fresh)?,
        |run| made.get(&run).copied(),
        |connection| by_the_hour.contains(&connection.id),
    )?;
    let (mut equal, mut faults) = (0_u64, Vec::new());
    for (id, digest) in found {
        match expected.remove(&id) {
            Some(should) if should == digest => equal += 1,
            Some(_) => faults.push((id, "is not what the segments say")),
            None => faults.push((id, "is in no segment")),
        }
    }
    faults.extend(expected.into_keys().map(|id| (id, "is missing from the tables")));
    faults.sort_unstable();
    for (id, fault) in faults.iter().take(TOLD) {
        writeln!(out, "rows    ✗ connection {} {fault}", ConnectionId(*id))?;
    }
    if let more @ 1.. = faults.len().saturating_sub(TOLD) {
        writeln!(out, "rows    ✗ {} more", grouped(more as u64))?;
    }
    if faults.is_empty() {
        writeln!(out, "rows    ✓ {} are what the segments say", count(equal, "connection", "connections"))?;
    }
    Ok(faults.len())
}

/// The rows of recordings in a store of their own; each run there, and which one it is here.
fn make_rows(store: &Store, fresh: &Path, whole: &[i64]) -> Result<HashMap<i64, i64>, CommandError> {
    let geo = open_databases(&GeoConfig { files: Vec::new(), folder: None, location: None })?;
    let mut indexer = Indexer::new(Enricher::new(geo, None), Writer::open(fresh)?);
    let mut made = HashMap::new();
    store.for_each_segment(|Sealed { run, link, packed, .. }| {
        let Some(packed) = packed.filter(|_| whole.contains(&run)) else { return Ok(()) };
        if link.number == 1 {
            begin(&mut indexer, &packed)?;
            made.insert(indexer.store().run(), run);
        }
        indexer.seal(&packed)?;
        while indexer.index()?.is_some() {}
        Ok::<(), CommandError>(())
    })?;
    Ok(made)
}

fn begin(indexer: &mut Indexer, packed: &Packed) -> Result<(), CommandError> {
    let mut start = None;
    let take = |frame| {
        if let Frame::Start(found) = frame {
            start.get_or_insert(found);
        }
    };
    packed.read(1, take).map_err(IndexError::from)?;
    let start = start.ok_or(CommandError::NoStart)?;
    Ok(indexer.begin(&start)?)
}

/// A digest of each connection of some runs, by its id as the run is numbered here. What was found out by other means than recording
/// does not count: places, labels, indicators. Of some only what they moved by the hour does, since their rows say no more.
fn digests(
    store: &Store,
    run_here: impl Fn(i64) -> Option<i64>,
    mut is_by_the_hour: impl FnMut(&Connection) -> bool,
) -> Result<HashMap<i64, u64>, CommandError> {
    let mut found = HashMap::new();
    store.for_each(None, None, &Filter::default(), |run, connection| {
        let Some(here) = run_here(run) else { return Ok(()) };
        let id = connection.id & ((1 << RUN_SHIFT) - 1) | here << RUN_SHIFT;
        let known =
            Connection { id, country: None, place: None, label: None, hits: Vec::new(), ..connection };
        let known = if is_by_the_hour(&known) { known.by_the_hour() } else { known };
        let mut hasher = DefaultHasher::new();
        format!("{known:?}").hash(&mut hasher);
        found.insert(id, hasher.finish());
        Ok::<(), CommandError>(())
    })?;
    Ok(found)
}
