//! Who may use whom within connmon: the direction of dependencies between its modules, and the one module that
//! owns each part of the outside world.

use super::code::line_of;
use super::rules::Finding;

/// Modules that may name only these others. On the way of an event each names what comes before it: frames, the
/// tracker's rows. Nothing but the recording itself names what takes frames
/// from the kernel.
const LAYERS: [(&str, &[&str]); 21] = [
    ("model", &[]),
    ("memory", &[]),
    ("files", &[]),
    ("sniff", &["model", "frame"]),
    ("resolve", &["model"]),
    ("clock", &["model"]),
    ("layout", &["model"]),
    ("frame", &["model", "files"]),
    ("rows", &["model", "frame"]),
    ("capture", &["model", "memory", "frame", "sniff"]),
    ("track", &["model", "frame", "rows", "sniff"]),
    ("enrich", &["model", "rows", "files"]),
    ("store", &["model", "filter", "rules", "ioc", "frame", "rows", "files"]),
    ("filter", &["model"]),
    ("rules", &["model", "filter"]),
    ("ioc", &["model", "filter"]),
    ("summary", &["model", "store", "filter"]),
    ("report", &["summary", "model"]),
    ("export", &["summary", "model"]),
    ("live", &["model", "filter", "rows", "store", "summary", "report", "export", "files", "memory"]),
    ("batch_writer", &["model", "enrich", "store", "rows"]),
];

/// Crates that belong to one part of connmon: the crates, and how the paths of that part begin.
const OWNERS: [(&[&str], &[&str]); 13] = [
    (&["aya", "aya_log", "aya_obj", "caps"], &["capture/", "capture.rs"]),
    (&["connmon_ebpf"], &["capture/", "frame/", "layout.rs", "sniff/", "track/"]),
    (&["rusqlite"], &["store/", "store.rs"]),
    (&["clap", "clap_complete", "clap_mangen"], &["cli/", "cli"]),
    (&["askama"], &["report/", "report.rs", "live/web"]),
    (&["maxminddb"], &["enrich/geo"]),
    (&["hickory_proto", "tls_parser", "httparse"], &["sniff/"]),
    (&["rustls"], &["sniff/", "live/web"]),
    (&["axum", "hyper", "hyper_util", "tokio_rustls", "tokio_stream", "getrandom"], &["live/web"]),
    // The only network code.
    (&["ureq"], &["commands/geo/fetch.rs"]),
    (&["hickory_resolver"], &["resolve.rs"]),
    (&["parquet"], &["export/parquet.rs"]),
    (&["ratatui", "crossterm"], &["live/tui"]),
];

/// What a file of connmon names that it may not. `path` is relative to `connmon/src`, `code` without text.
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
    if let Some((layer, allowed)) = LAYERS.iter().find(|(layer, _)| module(path) == *layer) {
        findings.extend(layer_findings(path, code, layer, allowed));
    }
    findings
}

/// The top-level module of a path.
fn module(path: &str) -> &str {
    path.split('/').next().unwrap_or(path).trim_end_matches(".rs")
}

/// Where one module names another that it may not.
fn layer_findings(path: &str, code: &str, layer: &str, allowed: &[&str]) -> Vec<Finding> {
    let fits = |name: &str| {
        let top = name.split("::").next().unwrap_or(name);
        top == layer || allowed.contains(&top) || allowed.contains(&name)
    };
    let mut findings = Vec::new();
    for at in paths_of(code, "crate") {
        let names = after_crate(&code[at..]);
        findings.extend(names.into_iter().filter(|name| !fits(name)).map(|name| {
            let may = if allowed.is_empty() { "no other module".to_owned() } else { allowed.join(", ") };
            Finding { line: line_of(code, at), rule: format!("`{layer}` may use {may}, not `{name}`") }
        }));
    }
    // How many `super` lead out of the module: one from its own root, two from a file in its folder, and so on.
    let depth = path.matches('/').count() + usize::from(!path.ends_with("/mod.rs"));
    let out = "super::".repeat(depth.max(1));
    let leaves = code.match_indices(&out).filter(|(at, _)| !code[..*at].ends_with("super::"));
    // A module within a file adds a level that is not seen in the path.
    findings.extend(leaves.filter(|(at, _)| !in_inline_module(code, *at)).map(|(at, _)| Finding {
        line: line_of(code, at),
        rule: format!("`super` leads out of `{layer}`: name the module by `crate::`"),
    }));
    findings
}

/// Whether an offset lies within a module that is written out in this file.
fn in_inline_module(code: &str, at: usize) -> bool {
    let opens = code[..at].match_indices("mod ").filter_map(|(start, _)| {
        let brace = start + code[start..].find(['{', ';'])?;
        (code.as_bytes()[brace] == b'{').then_some(brace)
    });
    opens.into_iter().any(|brace| brace + super::code::enclosed(&code[brace..], '{', '}') > at)
}

/// The modules that `crate::…` names, by at most two parts, also in `crate::{a, b::c}`.
fn after_crate(path: &str) -> Vec<String> {
    let rest = path.strip_prefix("crate::").unwrap_or_default().trim_start();
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let first = |text: &str| {
        let top = word(text.trim());
        let below = text.trim()[top.len()..].strip_prefix("::").map(word).unwrap_or_default();
        // Below the first part only modules matter, and those are in lower case.
        if below.starts_with(char::is_lowercase) { format!("{top}::{below}") } else { top }
    };
    let names = if rest.starts_with('{') {
        let group = &rest[1..super::code::enclosed(rest, '{', '}').saturating_sub(1).max(1)];
        top_level(group).into_iter().map(first).collect()
    } else {
        vec![first(rest)]
    };
    names.into_iter().filter(|name| !name.is_empty()).collect()
}

/// The parts of a list, apart from commas inside of braces.
fn top_level(list: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0i32, 0, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&list[start..]);
    parts
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
            ("capture/bpf.rs", "track/mod.rs", "fn f(x: aya::Ebpf) {}"),
            ("store/mod.rs", "export/csv.rs", "use rusqlite::Connection;"),
            ("layout.rs", "model/address.rs", "use connmon_ebpf::Addr;"),
            ("cli.rs", "config.rs", "#[derive(clap::Args)]\nstruct A;"),
            ("report/page.rs", "summary/mod.rs", "use ::askama::Template;"),
            ("live/web/page.rs", "live/mod.rs", "use askama::Template;"),
            ("live/tui/mod.rs", "live/web/mod.rs", "use crossterm::event;"),
            ("live/web/net.rs", "live/hub.rs", "use axum::Router;"),
            ("enrich/geo/database.rs", "report/mod.rs", "use maxminddb::Reader;"),
            ("commands/geo/fetch.rs", "commands/geo/install.rs", "use ureq::Agent;"),
            ("export/parquet.rs", "export/csv.rs", "use ::parquet::basic::Type;"),
        ] {
            assert!(rules(owner, code).is_empty(), "{owner}");
            assert_eq!(rules(other, code).len(), 1, "{other}");
        }
        assert!(rules("track/mod.rs", "use maya::x; self::aya::y(); aya_like::z();").is_empty());
    }

    #[test]
    fn the_model_depends_on_nothing() {
        assert!(rules("model/event.rs", "use crate::model::time::Time; use super::process::Id;").is_empty());
        assert_eq!(
            rules("model/event.rs", "\nuse crate::store::Row;"),
            ["2: `model` may use no other module, not `store`"]
        );
        assert_eq!(rules("model/event.rs", "use super::super::store::Row;").len(), 1);
        assert_eq!(rules("model/mod.rs", "use super::store::Row;").len(), 1);
        assert!(rules("model/mod.rs", "mod tests { use super::*; }").is_empty());
        assert!(rules("commands/audit.rs", "use crate::store::Row; use super::x;").is_empty());
    }

    #[test]
    fn every_layer_knows_what_is_below() {
        assert!(rules("store/write.rs", "use crate::model::{Event, time::Time};").is_empty());
        assert!(rules("report/page.rs", "use crate::{model::Time, summary::{Summary, Row}};").is_empty());
        assert_eq!(
            rules("report/page.rs", "use crate::{summary::Summary, store::{Row, Id}};"),
            ["1: `report` may use summary, model, enrich::geo, not `store`"]
        );
        assert_eq!(
            rules("track/mod.rs", "fn f() { crate::enrich::name(); }"),
            ["1: `track` may use model, frame, sniff, not `enrich::name`"]
        );
        assert!(
            rules("report/mod.rs", "use crate::enrich::geo::Geo; use crate::{enrich::geo, model};")
                .is_empty()
        );
        assert_eq!(rules("report/mod.rs", "use crate::enrich::{geo, user};").len(), 1);
    }
}
