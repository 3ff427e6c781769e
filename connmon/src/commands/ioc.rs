//! `connmon ioc`, and reading lists for other commands.

use std::collections::HashMap;
use std::io::{Write, stderr};
use std::path::PathBuf;

use super::progress_line::ProgressLine;
use super::{CommandError, Outcome, done, stdout, terminal_width};
use crate::cli::{self, TextFormat};
use crate::clock::now;
use crate::config::{self, ConfigError};
use connmon_analysis::Indicators;
use connmon_analysis::format::{count, grouped};
use connmon_filter::ioc::{IocError, Lists, Skipped};
use connmon_filter::{Filter, FilterRow};
use connmon_record::{Hit, IndicatorKind, IndicatorList, Timestamp, Untrusted, display_safe};
use connmon_render::export::indicators::{write_json, write_json_lists, write_text};
use connmon_store::{Editor, Store, StoreError};
use connmon_system::owner;

/// Hits that are written in one transaction, so that a recording that goes on meanwhile has its turn.
const AT_ONCE: usize = 4096;

/// Reads lists and makes them ready, and says on standard error what is in them; with `explain` also each part that is not
/// matched.
///
/// # Errors
/// One cannot be read, or they are too many.
pub fn read(paths: &[PathBuf], explain: bool) -> Result<Lists, CommandError> {
    let lists = config::lists(paths).inspect_err(|error| {
        if let (true, ConfigError::Ioc(name, IocError::Nothing(skipped))) = (explain, error) {
            list_skipped(name, skipped);
        }
    })?;
    for list in &lists {
        let skipped = match list.skipped.words() {
            words if words.is_empty() => words,
            words => format!("; not matched: {words}"),
        };
        let indicators = count(list.about.indicators, "indicator", "indicators");
        say(&format!("{} ({}): {indicators}{skipped}", list.about.name.shown(), list.format.name()));
        if explain {
            list_skipped(&list.about.name.shown(), &list.skipped);
        }
    }
    let all = || paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
    Ok(Lists::new(lists).map_err(|error| ConfigError::Ioc(all(), error))?)
}

fn list_skipped(name: &str, skipped: &Skipped) {
    for it in skipped.each() {
        say(&format!("{name}, {}: {}: {}", it.place, it.reason, it.text));
    }
    if skipped.more() > 0 {
        say(&format!("{name}: and {} more", grouped(skipped.more())));
    }
}

fn say(line: &str) {
    let _ = writeln!(stderr(), "{}", display_safe(line));
}

/// Compares a store with lists and prints what matches; with `--keep` it is also written into the store.
///
/// # Errors
/// A list cannot be read, or the store cannot be read or written.
pub fn run(args: &cli::Ioc) -> Result<Outcome, CommandError> {
    let lists = read(&args.ioc, args.explain)?;
    if args.keep { owner::act(&args.db, || compare(args, &lists))? } else { compare(args, &lists) }
}

fn compare(args: &cli::Ioc, lists: &Lists) -> Result<Outcome, CommandError> {
    let editor = args.keep.then(|| Editor::open(&args.db)).transpose()?;
    let store = Store::open(&args.db)?.watched_by(ProgressLine::beside_output("comparing").watch());
    let time = now();
    let flushed: HashMap<i64, Timestamp> =
        store.runs()?.into_iter().map(|run| (run.id, run.last_flush)).collect();
    let mut keeper =
        editor.map(|editor| HitWriter::begin(editor, lists, flushed.keys(), time)).transpose()?;
    let mut indicators = Indicators::of_lists(lists.abouts());
    let (mut out, json) = (stdout(), args.format == TextFormat::Json);
    let room = terminal_width();
    if json {
        write!(out, "{{\"matches\":[")?;
    }
    let instead = store.unmatched(lists)?;
    store.for_each_but(&instead, None, None, &Filter::default(), |run, mut connection| {
        let watched = flushed.get(&run).copied().unwrap_or(connection.opened);
        let known = std::mem::take(&mut connection.hits);
        for found in lists.matches(&FilterRow::from_connection(&connection, watched), connection.remote.port)
        {
            let is = |hit: &&Hit| {
                (&hit.list, hit.kind, &hit.indicator) == (found.about, found.kind, &found.indicator)
            };
            let hit = match (known.iter().find(is), &mut keeper) {
                (Some(hit), _) => hit.clone(),
                (None, keeper) => {
                    let list = found.about.clone();
                    let hit = Hit { indicator: found.indicator, kind: found.kind, list, time };
                    if let Some(keeper) = keeper {
                        keeper.add(connection.id, found.list, &hit);
                    }
                    hit
                }
            };
            connection.hits.push(hit);
        }
        if connection.hits.is_empty() {
            return Ok(());
        }
        match args.format {
            TextFormat::Text => write_text(&connection, &connection.hits, room, &mut out)?,
            TextFormat::Json => {
                out.write_all(if indicators.connections > 0 { b",\n" } else { b"\n" })?;
                write_json(&connection, &connection.hits, &mut out)?;
            }
        }
        indicators.add(&connection);
        Ok::<(), CommandError>(())
    })?;
    // Who closes the store last writes its log into it, if that is not a reader.
    drop(store);
    if let Some(keeper) = keeper {
        keeper.write()?;
    }
    if json {
        write!(out, "\n],\n\"indicators\":")?;
        write_json_lists(&indicators, &mut out)?;
        writeln!(out, "}}")?;
    } else {
        for (list, connections) in indicators.lists() {
            writeln!(out, "{}", display_safe(&line(list, connections)))?;
        }
    }
    done(out, (indicators.connections == 0).then_some("no connections match an indicator"))
}

/// Writes hits into the store, when everything is read: before, SQLite could not use its log anew, and that would grow by all
/// that is written.
struct HitWriter {
    editor: Editor,
    /// The lists' ids in the store, in their order.
    ids: Vec<i64>,
    /// The indicators that were found, each with the id of its list.
    found: Vec<(i64, Hit)>,
    /// Where they are in `found`.
    places: HashMap<(usize, IndicatorKind, Untrusted), usize>,
    /// Connections, and what they match.
    hits: Vec<(i64, usize)>,
}

impl HitWriter {
    fn begin<'a>(
        mut editor: Editor,
        lists: &Lists,
        runs: impl Iterator<Item = &'a i64>,
        time: Timestamp,
    ) -> Result<Self, StoreError> {
        let runs: Vec<i64> = runs.copied().collect();
        let ids = editor.put_lists(&runs, lists.abouts().iter().map(|list| &**list), time)?;
        Ok(Self { editor, ids, found: Vec::new(), places: HashMap::new(), hits: Vec::new() })
    }

    fn add(&mut self, connection: i64, list: usize, hit: &Hit) {
        let place = *self.places.entry((list, hit.kind, hit.indicator.clone())).or_insert_with(|| {
            self.found.push((self.ids[list], hit.clone()));
            self.found.len() - 1
        });
        self.hits.push((connection, place));
    }

    fn write(mut self) -> Result<(), StoreError> {
        for piece in self.hits.chunks(AT_ONCE) {
            let hits = piece.iter().map(|(connection, place)| {
                let (list, hit) = &self.found[*place];
                (*connection, *list, hit.clone())
            });
            self.editor.put_hits(&hits.collect::<Vec<_>>())?;
        }
        Ok(())
    }
}

fn line(list: &IndicatorList, connections: u64) -> String {
    let of = list.date.map(|date| format!(" of {date}")).unwrap_or_default();
    let matching = count(connections, "connection matches", "connections match");
    format!(
        "{matching} {}{of}, {}, sha256 {}",
        list.name.shown(),
        count(list.indicators, "indicator", "indicators"),
        list.sha256
    )
}
