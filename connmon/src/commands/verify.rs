//! `connmon verify`: whether a report is still what was written, and a store what was recorded.

mod store;

use std::io::Write;

use super::{CommandError, Outcome, stdout};
use crate::cli;
use connmon_analysis::format::{count, grouped};
use connmon_record::display_safe;
use connmon_render::report::verify::{self, Verified};

/// Recomputes the digests in a report's manifest, or the chain and the rows of a store.
///
/// # Errors
/// The file cannot be read, or is neither.
pub fn run(args: &cli::Verify) -> Result<Outcome, CommandError> {
    if connmon_store::is_database(&args.file) {
        return store::run(&args.file);
    }
    let name = || args.file.display().to_string();
    let file =
        connmon_system::files::read(&args.file).map_err(|error| CommandError::Unreadable(name(), error))?;
    let found = verify::verify(&file).map_err(|error| CommandError::NoReport(name(), error))?;
    let mut out = stdout();
    write(&found, &mut out)?;
    out.flush()?;
    Ok(if found.is_whole() { Outcome::Done } else { Outcome::Altered })
}

fn write(found: &Verified, out: &mut impl Write) -> std::io::Result<()> {
    let Verified { manifest, .. } = found;
    let sign = |whole: bool| if whole { "✓ as written" } else { "✗ altered" };
    writeln!(out, "page    {}, {}", sign(found.page_is_whole()), count(found.page.bytes, "byte", "bytes"))?;
    let rows = found
        .rows
        .map_or_else(|| "cannot be read".to_owned(), |rows| count(rows, "connection", "connections"));
    writeln!(out, "data    {}, {rows} of {}", sign(found.data_is_whole()), grouped(manifest.connections))?;
    writeln!(out, "script  {}", sign(found.script))?;
    let [between, after] = found.added;
    for (n, place) in [(between, "between the manifest and the script"), (after, "after the end of the page")]
    {
        if n > 0 {
            writeln!(out, "file    ✗ {} were added {place}", count(n, "byte", "bytes"))?;
        }
    }
    if found.cut {
        writeln!(out, "file    ✗ the end of the page is missing or altered")?;
    }
    let commit = if manifest.commit.is_empty() { "unknown" } else { &manifest.commit };
    writeln!(out, "made by {}, commit {}", display_safe(&manifest.tool), display_safe(commit))?;
    if !manifest.query.is_empty() {
        writeln!(out, "filter  {}", display_safe(&manifest.query))?;
    }
    for recording in &manifest.recordings {
        writeln!(
            out,
            "from    recording {} of {}, {} to {}, {} backend, Linux {}, probes {}",
            recording.id,
            display_safe(&recording.host),
            display_safe(&recording.started),
            display_safe(recording.ended.as_deref().unwrap_or("no end")),
            display_safe(&recording.backend),
            display_safe(&recording.kernel),
            display_safe(&recording.object_sha256),
        )?;
    }
    writeln!(out, "file    SHA-256 {}", found.file.sha256)?;
    writeln!(
        out,
        "Keep this digest elsewhere: anyone who can rewrite the whole file can rewrite its manifest too."
    )
}
