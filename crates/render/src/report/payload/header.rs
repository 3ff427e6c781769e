//! The header: what the columns are, and the dictionaries.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use super::Payload;
use super::column::{Coding, PayloadColumn};
use super::dictionary::{Dictionaries, Entry, NameEntry, Remote};
use super::row::{OPEN, PayloadRow};
use connmon_analysis::Window;
use connmon_record::untrusted::Exactly;
use connmon_record::{AddressKind, End, ExeHash, HostLocation, Untrusted, country_of};

/// The name of this data format. A change that a reader must know of gets a new name.
pub const FORMAT: &str = "connmon-report-1";

/// What is said of the columns of what was moved by time.
#[derive(Serialize)]
pub(super) struct StepsHeader {
    /// The length of a step in seconds.
    pub(super) seconds: i64,
    pub(super) rows: usize,
    pub(super) columns: Vec<Value>,
}

#[derive(Serialize)]
struct Header<'a> {
    format: &'static str,
    rows: usize,
    total: u64,
    /// Microseconds since 1970 at which the first row was opened.
    base: i64,
    open: u8,
    ends: Vec<&'static str>,
    columns: Vec<Value>,
    steps: StepsHeader,
    /// Milliseconds since 1970.
    window: Option<[i64; 2]>,
    home: Option<&'a HostLocation>,
    processes: Vec<Value>,
    locals: Vec<String>,
    remotes: Vec<Value>,
    countries: BTreeMap<&'a str, (&'static str, f64, f64)>,
    protos: Vec<String>,
    services: &'a [&'static str],
    labels: Vec<Value>,
    inexact: &'a [String],
    names: Vec<Value>,
    hits: Vec<Value>,
    shares: Vec<Value>,
    named: Vec<Value>,
}

impl Payload {
    pub(super) fn header(
        &self,
        columns: &[PayloadColumn<PayloadRow>],
        steps: StepsHeader,
        window: Option<Window>,
        home: Option<&HostLocation>,
    ) -> io::Result<Vec<u8>> {
        let of = &self.dictionaries;
        let header = Header {
            format: FORMAT,
            rows: self.rows.len(),
            total: self.total,
            base: self.rows.first().map_or(0, |row| row.opened.div_euclid(1_000)),
            open: OPEN,
            ends: End::ALL.iter().map(|end| end.name()).chain(["open"]).collect(),
            columns: columns.iter().map(|column| describe(column, &self.rows)).collect(),
            steps,
            window: window.map(|window| [window.from.as_millis(), window.to.as_millis()]),
            home,
            processes: of.processes().iter().map(process).collect(),
            locals: of.locals.entries.iter().map(ToString::to_string).collect(),
            remotes: of.remotes().iter().map(remote).collect(),
            countries: countries(of),
            protos: of.protos.entries.iter().map(ToString::to_string).collect(),
            services: &of.services.entries,
            labels: of.labels.entries.iter().map(|label| self.label(label)).collect(),
            inexact: &of.inexact.entries,
            names: of.name_sets().iter().map(|set| set.iter().map(name).collect()).collect(),
            hits: of
                .hit_sets()
                .iter()
                .map(|set| {
                    set.iter()
                        .map(|hit| json!([Exactly(&hit.indicator), Exactly(&hit.list.name), hit.kind.name()]))
                        .collect()
                })
                .collect(),
            shares: self.shares(),
            named: self.named(),
        };
        Ok(serde_json::to_vec(&header)?)
    }

    /// A label, its colour, and whether it is shown in words.
    fn label(&self, label: &Untrusted<Arc<str>>) -> Value {
        let rule = self.rules.iter().rev().find(|rule| rule.label.borrowed() == label.borrowed());
        let color = rule.and_then(|rule| rule.color).map(|color| color.to_string());
        json!([Exactly(label), color, rule.is_none_or(|rule| rule.text)])
    }

    /// Of the rows with more than one name: when the others were seen, microseconds after the row was opened.
    fn named(&self) -> Vec<Value> {
        let rows = self.rows.iter().enumerate().filter(|(_, row)| row.names > 0);
        rows.filter_map(|(place, row)| Some(json!([place, self.more_names.get(&row.id)?]))).collect()
    }

    /// For rows whose bytes are not all the owner's: who moved what.
    fn shares(&self) -> Vec<Value> {
        let shared = self.rows.iter().enumerate().filter(|(_, row)| row.is_shared);
        let all = shared.map(|(place, row)| {
            let shares = self.shares.get(&row.id).map(Vec::as_slice).unwrap_or_default();
            let shares: Vec<Value> = shares
                .iter()
                .map(|share| json!([share.process, share.tx, share.rx, share.tx_calls, share.rx_calls]))
                .collect();
            json!([place, shares])
        });
        all.collect()
    }
}

/// How a column is read.
pub(super) fn describe<T>(column: &PayloadColumn<T>, rows: &[T]) -> Value {
    let (coding, beside, packets) = match column.coding {
        Coding::Plain => ("plain", "", ""),
        Coding::Delta => ("delta", "", ""),
        Coding::Beside(other, packets) => ("beside", other, packets),
    };
    let first = column.first(rows).map(|first| first.to_string());
    json!({
        "name": column.name, "width": column.width, "coding": coding, "beside": beside, "packets": packets, "first": first,
    })
}

fn process(Entry { process, parent }: &Entry) -> Value {
    let container = process.place.container.as_ref().map(|container| {
        let parts = [container.name.as_ref(), Some(&container.id), container.image.as_ref()];
        let parts: Vec<_> = parts.into_iter().flatten().chain([&container.runtime]).map(Exactly).collect();
        json!({"shown": Exactly(&container.title()), "parts": parts})
    });
    let (hash, unhashed) = match &process.exe_hash {
        ExeHash::Sha256(hash) => (Some(hash), None),
        ExeHash::Refused(why) => (None, Some(why)),
        ExeHash::Unknown => (None, None),
    };
    json!({
        "pid": process.id.pid,
        "started": process.started.to_string(),
        "ppid": process.ppid,
        "comm": Exactly(&process.comm),
        "exe": Exactly(&process.exe),
        "cmdline": Exactly(&process.cmdline),
        "cwd": Exactly(&process.cwd),
        "uid": process.uid,
        "euid": process.euid,
        "user": Exactly(&process.user),
        "session": process.session,
        "state": process.exe_state.name(),
        "sha256": hash,
        "unhashed": unhashed,
        "redacted": process.redacted,
        "kernel": process.kernel_thread,
        "cgroup": Exactly(&process.cgroup),
        "unit": Exactly(&process.place.unit),
        "container": container,
        "pod": Exactly(&process.place.pod),
        "parent": parent,
    })
}

fn remote(Remote { ip, country, place }: &Remote) -> Value {
    let kind = AddressKind::of_address(*ip);
    let place = place.as_deref();
    let at = place.and_then(|place| place.coordinates).map(|at| (at.longitude, at.latitude));
    json!([
        ip.to_string(),
        kind.name(),
        country,
        place.and_then(|place| place.asn),
        place.and_then(|place| place.org.as_ref()).map(Exactly),
        place.and_then(|place| place.city.as_ref()).map(Exactly),
        at,
    ])
}

/// The countries of these remotes: name and middle, by code.
fn countries(of: &Dictionaries) -> BTreeMap<&str, (&'static str, f64, f64)> {
    let codes = of.remotes().iter().filter_map(|remote| remote.country.as_deref());
    codes
        .filter_map(country_of)
        .map(|country| (country.code, (country.name, country.longitude, country.latitude)))
        .collect()
}

fn name(NameEntry { name, source, process }: &NameEntry) -> Value {
    json!([Exactly(name), source.name(), process])
}
