//! The report: one HTML file that needs no network and no server; without scripts it is complete, with its own script it
//! answers questions.
//!
//! The page forbids itself everything but its own style and script (a content security policy with their digests), so
//! even a flaw in escaping could load and run nothing.
//!
//! ```text
//! page from the templates │ data (gzip, base64) │ manifest with digests of both │ script
//! ```

mod connections;
mod header;
mod places;
mod script;
mod tables;
mod view;

use std::fmt;
use std::io::{self, Write};

use askama::Template;
use askama::filters::HtmlSafe;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use base64::write::EncoderWriter;
use sha2::{Digest, Sha256};

use super::manifest::{Digesting, Manifest};
use super::payload::Payload;
use super::{Options, svg};
use crate::model::{display_safe, json_safe};
use crate::summary::findings::Finding;
use crate::summary::format;
use crate::summary::{GeoNotes, Summary};
use view::{Amount, Shown, When};

/// The style of the page and of the pictures in it. The policy names its digest.
pub(super) const STYLE: &str =
    concat!(include_str!("../../../templates/style.css"), include_str!("../../../templates/map.css"));

/// Begins the element with the data.
pub const DATA: &str = "<script type=\"text/plain\" id=\"data\">";
/// Begins the element with the manifest.
pub const MANIFEST: &str = "<script type=\"application/json\" id=\"manifest\">";
/// Ends both.
pub const END: &str = "</script>";

/// Writes the report of a summary, with the connections of `payload` as its data.
///
/// # Errors
/// The writer's.
pub fn write(
    summary: &Summary,
    payload: Payload,
    options: &Options,
    out: &mut (impl Write + ?Sized),
) -> io::Result<()> {
    let mut page = Digesting::new(out);
    Page::new(summary, &payload, options).write_into(&mut page)?;
    page.write_all(b"\n")?;
    page.write_all(DATA.as_bytes())?;
    let mut data = Digesting::new(EncoderWriter::new(&mut page, &STANDARD));
    let written = payload.write(summary.window, options.home.as_ref(), &mut data)?;
    let part = data.part();
    data.into_inner().finish()?;
    page.write_all(END.as_bytes())?;
    page.write_all(b"\n")?;
    let manifest = Manifest::new(summary, options, written, part, page.part());
    // No text in it can end its element.
    let manifest = json_safe(&serde_json::to_string_pretty(&manifest)?);
    let out = page.into_inner();
    writeln!(out, "{MANIFEST}{manifest}{END}")?;
    writeln!(out, "<script type=\"module\">{}{END}\n</body>\n</html>", script::SCRIPT.as_str())
}

/// Markup of connmon's own making, put into the page as it is.
pub(super) struct Markup(pub(super) String);

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
    early: Markup,
    version: &'static str,
    title: Shown,
    case: Vec<header::Fact>,
    findings: Vec<FindingLine>,
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

struct FindingLine {
    title: &'static str,
    connections: String,
    reason: Shown,
    /// Empty where it has characters that cannot be shown: then there is no button.
    filter: Shown,
}

impl FindingLine {
    fn new(finding: &Finding) -> Self {
        let shown = display_safe(&finding.filter);
        Self {
            title: finding.title,
            connections: format::count(finding.connections, "connection", "connections"),
            reason: Shown::new(&finding.reason),
            filter: Shown::new(if shown == finding.filter { &finding.filter } else { "" }),
        }
    }
}

struct TrayLine {
    label: &'static str,
    bytes: Amount,
    remotes: String,
    connections: String,
}

impl Page {
    fn new(summary: &Summary, payload: &Payload, options: &Options) -> Self {
        let activity = svg::activity(summary);
        let geo = GeoNotes::of(&summary.runs);
        let wording = places::wording(&geo);
        Self {
            policy: Markup(policy()),
            style: Markup(STYLE.to_owned()),
            early: Markup(script::EARLY.to_owned()),
            version: env!("CARGO_PKG_VERSION"),
            title: options.title.as_deref().map_or_else(|| header::hosts(summary), Shown::new),
            case: header::case(options, summary),
            findings: options.findings.iter().map(FindingLine::new).collect(),
            window: header::interval(summary),
            facts: header::facts(summary, &geo),
            notes: header::backend_notes(summary),
            verdict: header::verdict(summary),
            gaps: header::gaps(summary),
            more_gaps: header::more_gaps(summary),
            runs: header::runs(summary),
            cut: connections::cut(payload.counts()),
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

/// Nothing may load, be sent or be framed; only the style and the script with these digests apply.
fn policy() -> String {
    let digest = |text: &str| STANDARD.encode(Sha256::digest(text));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}' 'sha256-{}'; img-src data:; base-uri 'none'; \
         form-action 'none'",
        digest(STYLE),
        digest(&script::SCRIPT),
        digest(script::EARLY)
    )
}
