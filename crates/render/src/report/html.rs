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
mod findings;
mod header;
mod places;
mod script;
mod tables;
mod top;
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
use super::{PictureOptions, svg};
use connmon_analysis::format;
use connmon_analysis::{GeoNotes, Summary};
use connmon_record::json_safe;
pub(super) use findings::Section as Findings;
use top::{Top, TopOnly};
use view::{Amount, Shown, When};

/// The style of the page and of the pictures in it. The policy names its digest.
pub(super) const STYLE: &str =
    concat!(include_str!("../../../../templates/style.css"), include_str!("../../../../templates/map.css"));

/// What only a page that a server feeds has.
const LIVE_STYLE: &str = include_str!("../../../../templates/live.css");

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
    options: &PictureOptions,
    out: &mut dyn Write,
) -> io::Result<()> {
    write_page(summary, payload, options, None, out)
}

/// Writes the same page as a live one: it listens to the server that it came from for events after `last`, the last event that its data
/// includes.
///
/// # Errors
/// The writer's.
pub fn write_live(
    summary: &Summary,
    payload: Payload,
    options: &PictureOptions,
    last: &str,
    out: &mut dyn Write,
) -> io::Result<()> {
    write_page(summary, payload, options, Some(last), out)
}

/// Writes the top of the page alone: what a page that goes on cannot tell by itself.
///
/// # Errors
/// The writer's.
pub fn write_top(summary: &Summary, options: &PictureOptions, out: &mut dyn Write) -> io::Result<()> {
    let top = Top::new(summary, options, &GeoNotes::from_runs(&summary.runs), String::new());
    TopOnly { top }.write_into(out)
}

fn write_page(
    summary: &Summary,
    payload: Payload,
    options: &PictureOptions,
    live: Option<&str>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut page = Digesting::new(out);
    ReportPage::new(summary, &payload, options, live).write_into(&mut page)?;
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
    writeln!(out, "<script type=\"module\">{}{END}\n</body>\n</html>", script_of(live.is_some()))
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
struct ReportPage {
    policy: Markup,
    style: Markup,
    early: Markup,
    live: Option<LivePart>,
    version: &'static str,
    top: Top,
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

/// What a page that a server feeds has in its head.
struct LivePart {
    last: String,
    style: Markup,
}

struct TrayLine {
    label: &'static str,
    bytes: Amount,
    remotes: String,
    connections: String,
}

impl ReportPage {
    fn new(summary: &Summary, payload: &Payload, options: &PictureOptions, live: Option<&str>) -> Self {
        let geo = GeoNotes::from_runs(&summary.runs);
        let wording = places::wording(&geo);
        Self {
            policy: Markup(policy(live.is_some())),
            style: Markup(STYLE.to_owned()),
            early: Markup(script::EARLY.to_owned()),
            live: live.map(|last| LivePart { last: last.to_owned(), style: Markup(LIVE_STYLE.to_owned()) }),
            version: env!("CARGO_PKG_VERSION"),
            top: Top::new(summary, options, &geo, connections::cut(payload.counts())),
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
            geo_words: geo.words.iter().map(Shown::new).collect(),
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

/// The page's security policy: nothing may load, be sent or be framed; only the style and the script with these digests
/// apply. A page that a server feeds (`live`) may talk to that server too.
pub fn policy(live: bool) -> String {
    let digest = |text: &str| STANDARD.encode(Sha256::digest(text));
    let live_style = if live { format!(" 'sha256-{}'", digest(LIVE_STYLE)) } else { String::new() };
    format!(
        "default-src 'none'; style-src 'sha256-{}'{live_style}; script-src 'sha256-{}' 'sha256-{}'; img-src data:; {}base-uri \
         'none'; form-action 'none'",
        digest(STYLE),
        digest(script_of(live)),
        digest(script::EARLY),
        if live { "connect-src 'self'; " } else { "" },
    )
}

fn script_of(live: bool) -> &'static str {
    if live { script::LIVE_SCRIPT.as_str() } else { script::SCRIPT.as_str() }
}
