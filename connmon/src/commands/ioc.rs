//! `connmon ioc`, and reading lists for other commands.

use std::collections::HashMap;
use std::io::{Write, stderr};
use std::path::PathBuf;

use super::{CommandError, Outcome, done, stdout, terminal_width};
use crate::cli::{self, TextFormat};
use crate::clock::now;
use crate::config::{self, ConfigError};
use crate::export::indicators::{write_json, write_json_lists, write_text};
use crate::filter::{Filter, Row};
use crate::ioc::{IocError, Lists, Skipped};
use crate::model::{Hit, IndicatorList, Timestamp, display_safe};
use crate::store::{Editor, Store};
use crate::summary::Indicators;
use crate::summary::format::{count, grouped};

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
        say(&format!("{} ({}): {indicators}{skipped}", list.about.name, list.format.name()));
        if explain {
            list_skipped(&list.about.name, &list.skipped);
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

/// Compares a store with lists, keeps what matches and prints it.
///
/// # Errors
/// A list cannot be read, or the store cannot be written.
pub fn run(args: &cli::Ioc) -> Result<Outcome, CommandError> {
    let lists = read(&args.ioc, args.explain)?;
    let mut editor = Editor::open(&args.db)?;
    let time = now();
    let flushed: HashMap<i64, Timestamp> = {
        let runs = Store::open(&args.db)?.runs()?;
        runs.into_iter().map(|run| (run.id, run.last_flush)).collect()
    };
    let runs: Vec<i64> = flushed.keys().copied().collect();
    let ids = editor.put_lists(&runs, lists.abouts().iter().map(|list| &**list), time)?;
    let store = Store::open(&args.db)?;
    let mut indicators = Indicators::of_lists(lists.abouts());
    let (mut out, mut new, json) = (stdout(), Vec::new(), args.format == TextFormat::Json);
    let room = terminal_width();
    if json {
        write!(out, "{{\"matches\":[")?;
    }
    store.for_each(None, None, &Filter::default(), |run, mut connection| {
        let watched = flushed.get(&run).copied().unwrap_or(connection.opened);
        let known = std::mem::take(&mut connection.hits);
        let found = lists.matches(&Row::of(&connection, watched), connection.remote.port);
        if found.is_empty() {
            return Ok(());
        }
        let hits = found.into_iter().map(|found| {
            let is = |hit: &&Hit| {
                (&hit.list, hit.kind, &hit.indicator) == (found.about, found.kind, &found.indicator)
            };
            known.iter().find(is).cloned().unwrap_or_else(|| {
                let hit = Hit {
                    indicator: found.indicator.clone(),
                    kind: found.kind,
                    list: found.about.clone(),
                    time,
                };
                new.push((connection.id, ids[found.list], hit.clone()));
                hit
            })
        });
        let hits: Vec<Hit> = hits.collect();
        match args.format {
            TextFormat::Text => write_text(&connection, &hits, room, &mut out)?,
            TextFormat::Json => {
                out.write_all(if indicators.connections > 0 { b",\n" } else { b"\n" })?;
                write_json(&connection, &hits, &mut out)?;
            }
        }
        connection.hits = hits;
        indicators.add(&connection);
        if new.len() >= AT_ONCE {
            editor.put_hits(&std::mem::take(&mut new))?;
        }
        Ok::<(), CommandError>(())
    })?;
    editor.put_hits(&new)?;
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

fn line(list: &IndicatorList, connections: u64) -> String {
    let of = list.date.map(|date| format!(" of {date}")).unwrap_or_default();
    let matching = count(connections, "connection matches", "connections match");
    format!(
        "{matching} {}{of}, {}, sha256 {}",
        list.name,
        count(list.indicators, "indicator", "indicators"),
        list.sha256
    )
}
