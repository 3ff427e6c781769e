//! What the compiler cannot hold: within a crate, who may use whom, and which module owns a part of the outside world. Between
//! crates Cargo.toml says it, and [`super::crates`] shows it.

use super::code::{Finding, line_of};

/// Crates that belong to one part of the crate that depends on them: the crates, and where they may be named.
const OWNERS: [(&[&str], &[&str]); 8] = [
    (&["clap", "clap_complete", "clap_mangen"], &["connmon/src/cli"]),
    // The only network code.
    (&["ureq"], &["connmon/src/commands/geo/fetch.rs", "connmon/src/alert/"]),
    (&["hickory_resolver"], &["connmon/src/resolve.rs"]),
    (&["landlock", "seccompiler"], &["connmon/src/daemon/confine"]),
    (&["askama"], &["crates/render/src/report"]),
    (&["parquet"], &["crates/render/src/export/parquet.rs"]),
    (
        &["axum", "hyper", "hyper_util", "rustls", "tokio_rustls", "tokio_stream"],
        &["crates/live/src/web", "crates/sniff/", "crates/fixtures/"],
    ),
    (&["ratatui", "crossterm"], &["crates/live/src/tui"]),
];

/// Modules that do not know others of their crate: where, but for what is below these, and what may not be named there.
const LAYERS: [(&str, &[&str], &[&str]); 7] = [
    (
        "crates/record/src/",
        &["frame", "layout.rs", "rows.rs", "segment", "lib.rs"],
        &["crate::frame", "crate::layout", "crate::rows", "connmon_ebpf", "connmon_system"],
    ),
    ("crates/record/src/frame", &[], &["crate::rows"]),
    ("crates/filter/src/", &["ioc", "rules.rs", "lib.rs"], &["crate::ioc", "crate::rules"]),
    ("crates/filter/src/ioc", &[], &["crate::rules"]),
    ("crates/filter/src/rules.rs", &[], &["crate::ioc"]),
    ("crates/render/src/report", &[], &["crate::export"]),
    ("crates/render/src/export", &[], &["crate::report"]),
];

/// What a source file names that it may not. `path` is relative to the workspace, `code` without text and tests.
pub fn check(path: &str, code: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (crates, owners) in OWNERS {
        if owners.iter().any(|owner| path.starts_with(owner)) {
            continue;
        }
        for name in crates {
            let rule = || format!("`{name}` belongs to {} alone", owners.join(", "));
            findings.extend(paths_of(code, name).map(|at| Finding { line: line_of(code, at), rule: rule() }));
        }
    }
    for (place, others, unknown) in LAYERS {
        let Some(below) = path.strip_prefix(place) else { continue };
        if others.iter().any(|other| below.starts_with(other)) {
            continue;
        }
        for name in unknown {
            let rule = || format!("{place} does not know `{name}`");
            let named = code.match_indices(name).filter(|(at, _)| {
                let after = code[at + name.len()..].chars().next();
                !code[..*at].ends_with(is_word) && !after.is_some_and(is_word)
            });
            findings.extend(named.map(|(at, _)| Finding { line: line_of(code, at), rule: rule() }));
        }
    }
    findings
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Where paths begin with `name::`, or where it is used as a whole.
fn paths_of<'a>(code: &'a str, name: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(name).map(|(at, _)| at).filter(move |at| {
        let before = &code[..*at];
        let after = &code[at + name.len()..];
        // `x::name::` is a module's own; `::name::` is the crate.
        let nested = before.strip_suffix("::").is_some_and(|outer| outer.ends_with(is_word));
        let used = before.ends_with("use ") && after.starts_with([';', ' ']);
        !before.ends_with(is_word) && !nested && (after.starts_with("::") || used)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(path: &str, code: &str) -> Vec<String> {
        check(path, code).into_iter().map(|finding| format!("{}: {}", finding.line, finding.rule)).collect()
    }

    #[test]
    fn each_crate_has_one_owner() {
        for (owner, other, code) in [
            ("connmon/src/cli.rs", "connmon/src/config.rs", "#[derive(clap::Args)]\nstruct A;"),
            (
                "crates/render/src/report/page.rs",
                "crates/render/src/export/csv.rs",
                "use ::askama::Template;",
            ),
            ("crates/live/src/tui/mod.rs", "crates/live/src/web/mod.rs", "use crossterm::event;"),
            ("crates/live/src/web/net.rs", "crates/live/src/broadcaster.rs", "use axum::Router;"),
            ("connmon/src/commands/geo/fetch.rs", "connmon/src/commands/geo/install.rs", "use ureq::Agent;"),
            (
                "crates/render/src/export/parquet.rs",
                "crates/render/src/export/csv.rs",
                "use ::parquet::basic::Type;",
            ),
        ] {
            assert!(rules(owner, code).is_empty(), "{owner}");
            assert_eq!(rules(other, code).len(), 1, "{other}");
        }
        assert!(
            rules("crates/track/src/lib.rs", "use mclap::x; self::clap::y(); clap_like::z();").is_empty()
        );
    }

    #[test]
    fn modules_of_a_crate_know_what_is_below() {
        let code = "\nuse crate::rows::Batch;";
        assert_eq!(
            rules("crates/record/src/process.rs", code),
            ["2: crates/record/src/ does not know `crate::rows`"]
        );
        assert_eq!(rules("crates/record/src/frame/file.rs", code).len(), 1);
        assert!(rules("crates/record/src/rows.rs", "use crate::frame::Start;").is_empty());
        assert!(rules("crates/record/src/process.rs", "use crate::rows_of::Batch;").is_empty());
        assert_eq!(
            rules("crates/render/src/report/svg.rs", "fn f() { crate::export::text::pad(); }").len(),
            1
        );
    }
}
