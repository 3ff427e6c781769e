//! `connmon ack`

use std::io::{Write, stderr};

use super::findings::{Look, Part, policies};
use super::{CommandError, Outcome, settle};
use crate::cli;
use crate::clock::now;
use connmon_filter::Filter;
use connmon_record::{Untrusted, display_safe};
use connmon_store::{Acknowledged, Editor};
use connmon_system::owner;

/// Notes that somebody has seen a finding, as it is now.
///
/// # Errors
/// The store cannot be read or written, or has no such finding.
pub fn run(args: cli::Ack) -> Result<Outcome, CommandError> {
    let by = args.by.unwrap_or_else(user);
    let store = settle::open(&args.db)?;
    let everything = Filter::default();
    let look = Look {
        packages: args.packages.packages.as_deref(),
        policies: policies(&args.policy)?,
        part: Part { since: None, until: None, filter: &everything, lookups: true },
    };
    let (engine, other) = look.into_engine(&store, &args.db, Some)?;
    drop((store, other));
    let findings = engine.findings();
    let Some(finding) = findings.iter().find(|finding| finding.id.eq_ignore_ascii_case(&args.id)) else {
        return Err(CommandError::NoFinding(args.id, args.db.display().to_string()));
    };
    let known = Acknowledged {
        finding: Untrusted::from(finding.id.as_str()),
        time: now(),
        by: Untrusted::from(by.as_str()),
        note: args.note.map(Untrusted::from),
        severity: finding.severity.name().into(),
        score: finding.score,
    };
    owner::act(&args.db, || Editor::open(&args.db)?.acknowledge(&known))??;
    let what = finding.what.shown();
    let _ = writeln!(stderr(), "{} is acknowledged by {}: {what}", finding.id, display_safe(&by));
    Ok(Outcome::Done)
}

/// Who called sudo, else the present user, by the names in the environment.
fn user() -> String {
    let named = |name: &str| std::env::var(name).ok().filter(|name| !name.is_empty());
    named("SUDO_USER").or_else(|| named("USER")).unwrap_or_else(|| "unknown user".to_owned())
}
