//! Columns: which there are, and how they are written.

use std::io::{self, Write};

use super::row::{PayloadRow, predicted};
use super::steps::StepRow;
use connmon_record::facts::{PageColumn, paged};

/// How a column's values are written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Coding {
    /// As they are.
    Plain,
    /// As the difference from the row before, zigzag: 0, -1, 1, -2, 2 … are 0, 1, 2, 3, 4 …
    Delta,
    /// As the zigzag difference from a prediction: another column, plus the usual headers of the packets in a second one.
    Beside(&'static str, &'static str),
}

/// Bytes of headers of a packet as they mostly are: 20 bytes of IPv4, 20 of TCP, 12 of its time stamps.
pub(super) const HEADERS: u64 = 52;

/// A row's value in a column.
type ValueFunction<T> = Box<dyn Fn(&T) -> u64>;

/// A column that is no fact: name, coding, value.
type RowColumn<T> = (&'static str, Coding, fn(&T) -> u64);

/// A column of a table with rows of this kind.
pub(super) struct PayloadColumn<T> {
    pub(super) name: &'static str,
    pub(super) coding: Coding,
    of: ValueFunction<T>,
    /// The prediction that [`Coding::Beside`] subtracts.
    near: ValueFunction<T>,
    /// The number of bytes that hold the largest value.
    pub(super) width: usize,
}

/// All of them, as wide as these rows need. A reader finds them by name.
pub(super) fn columns(rows: &[PayloadRow]) -> Vec<PayloadColumn<PayloadRow>> {
    use Coding::{Delta, Plain};
    let table: [RowColumn<PayloadRow>; 24] = [
        ("opened", Delta, |row| row.opened.div_euclid(1_000) as u64),
        ("id", Delta, |row| row.id as u64),
        ("lasted", Plain, |row| row.lasted_us),
        ("tx", Plain, |row| row.tx),
        ("rx", Plain, |row| row.rx),
        ("txCalls", Plain, |row| row.tx_calls),
        ("rxCalls", Plain, |row| row.rx_calls),
        ("owner", Plain, |row| row.owner.into()),
        ("local", Plain, |row| row.local.into()),
        ("remote", Plain, |row| row.remote.into()),
        ("names", Plain, |row| row.names.into()),
        ("named", Plain, |row| zigzag(row.named_us as u64)),
        ("run", Plain, |row| row.run.into()),
        ("localPort", Plain, |row| row.local_port.into()),
        ("remotePort", Plain, |row| row.remote_port.into()),
        ("proto", Plain, |row| row.proto.into()),
        ("service", Plain, |row| row.service.into()),
        ("label", Plain, |row| row.label.into()),
        ("hits", Plain, |row| row.hits.into()),
        ("inexact", Plain, |row| row.inexact.into()),
        ("direction", Plain, |row| row.direction.into()),
        ("end", Plain, |row| row.end.into()),
        ("flags", Plain, |row| row.flags.into()),
        ("shared", Plain, |row| row.is_shared.into()),
    ];
    let own = table.into_iter().map(|(name, coding, of)| PayloadColumn::new(name, coding, of, |_| 0, rows));
    // Those beside others come after them.
    let figures = |beside: bool| paged().enumerate().filter(move |(_, (_, page))| page.is_beside() == beside);
    let facts = figures(false).chain(figures(true)).map(|(place, (_, page))| figure(place, page, rows));
    own.chain(facts).collect()
}

/// The column of a fact, which has this place among the figures of a row.
fn figure(place: usize, page: PageColumn, rows: &[PayloadRow]) -> PayloadColumn<PayloadRow> {
    let of = move |row: &PayloadRow| row.figures[place];
    let [beside, packets] = page.beside;
    if !page.is_beside() {
        return PayloadColumn::new(page.name, Coding::Plain, of, |_| 0, rows);
    }
    let packets_at = paged().position(|(_, other)| !packets.is_empty() && other.name == packets);
    let headers =
        move |row: &PayloadRow| packets_at.map_or(0, |place| row.figures[place].wrapping_mul(HEADERS));
    let near = move |row: &PayloadRow| predicted(page, row.tx, row.rx).wrapping_add(headers(row));
    PayloadColumn::new(page.name, Coding::Beside(beside, packets), of, near, rows)
}

/// The columns of what was moved by time: which row, in which step after the one in which it
/// was opened, the bytes, and of which of the row's shares.
pub(super) fn step_columns(steps: &[StepRow]) -> Vec<PayloadColumn<StepRow>> {
    let table: [RowColumn<StepRow>; 5] = [
        ("row", Coding::Delta, |step| step.row),
        ("after", Coding::Plain, |step| step.after),
        ("tx", Coding::Plain, |step| step.tx),
        ("rx", Coding::Plain, |step| step.rx),
        ("share", Coding::Plain, |step| step.share),
    ];
    table.into_iter().map(|(name, coding, of)| PayloadColumn::new(name, coding, of, |_| 0, steps)).collect()
}

impl<T> PayloadColumn<T> {
    fn new(
        name: &'static str,
        coding: Coding,
        of: impl Fn(&T) -> u64 + 'static,
        near: impl Fn(&T) -> u64 + 'static,
        rows: &[T],
    ) -> Self {
        let mut column = Self { name, coding, of: Box::new(of), near: Box::new(near), width: 0 };
        let all = column.values(rows).fold(0, |all, value| all | value);
        column.width = (u64::BITS - all.leading_zeros()).div_ceil(8) as usize;
        column
    }

    fn values<'a>(&'a self, rows: &'a [T]) -> impl Iterator<Item = u64> + use<'a, T> {
        let (of, coding, mut last) = (&self.of, self.coding, 0);
        // The first row's own value is in the header: see `first`.
        if let (Coding::Delta, Some(first)) = (coding, rows.first()) {
            last = of(first);
        }
        rows.iter().map(move |row| {
            let value = of(row);
            match coding {
                Coding::Plain => value,
                Coding::Delta => zigzag(value.wrapping_sub(std::mem::replace(&mut last, value))),
                Coding::Beside(..) => zigzag(value.wrapping_sub((self.near)(row))),
            }
        })
    }

    /// The value to which the first difference is added.
    pub(super) fn first(&self, rows: &[T]) -> Option<u64> {
        matches!(self.coding, Coding::Delta).then(|| rows.first().map(&self.of)).flatten()
    }

    /// Writes the bytes by significance: the lowest byte of every row first.
    pub(super) fn write(&self, rows: &[T], out: &mut dyn Write) -> io::Result<()> {
        let mut buffer = Vec::with_capacity(1 << 16);
        for weight in 0..self.width {
            for value in self.values(rows) {
                buffer.push((value >> (8 * weight)) as u8);
                if buffer.len() == 1 << 16 {
                    out.write_all(&buffer)?;
                    buffer.clear();
                }
            }
        }
        out.write_all(&buffer)
    }
}

/// A difference as a number that is small if the difference is small, whatever its sign.
fn zigzag(difference: u64) -> u64 {
    let signed = difference as i64;
    ((signed << 1) ^ (signed >> 63)) as u64
}
