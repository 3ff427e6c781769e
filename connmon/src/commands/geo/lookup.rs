//! `connmon geo lookup`

use std::io::Write;
use std::net::IpAddr;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::open;
use crate::cli::{self, TextFormat};
use crate::commands::{CommandError, Outcome, done, stdout, terminal_width};
use connmon_analysis::GeoNotes;
use connmon_enrich::geo::Geo;
use connmon_record::display_safe;
use connmon_record::{AddressKind, country_of};
use connmon_render::export::text::{pad, write_wrapped};

/// A field, its value, and the database that it is from.
struct Field {
    name: &'static str,
    value: Value,
    shown: String,
    from: String,
}

#[derive(Serialize)]
struct LookupResult {
    ip: IpAddr,
    kind: &'static str,
    #[serde(flatten)]
    fields: Map<String, Value>,
    /// The database of each field.
    from: Map<String, Value>,
}

/// Prints what the databases say of some addresses.
///
/// # Errors
/// A database cannot be read.
pub fn run(args: cli::LookupArgs) -> Result<Outcome, CommandError> {
    let geo = open(args.databases)?;
    let mut out = stdout();
    match args.format {
        TextFormat::Json => {
            let found: Vec<LookupResult> = args.ips.iter().map(|ip| found(&geo, *ip)).collect();
            let output = json!({ "addresses": found, "geo": GeoNotes::of_databases(&geo.about()) });
            serde_json::to_writer_pretty(&mut out, &output).map_err(std::io::Error::from)?;
            writeln!(out)?;
        }
        TextFormat::Text => {
            for ip in args.ips {
                write(&geo, ip, &mut out)?;
            }
            writeln!(out)?;
            for sentence in GeoNotes::of_databases(&geo.about()).words {
                write_wrapped("· ", &sentence, terminal_width(), &mut out)?;
            }
        }
    }
    done(out, None)
}

fn fields(geo: &Geo, ip: IpAddr) -> Vec<Field> {
    let answer = geo.lookup(ip);
    let (record, from) = (answer.record, answer.from);
    let mut fields = Vec::new();
    let mut add = |name, value: Value, shown: String, from: Option<usize>| {
        let database = from.and_then(|nth| geo.databases().get(nth)).map(|database| database.about().dated());
        let from = database.unwrap_or_default().shown().into_owned();
        fields.push(Field { name, value, shown, from });
    };
    if let Some(code) = record.country {
        let name = country_of(code).map_or("", |country| country.name);
        add("country", code.into(), format!("{code} ({name})"), from.country);
    }
    for (name, text, from) in [("region", record.region, from.region), ("city", record.city, from.city)] {
        if let Some(text) = text {
            let text = display_safe(text).into_owned();
            add(name, text.clone().into(), text, from);
        }
    }
    if let Some(at) = record.coordinates {
        add("latitude", at.latitude.into(), format!("{:.4}°", at.latitude), from.coordinates);
        add("longitude", at.longitude.into(), format!("{:.4}°", at.longitude), from.coordinates);
    }
    if let Some(asn) = record.asn {
        add("asn", asn.into(), format!("AS{asn}"), from.asn);
    }
    if let Some(org) = record.org {
        let org = display_safe(org).into_owned();
        add("org", org.clone().into(), org, from.org);
    }
    fields
}

fn found(geo: &Geo, ip: IpAddr) -> LookupResult {
    let mut found =
        LookupResult { ip, kind: AddressKind::of_address(ip).name(), fields: Map::new(), from: Map::new() };
    for field in fields(geo, ip) {
        found.fields.insert(field.name.into(), field.value);
        found.from.insert(field.name.into(), field.from.into());
    }
    found
}

fn write(geo: &Geo, ip: IpAddr, out: &mut impl Write) -> std::io::Result<()> {
    let kind = AddressKind::of_address(ip);
    writeln!(out, "{ip}  {}", kind.name())?;
    let fields = fields(geo, ip);
    let width =
        fields.iter().map(|field| connmon_render::export::text::width(&field.shown)).max().unwrap_or(0);
    for field in &fields {
        writeln!(out, "  {:<10} {}  {}", field.name, pad(&field.shown, width, false), field.from)?;
    }
    if fields.is_empty() && kind == AddressKind::Public {
        writeln!(out, "  in no database")?;
    } else if fields.is_empty() {
        writeln!(out, "  {}: not a public address, so not looked up", kind.label())?;
    }
    Ok(())
}
