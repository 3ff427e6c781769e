//! Sums that stay when connections are pruned: figures of a day, or of a month, by what `audit` groups by and lasts. They are made
//! of a whole connection, and what [`audit`](crate::groups::parts) would have counted of it can be told from them: a connection
//! itself on the day when it was opened, its bytes on the days when they were moved.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use connmon_record::{Connection, Matching, Process, Proto, Timestamp};

use super::key::{self, GroupBy, GroupKey, Member};
use super::{GroupFigures, parts};

/// Nanoseconds of a day.
const DAY_NS: i64 = 86_400_000_000_000;

/// Whose traffic is summed: the keys by which `audit` groups, as texts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SumOwner {
    /// The executable; empty where no process is known.
    pub exe: String,
    /// The user; empty as well then.
    pub user: String,
    /// The systemd unit; the same.
    pub unit: String,
    /// The container; the same.
    pub container: String,
    /// The country of the remote address, or its kind.
    pub country: String,
    /// The place of the remote end.
    pub other_end: OtherEnd,
}

/// The place of the remote end of a connection, as it was known when the sum was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OtherEnd {
    /// On another host, as far as is known.
    #[default]
    Elsewhere = 0,
    /// At the very address that it comes from, see [`is_own`].
    Same = 1,
    /// At another address of this host.
    Here = 2,
}

impl OtherEnd {
    /// Of a connection of a host that has these addresses.
    pub fn of_connection(connection: &Connection, here: &HashSet<IpAddr>) -> Self {
        match () {
            () if is_own(connection) => Self::Same,
            () if here.contains(&connection.remote.ip) => Self::Here,
            () => Self::Elsewhere,
        }
    }

    /// The meaning of a number in the store.
    pub fn from_number(number: i64) -> Self {
        match number {
            1 => Self::Same,
            2 => Self::Here,
            _ => Self::Elsewhere,
        }
    }
}

/// The part of the connections that a sum covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SumPart {
    /// Bytes moved in the period, and connections that lie within it.
    Within = 0,
    /// Connections that were opened in the period, and end after it, but in its month.
    Month = 1,
    /// Connections that were opened in the period, and end after its month.
    Beyond = 2,
    /// Connections that were open when the period began: for answers that begin with it.
    Carried = 3,
}

impl SumPart {
    /// The part of a number that a store has.
    pub fn from_number(number: i64) -> Option<Self> {
        [Self::Within, Self::Month, Self::Beyond, Self::Carried]
            .into_iter()
            .find(|part| *part as i64 == number)
    }
}

/// A period of time: a day or a month, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SumPeriod {
    /// The day with which it begins, counted from 1970-01-01.
    pub day: i64,
    /// It is the whole month.
    pub month: bool,
}

impl SumPeriod {
    /// The day of a moment.
    pub fn of_time(time: Timestamp) -> Self {
        Self { day: time.0.div_euclid(DAY_NS), month: false }
    }

    /// When it begins.
    pub fn start(self) -> Timestamp {
        Timestamp(self.day.saturating_mul(DAY_NS))
    }

    /// When the next one begins.
    pub fn end(self) -> Timestamp {
        if self.month { self.start().month().1 } else { Timestamp(self.start().0.saturating_add(DAY_NS)) }
    }

    /// The month that it is in.
    pub fn whole_month(self) -> Self {
        Self { day: self.start().month().0.0.div_euclid(DAY_NS), month: true }
    }
}

/// The key of a sum.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SumKey {
    /// When.
    pub period: SumPeriod,
    /// The part of the connections.
    pub part: SumPart,
    /// The protocol.
    pub proto: Proto,
    /// Whose.
    pub owner: Arc<SumOwner>,
}

/// The sums that are kept of connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SumFigures {
    /// Connections and bytes.
    pub figures: GroupFigures,
    /// Of the connections, those that existed before their recording.
    pub preexisting: u64,
    /// Of the connections, those whose packets were counted.
    pub wire_known: u64,
}

/// A sum.
pub type TrafficSum = (SumKey, SumFigures);

/// The names of the figures of a sum, in the order of [`SumFigures::numbers`].
pub const SUM_COLUMNS: [&str; 11] = [
    "connections",
    "failed",
    "inbound",
    "inexact",
    "preexisting",
    "tx_bytes",
    "rx_bytes",
    "wire_known",
    "wire_unknown",
    "wire_tx_bytes",
    "wire_rx_bytes",
];

impl SumFigures {
    /// As the store has them.
    pub fn numbers(&self) -> [u64; SUM_COLUMNS.len()] {
        let f = &self.figures;
        [
            f.connections,
            f.failed,
            f.inbound,
            f.inexact,
            self.preexisting,
            f.tx_bytes,
            f.rx_bytes,
            self.wire_known,
            f.wire_unknown,
            f.wire_tx_bytes,
            f.wire_rx_bytes,
        ]
    }

    /// The inverse of [`SumFigures::numbers`].
    pub fn from_numbers(numbers: [u64; SUM_COLUMNS.len()]) -> Self {
        let [
            connections,
            failed,
            inbound,
            inexact,
            preexisting,
            tx_bytes,
            rx_bytes,
            wire_known,
            wire_unknown,
            wire_tx_bytes,
            wire_rx_bytes,
        ] = numbers;
        let figures = GroupFigures {
            connections,
            failed,
            inbound,
            open: 0,
            inexact,
            tx_bytes,
            rx_bytes,
            wire_tx_bytes,
            wire_rx_bytes,
            wire_unknown,
        };
        Self { figures, preexisting, wire_known }
    }

    /// The figures for an answer for which the time of these connections is `whole`: else it is not known what they put on the
    /// wire.
    pub fn of_wire(&self, whole: bool) -> GroupFigures {
        match whole {
            true => self.figures,
            false => GroupFigures {
                wire_tx_bytes: 0,
                wire_rx_bytes: 0,
                wire_unknown: self.figures.wire_unknown.saturating_add(self.wire_known),
                ..self.figures
            },
        }
    }
}

impl std::ops::AddAssign for SumFigures {
    fn add_assign(&mut self, more: Self) {
        self.figures += more.figures;
        self.preexisting = self.preexisting.saturating_add(more.preexisting);
        self.wire_known = self.wire_known.saturating_add(more.wire_known);
    }
}

/// The contribution of a connection that has ended, with all its steps, to each sum, on a host that has the addresses
/// `here`.
pub fn sums_of(connection: &Connection, here: &HashSet<IpAddr>, mut each: impl FnMut(SumKey, SumFigures)) {
    let country = key::group_key(GroupBy::Country, &member(connection, None));
    let other_end = OtherEnd::of_connection(connection, here);
    let owner = |process: Option<&Arc<Process>>| {
        let text = |by| match process.map(|_| key::group_key(by, &member(connection, process))) {
            Some(GroupKey::Text(text)) => text,
            _ => String::new(),
        };
        Arc::new(SumOwner {
            exe: text(GroupBy::Exe),
            user: text(GroupBy::User),
            unit: text(GroupBy::Unit),
            container: text(GroupBy::Container),
            country: match &country {
                GroupKey::Text(text) => text.clone(),
                _ => String::new(),
            },
            other_end,
        })
    };
    let key = |period, part, process: Option<&Arc<Process>>| SumKey {
        period,
        part,
        proto: connection.proto,
        owner: owner(process),
    };
    let one = GroupFigures { open: 0, ..GroupFigures::of_connection(connection) };
    let wire = GroupFigures::of_wire(connection, true);
    let count = SumFigures {
        figures: one + wire,
        preexisting: u64::from(connection.preexisting),
        wire_known: u64::from(connection.wire.is_some() && super::figures::has_wire(connection)),
    };
    let opened = SumPeriod::of_time(connection.opened);
    let lies_in = |period: SumPeriod| connection.lies_within(Some(period.start()), Some(period.end()));
    let part = match () {
        () if lies_in(opened) => SumPart::Within,
        () if lies_in(opened.whole_month()) => SumPart::Month,
        () => SumPart::Beyond,
    };
    each(key(opened, part, connection.owner.as_ref()), count);
    // Its own figures are counted above.
    parts(connection, GroupFigures::default(), connection.opened, |process, time, figures| {
        if figures != GroupFigures::default() {
            let moved = SumFigures { figures, ..SumFigures::default() };
            each(key(SumPeriod::of_time(time), SumPart::Within, process), moved);
        }
    });
    let last = connection.known_end().map_or(opened, SumPeriod::of_time);
    for day in opened.day + 1..=last.day {
        let period = SumPeriod { day, month: false };
        each(key(period, SumPart::Carried, connection.owner.as_ref()), count);
    }
}

/// Whether a connection leads to the very address that it comes from.
pub fn is_own(connection: &Connection) -> bool {
    let (local, remote) = (connection.local.ip, connection.remote.ip);
    remote.is_loopback() || (remote == local && !remote.is_unspecified())
}

/// A question to the sums.
#[derive(Clone, Debug, Default)]
pub struct SumSelection {
    /// From when on; a part of a period is not known.
    pub since: Option<Timestamp>,
    /// Until when.
    pub until: Option<Timestamp>,
    /// Up to when connections may have been pruned: nothing in the sums is later.
    pub pruned_until: Timestamp,
    /// The first period that is whole within the time, once it has been met.
    first: Option<Timestamp>,
}

/// The use of a sum in an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SumMeaning {
    /// It is of another time.
    None,
    /// Only a part of its time is asked for, and how much of it lies in that part is not known.
    Part,
    /// It counts; whether what is known of the wire does as well.
    Counts(bool),
}

impl SumSelection {
    /// Of this time, from a store that was pruned up to `pruned_until`.
    pub fn new(since: Option<Timestamp>, until: Option<Timestamp>, pruned_until: Timestamp) -> Self {
        Self { since, until, pruned_until, first: None }
    }

    /// The use of a sum in the answer; the sums come in the order of their periods.
    pub fn meaning(&mut self, key: &SumKey) -> SumMeaning {
        let (start, end) = (key.period.start(), key.period.end().min(self.pruned_until));
        let begins = self.since.is_none_or(|since| since <= start);
        let ends = self.until.is_none_or(|until| until >= end);
        if !begins || !ends {
            let overlaps =
                self.since.is_none_or(|since| since < end) && self.until.is_none_or(|until| until > start);
            return if overlaps { SumMeaning::Part } else { SumMeaning::None };
        }
        let first = *self.first.get_or_insert(start) == start;
        // Where nothing was pruned later, all are over.
        let all_over = self.until.is_none_or(|until| until >= self.pruned_until);
        match key.part {
            SumPart::Within => SumMeaning::Counts(true),
            SumPart::Month | SumPart::Beyond => SumMeaning::Counts(all_over),
            SumPart::Carried if self.since.is_some() && first => SumMeaning::Counts(false),
            SumPart::Carried => SumMeaning::None,
        }
    }
}

/// Connections that are known by their sums, all of which lie within the time that was asked for.
#[derive(Clone, Debug, Default)]
pub struct Summed {
    /// The sums, by day.
    pub sums: Vec<TrafficSum>,
    /// The addresses of their host.
    pub locals: HashSet<IpAddr>,
    /// The number of connections that match lists of indicators.
    pub matching: (u64, Matching),
}

/// Whether sums of days tell what connections are grouped by.
pub fn tells(by: GroupBy) -> bool {
    match by {
        GroupBy::Exe
        | GroupBy::User
        | GroupBy::Unit
        | GroupBy::Container
        | GroupBy::Country
        | GroupBy::Month
        | GroupBy::Day => true,
        GroupBy::Process
        | GroupBy::Host
        | GroupBy::Remote
        | GroupBy::Asn
        | GroupBy::Org
        | GroupBy::Label
        | GroupBy::Port
        | GroupBy::Hour => false,
    }
}

/// The key of a sum, and whether what its connections put on the wire lies within the group's time.
pub fn key_of_sum(by: GroupBy, sum: &SumKey) -> (GroupKey, bool) {
    let owner = &sum.owner;
    let of_process =
        |text: &String| if owner.exe.is_empty() { GroupKey::Nobody } else { GroupKey::Text(text.clone()) };
    let key = match by {
        GroupBy::Exe => of_process(&owner.exe),
        GroupBy::User => of_process(&owner.user),
        GroupBy::Unit => of_process(&owner.unit),
        GroupBy::Container => of_process(&owner.container),
        GroupBy::Country => GroupKey::Text(owner.country.clone()),
        GroupBy::Month => key::of_time(by, sum.period.start()),
        GroupBy::Day if !sum.period.month => key::of_time(by, sum.period.start()),
        GroupBy::Day | GroupBy::Hour => {
            let whole = if sum.period.month { (GroupBy::Month, "month") } else { (GroupBy::Day, "day") };
            match key::of_time(whole.0, sum.period.start()) {
                GroupKey::Text(text) => GroupKey::Text(format!("{text} (whole {})", whole.1)),
                key => key,
            }
        }
        GroupBy::Process
        | GroupBy::Host
        | GroupBy::Remote
        | GroupBy::Asn
        | GroupBy::Org
        | GroupBy::Label
        | GroupBy::Port => GroupKey::Pruned,
    };
    let whole = match (by, sum.part) {
        (_, SumPart::Within) => true,
        (GroupBy::Day | GroupBy::Hour, SumPart::Month) => sum.period.month,
        (GroupBy::Month, SumPart::Month) => true,
        (GroupBy::Day | GroupBy::Hour | GroupBy::Month, _) => false,
        _ => true,
    };
    (key, whole)
}

/// A connection by itself; the boot is of no matter to what lasts.
fn member<'a>(connection: &'a Connection, process: Option<&'a Arc<Process>>) -> Member<'a> {
    static NO_BOOT: std::sync::LazyLock<Arc<str>> = std::sync::LazyLock::new(|| Arc::from(""));
    Member { boot: &NO_BOOT, connection, process, time: connection.opened }
}
