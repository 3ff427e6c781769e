//! A connection in a fixed number of bytes.

use super::compact::Compacted;
use super::dictionary::Dictionaries;
use connmon_record::facts::{Cell, Group, PAGED, PageColumn, Unit, paged};
use connmon_record::{Connection, Direction, End, Name, Timestamp};

/// What `end` is while a connection lasts: after the last of [`End::ALL`].
pub(super) const OPEN: u8 = End::ALL.len() as u8;

/// What a bit says, and whether it is so.
type Flag = (&'static str, fn(&Connection) -> bool);

/// The bits of `flags`, from the lowest.
pub(super) const FLAGS: [Flag; 6] = [
    ("preexisting", |connection| connection.preexisting),
    ("subflow", |connection| connection.subflow),
    (Group::Kernel.name(), |connection| connection.kernel.is_some()),
    (Group::Wire.name(), |connection| connection.wire.is_some()),
    ("failed", Connection::has_failed),
    (Group::Asked.name(), |connection| connection.asked.is_some()),
];

/// A connection. What is an index refers to [`Dictionaries`].
pub(super) struct PayloadRow {
    pub(super) id: i64,
    /// Nanoseconds since 1970. The page gets microseconds: the remaining digits would be a tenth of its size.
    pub(super) opened: i64,
    /// Microseconds, up to the end or the recording's last word.
    pub(super) lasted_us: u64,
    pub(super) tx: u64,
    pub(super) rx: u64,
    pub(super) tx_calls: u64,
    pub(super) rx_calls: u64,
    /// The facts of the table that have a column, in its order.
    pub(super) figures: [u64; PAGED],
    /// When its first name was seen, microseconds after it was opened; before it, less than 0.
    pub(super) named_us: i64,
    /// 0 for none, else the place of its process plus 1.
    pub(super) owner: u32,
    pub(super) local: u32,
    pub(super) remote: u32,
    pub(super) names: u32,
    pub(super) run: u32,
    pub(super) local_port: u16,
    pub(super) remote_port: u16,
    pub(super) proto: u32,
    pub(super) service: u32,
    pub(super) label: u32,
    pub(super) hits: u32,
    pub(super) inexact: u32,
    pub(super) direction: u8,
    pub(super) end: u8,
    /// One bit for each of [`FLAGS`].
    pub(super) flags: u8,
    /// Whether processes other than its owner moved bytes.
    pub(super) is_shared: bool,
}

impl PayloadRow {
    pub(super) fn new(
        run: i64,
        connection: &Connection,
        last_word: Timestamp,
        dictionaries: &mut Dictionaries,
    ) -> Self {
        let Connection { owner, traffic, .. } = connection;
        let until = connection.known_end().unwrap_or(last_word.max(connection.opened));
        let (tx, rx) = (connection.tx_bytes(), connection.rx_bytes());
        let mut figures = [0; PAGED];
        for (figure, (fact, page)) in figures.iter_mut().zip(paged()) {
            *figure = match fact.value_of(connection) {
                Cell::Count(Some(count)) => count,
                Cell::Text(Some(ip)) => ip.parse().map_or(0, |ip| dictionaries.local(ip).into()),
                // The value that takes the least room: the flags say that it has no meaning.
                _ => predicted(page, tx, rx),
            };
        }
        let owner_id = owner.as_ref().map(|owner| owner.id);
        Self {
            id: connection.id,
            opened: connection.opened.0,
            lasted_us: connection.lasted_ns(until) / 1_000,
            tx,
            rx,
            tx_calls: traffic.iter().map(|share| share.tx_calls).sum(),
            rx_calls: traffic.iter().map(|share| share.rx_calls).sum(),
            figures,
            named_us: connection.names.first().map_or(0, |name| since(connection, name)),
            owner: owner.as_ref().map_or(0, |owner| dictionaries.process(owner) + 1),
            local: dictionaries.local(connection.local.ip),
            remote: dictionaries.remote(connection),
            names: dictionaries.names(&connection.names),
            run: dictionaries.run(run),
            local_port: connection.local.port,
            remote_port: connection.remote.port,
            proto: dictionaries.proto(connection.proto),
            service: dictionaries.service(connection),
            label: dictionaries.label(connection.label.as_ref()),
            hits: dictionaries.hits(&connection.hits),
            inexact: dictionaries.inexact(connection.inexact.as_deref()),
            direction: Direction::ALL.iter().position(|one| *one == connection.direction).unwrap_or(0) as u8,
            end: connection
                .end
                .and_then(|end| End::ALL.iter().position(|one| *one == end))
                .map_or(OPEN, |place| place as u8),
            flags: (0..).zip(FLAGS).map(|(bit, (_, is))| u8::from(is(connection)) << bit).sum(),
            is_shared: traffic.iter().any(|share| Some(share.process.id) != owner_id),
        }
    }

    /// Refers to the entries that these have become.
    pub(super) fn move_to(&mut self, kept: &mut Compacted) {
        if self.owner > 0 {
            self.owner = kept.process(self.owner - 1) + 1;
        }
        (self.local, self.remote) = (kept.local(self.local), kept.remote(self.remote));
        (self.names, self.hits) = (kept.names(self.names), kept.hits(self.hits));
        // These are few: see `Compacted`.
        let asked = FLAGS.iter().position(|(name, _)| *name == Group::Asked.name());
        let has_asked = asked.is_some_and(|bit| self.flags >> bit & 1 == 1);
        for (figure, (fact, _)) in self.figures.iter_mut().zip(paged()) {
            if has_asked && fact.unit == Unit::Address {
                *figure = kept.local(*figure as u32).into();
            }
        }
    }

    /// When the names after the first were seen, microseconds after it was opened.
    pub(super) fn more_names(connection: &Connection) -> Vec<i64> {
        connection.names.iter().skip(1).map(|name| since(connection, name)).collect()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.tx.saturating_add(self.rx)
    }
}

/// The figure that a column is mostly near to.
pub(super) fn predicted(page: PageColumn, tx: u64, rx: u64) -> u64 {
    match page.beside[0] {
        "tx" => tx,
        "rx" => rx,
        _ => 0,
    }
}

fn since(connection: &Connection, name: &Name) -> i64 {
    name.time.0.saturating_sub(connection.opened.0) / 1_000
}

/// What one process moved on a connection that is not its owner's alone.
pub(super) struct PayloadShare {
    pub(super) process: u32,
    pub(super) tx: u64,
    pub(super) rx: u64,
    pub(super) tx_calls: u64,
    pub(super) rx_calls: u64,
}

impl PayloadShare {
    pub(super) fn of_connection(connection: &Connection, dictionaries: &mut Dictionaries) -> Vec<Self> {
        let shares = connection.traffic.iter().map(|share| Self {
            process: dictionaries.process(&share.process),
            tx: share.tx_bytes,
            rx: share.rx_bytes,
            tx_calls: share.tx_calls,
            rx_calls: share.rx_calls,
        });
        shares.collect()
    }
}
