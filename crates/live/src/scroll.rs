//! One line an event.
//!
//! ```text
//! 14:30:16.123  new          tcp   curl[1234]            →  8.8.8.8:443  dns.google  US
//! 14:30:16.140  established  tcp   curl[1234]            →  8.8.8.8:443  dns.google  US  17 ms
//! 14:30:18.201  closed       tcp   curl[1234]            →  8.8.8.8:443  dns.google  US  0.4 KiB sent  5 KiB received  2.1 s  fin
//! 14:30:18.300  failed       tcp   nc[99]                →  10.0.0.9:22  0 B sent  0 B received  1 ms  refused
//! 14:30:18.302  dns          udp   curl[1234]            ?  dns.google A  8.8.8.8 8.8.4.4  by 1.1.1.1:53  12 ms
//! 14:30:16.101  exec         -     curl[1234]            $  curl https://dns.google/
//! ```

use std::io::{self, Write};

use super::LiveState;
use super::event::{Event, EventKind};
use connmon_analysis::format;
use connmon_filter::{Filter, FilterRow};
use connmon_record::{Connection, Lookup, Process, Timestamp, display_safe};
use connmon_render::export::{connections, lookups, text};

/// Columns of a process and of a remote address; what is longer is not cut.
const PROCESS: usize = 22;
const REMOTE: usize = 22;

/// Writes events, one a line.
pub struct Scroll<W> {
    out: W,
    json: bool,
    filter: Filter,
    day: String,
}

impl<W: Write> Scroll<W> {
    /// Into `out`, of connections that fit; as JSON or in columns.
    pub fn new(out: W, filter: Filter, json: bool) -> Self {
        Self { out, json, filter, day: String::new() }
    }

    /// Writes the events of an update, which `live` has already taken in.
    ///
    /// # Errors
    /// The writer's.
    pub fn write(&mut self, live: &LiveState, events: &[Event]) -> io::Result<()> {
        for event in events {
            self.event(live, event)?;
        }
        self.out.flush()
    }

    /// Says that so many updates were missed.
    ///
    /// # Errors
    /// The writer's.
    pub fn missed(&mut self, time: Timestamp, missed: u64) -> io::Result<()> {
        if self.json {
            writeln!(self.out, "{{\"time\":\"{time}\",\"event\":\"missed\",\"updates\":{missed}}}")?;
        } else {
            let time = self.time(time)?;
            writeln!(
                self.out,
                "{time}  missed       {missed} updates: this reader was too slow; the store has them"
            )?;
        }
        self.out.flush()
    }

    fn event(&mut self, live: &LiveState, event: &Event) -> io::Result<()> {
        let name = event.kind.name();
        match &event.kind {
            EventKind::New(id)
            | EventKind::Established(id)
            | EventKind::Closed(id)
            | EventKind::Failed(id) => {
                let Some(connection) = live.connection(*id) else { return Ok(()) };
                if !self.filter.fits(&FilterRow::from_connection(&connection, live.now())) {
                    return Ok(());
                }
                if self.json {
                    let object = line(|out| connections::write_json(&connection, out))?;
                    return writeln!(
                        self.out,
                        "{{\"time\":\"{}\",\"event\":\"{name}\",\"connection\":{object}}}",
                        event.time
                    );
                }
                let time = self.time(event.time)?;
                let who = who(connection
                    .owner
                    .as_deref()
                    .or(connection.traffic.first().map(|share| &*share.process)));
                let arrow = connection.direction.arrow();
                let proto = text::pad(&connection.proto.name(), 4, false);
                let what = of_connection(&connection, &event.kind, live);
                writeln!(self.out, "{time}  {name:11}  {proto}  {who}  {arrow}  {what}")
            }
            EventKind::Dns(row) if self.filter.is_everything() => {
                let lookup = live.lookup(row);
                if self.json {
                    let object = line(|out| lookups::write_json(&lookup, out))?;
                    return writeln!(
                        self.out,
                        "{{\"time\":\"{}\",\"event\":\"dns\",\"dns\":{object}}}",
                        event.time
                    );
                }
                let (time, who) = (self.time(event.time)?, who(lookup.process.as_deref()));
                let proto = text::pad(&lookup.proto.name(), 4, false);
                writeln!(self.out, "{time}  {name:11}  {proto}  {who}  ?  {}", of_lookup(&lookup))
            }
            EventKind::Exec(row) if self.filter.is_everything() => {
                let Some(process) = live.process(*row) else { return Ok(()) };
                if self.json {
                    let object = serde_json::to_string(&connections::process(process))?;
                    return writeln!(
                        self.out,
                        "{{\"time\":\"{}\",\"event\":\"exec\",\"process\":{object}}}",
                        event.time
                    );
                }
                let (time, who) = (self.time(event.time)?, who(Some(process)));
                let command = if process.cmdline.is_empty() { &process.exe } else { &process.cmdline };
                writeln!(self.out, "{time}  {name:11}  -     {who}  $  {}", display_safe(command))
            }
            EventKind::Dns(_) | EventKind::Exec(_) => Ok(()),
        }
    }

    /// The time of the day in UTC; the day has a line of its own when it begins.
    fn time(&mut self, time: Timestamp) -> io::Result<String> {
        let (day, text) = (format::date(time), time.to_string());
        // Events of one update can be of two days, and told out of order.
        if day > self.day {
            writeln!(self.out, "# {day} (UTC)")?;
            self.day = day;
        }
        Ok(text.get(11..23).unwrap_or_default().to_owned())
    }
}

/// The text that `write` writes, without the end of its line.
fn line(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> io::Result<String> {
    let mut bytes = Vec::new();
    write(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
}

fn who(process: Option<&Process>) -> String {
    let words = process
        .map_or_else(|| "-".into(), |process| format!("{}[{}]", display_safe(&process.comm), process.id.pid));
    text::pad(&words, PROCESS, false)
}

fn of_connection(connection: &Connection, what: &EventKind, live: &LiveState) -> String {
    let mut words = vec![text::pad(&connection.remote.to_string(), REMOTE, false)];
    words.extend(connection.host().map(|host| display_safe(host).into_owned()));
    words.extend(connection.country.as_deref().map(|country| display_safe(country).into_owned()));
    let entry = live.entry(connection.id);
    match what {
        EventKind::Established(_) => {
            let time = entry.and_then(|entry| entry.row.established).unwrap_or(connection.opened);
            // How long the handshake took is not observed for a connection that this host accepted.
            if time > connection.opened {
                words.push(format::duration(nanos(connection.opened, time)));
            }
        }
        EventKind::Closed(_) | EventKind::Failed(_) => {
            words.push(format!("{} sent", format::bytes(connection.tx_bytes())));
            words.push(format!("{} received", format::bytes(connection.rx_bytes())));
            words.push(format::duration(nanos(
                connection.opened,
                connection.closed.unwrap_or(connection.opened),
            )));
            words.push(connection.end.map_or("its end was not recorded", |end| end.name()).into());
        }
        _ => {}
    }
    plain(&words.join("  "))
}

fn of_lookup(lookup: &Lookup) -> String {
    let mut words = vec![format!("{} {}", display_safe(&lookup.name), display_safe(&lookup.kind))];
    match &lookup.code {
        None => words.push("no answer".into()),
        Some(code) if code != "NoError" => words.push(display_safe(code).into_owned()),
        Some(_) => {
            let data: Vec<_> = lookup.answers.iter().map(|answer| display_safe(&answer.data)).collect();
            words.push(if data.is_empty() { "nothing".into() } else { data.join(" ") });
        }
    }
    words.push(format!("by {}", lookup.server));
    words.extend(lookup.answered.map(|answered| format::duration(nanos(lookup.time, answered))));
    plain(&words.join("  "))
}

/// `text` with plain spaces in place of no-break spaces, and with none at its end.
fn plain(text: &str) -> String {
    text.replace(['\u{a0}', '\u{202f}'], " ").trim_end().to_owned()
}

fn nanos(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.0.saturating_sub(from.0)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{closed, first};
    use super::super::{LiveState, Update};
    use super::*;
    use connmon_fixtures::rows::connection;
    use connmon_record::rows::ConnectionRow;
    use connmon_record::{Direction, End, Facts};

    fn written(json: bool, filter: &str) -> String {
        let mut live = LiveState::new(10, false);
        let mut out = Vec::new();
        let mut scroll = Scroll::new(&mut out, Filter::parse(filter, Timestamp(0)).unwrap(), json);
        let refused = ConnectionRow { established: None, ..connection(3, 1, "1.1.1.1") };
        let later = Update {
            connections: vec![closed(connection(1, 1, "8.8.8.8"), End::Fin), closed(refused, End::Refused)],
            ..Update::default()
        };
        for update in [first(), later] {
            let changes = live.apply(&update);
            scroll.write(&live, &changes.events).unwrap();
        }
        scroll.missed(live.now(), 3).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn events_are_lines_in_columns() {
        let text = written(false, "");
        assert_eq!(
            text,
            "# 2026-05-28 (UTC)
20:26:40.000  exec         -     curl[101]               $  /usr/bin/curl
20:26:40.000  exec         -     ssh[102]                $  /usr/bin/ssh
20:26:41.000  new          tcp   curl[101]               →  8.8.8.8:443             dns.google  US
20:26:41.005  established  tcp   curl[101]               →  8.8.8.8:443             dns.google  US  5 ms
20:26:42.000  new          tcp   ssh[102]                →  9.9.9.9:443             US
20:26:42.005  established  tcp   ssh[102]                →  9.9.9.9:443             US  5 ms
20:26:43.000  new          tcp   curl[101]               →  1.1.1.1:443             US
20:26:44.000  closed       tcp   curl[101]               →  8.8.8.8:443             dns.google  US  0.98 KiB sent  48.8 KiB received  3.00 s  fin
20:26:46.000  failed       tcp   curl[101]               →  1.1.1.1:443             US  0 B sent  0 B received  3.00 s  refused
20:26:42.000  missed       3 updates: this reader was too slow; the store has them
"
        );
    }

    #[test]
    fn how_long_a_handshake_took_is_told_where_it_was_seen() {
        let row = connection(1, 1, "8.8.8.8");
        let called = ConnectionRow {
            established: Some(row.opened),
            facts: Facts { direction: Direction::In, ..row.facts },
            ..row
        };
        let update = Update { connections: vec![called], ..first() };
        let (mut live, mut out) = (LiveState::new(10, false), Vec::new());
        let mut scroll = Scroll::new(&mut out, Filter::default(), false);
        let changes = live.apply(&update);
        scroll.write(&live, &changes.events).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<_> = text.lines().filter(|line| line.contains("8.8.8.8")).collect();
        assert!(lines[0].contains("new") && lines[1].contains("established"), "{text}");
        assert!(!lines[1].contains('µ'), "{text}");
    }

    #[test]
    fn a_filter_chooses_events_of_connections() {
        let text = written(false, "proc:ssh");
        assert_eq!(text.lines().filter(|line| line.contains("ssh")).count(), 2);
        assert!(!text.contains("curl") && !text.contains("exec"));
    }

    #[test]
    fn json_has_the_contract_of_the_export() {
        let text = written(true, "");
        let objects: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(objects.len(), 10);
        assert_eq!(objects[7]["event"], "closed");
        assert_eq!(objects[7]["connection"]["rx_bytes"], 50_000);
        assert_eq!(objects[0]["process"]["pid"], 101);
        assert_eq!(objects[9]["updates"], 3);
    }
}
