//! The report: one HTML file that needs no network, no server and no script.
//!
//! The page forbids itself everything but its own style (a content security policy with the style's digest), so
//! even a flaw in escaping could load and run nothing.

mod connections;
mod header;
mod places;
mod tables;
mod view;

use std::fmt;
use std::io::{self, Write};

use askama::Template;
use askama::filters::HtmlSafe;
use base64::Engine;
use sha2::{Digest, Sha256};

use super::{Options, svg};
use crate::summary::format;
use crate::summary::{GeoNotes, Summary};
use view::{Amount, Shown, When};

/// The style of the page and of the pictures in it. The policy names its digest.
const STYLE: &str =
    concat!(include_str!("../../../templates/style.css"), include_str!("../../../templates/map.css"));

/// Writes the report.
///
/// # Errors
/// The writer's.
pub fn write(summary: &Summary, options: &Options, out: &mut impl Write) -> io::Result<()> {
    Page::new(summary, options).write_into(out)?;
    out.write_all(b"\n")
}

/// Markup of connmon's own making, put into the page as it is.
struct Markup(String);

impl fmt::Display for Markup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl HtmlSafe for Markup {}

#[derive(Template)]
#[template(path = "report.html")]
struct Page {
    policy: Markup,
    style: Markup,
    version: &'static str,
    hosts: Shown,
    window: Option<header::Interval>,
    facts: Vec<header::Fact>,
    notes: Vec<Shown>,
    verdict: header::Verdict,
    gaps: Vec<header::GapLine>,
    more_gaps: String,
    runs: Vec<header::RunLine>,
    cut: String,
    figures: Vec<header::Figure>,
    activity: Option<Markup>,
    step: String,
    before: String,
    ticks: Vec<When>,
    map: Markup,
    map_note: String,
    home_note: Shown,
    place_head: &'static str,
    country_note: &'static str,
    trays: Vec<TrayLine>,
    processes: tables::Table<tables::ProcessLine>,
    remotes: tables::Table<tables::RemoteLine>,
    countries: Vec<tables::CountryLine>,
    services: tables::Table<tables::ServiceLine>,
    ends: Vec<tables::EndLine>,
    connections: connections::List,
    made: Option<When>,
    geo_words: Vec<Shown>,
}

struct TrayLine {
    label: &'static str,
    bytes: Amount,
    remotes: String,
    connections: String,
}

impl Page {
    fn new(summary: &Summary, options: &Options) -> Self {
        let activity = svg::activity(summary);
        let geo = GeoNotes::of(&summary.runs);
        let wording = places::wording(&geo);
        Self {
            policy: Markup(policy()),
            style: Markup(STYLE.to_owned()),
            version: env!("CARGO_PKG_VERSION"),
            hosts: header::hosts(summary),
            window: header::interval(summary),
            facts: header::facts(summary, &geo),
            notes: header::backend_notes(summary),
            verdict: header::verdict(summary),
            gaps: header::gaps(summary),
            more_gaps: header::more_gaps(summary),
            runs: header::runs(summary),
            cut: connections::cut(summary),
            figures: header::figures(summary),
            activity: (!activity.is_empty()).then_some(Markup(activity)),
            step: format::duration(summary.activity.step_ns),
            before: match summary.activity.before {
                0 => String::new(),
                n => format::grouped(n),
            },
            ticks: svg::ticks(summary).into_iter().map(When::new).collect(),
            map: Markup(svg::map(summary, options, svg::Frame::Page)),
            map_note: wording.map,
            home_note: places::home_note(options.home.as_ref()),
            place_head: wording.head,
            country_note: wording.countries,
            trays: svg::trays_of(summary).into_iter().map(TrayLine::new).collect(),
            processes: tables::processes(summary, options.rows),
            remotes: tables::remotes(summary, options.rows),
            countries: tables::countries(summary),
            services: tables::services(summary, options.rows.min(40)),
            ends: tables::ends(summary),
            connections: connections::list(summary),
            made: options.made.map(When::new),
            geo_words: geo.words.iter().map(|words| Shown::new(words)).collect(),
        }
    }
}

impl TrayLine {
    fn new(tray: svg::Tray) -> Self {
        Self {
            label: tray.label,
            bytes: Amount::new(tray.figures.bytes()),
            remotes: format::count(tray.remotes, "address", "addresses"),
            connections: format::count(tray.figures.connections, "connection", "connections"),
        }
    }
}

/// Nothing may load, run, be sent or be framed; only the style with this digest applies.
fn policy() -> String {
    let digest = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    )
}
