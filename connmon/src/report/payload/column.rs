//! Columns: which there are, and how they are written.

use std::io::{self, Write};

use super::row::Row;
use super::steps::StepRow;

/// How a column's values are written.
#[derive(Debug)]
pub(super) enum Coding<T> {
    /// As they are.
    Plain,
    /// As the difference from the row before, zigzag: 0, -1, 1, -2, 2 … are 0, 1, 2, 3, 4 …
    Delta,
    /// As the difference from another column, and from the usual headers of the packets in a second one, zigzag.
    Beside(&'static str, &'static str, Of<T>),
}

/// Bytes of headers of a packet, as `templates/js/payload.js` has them too.
const HEADERS: u64 = 52;

/// A row's value in a column.
type Of<T> = fn(&T) -> u64;

impl<T> Clone for Coding<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Coding<T> {}

/// A column of a table with rows of this kind.
pub(super) struct Column<T> {
    pub(super) name: &'static str,
    pub(super) coding: Coding<T>,
    of: Of<T>,
    /// So many bytes hold the largest value.
    pub(super) width: usize,
}

/// All of them, as wide as these rows need. A reader finds them by name.
pub(super) fn columns(rows: &[Row]) -> Vec<Column<Row>> {
    use Coding::{Beside, Delta, Plain};
    let table: [(&str, Coding<Row>, Of<Row>); 33] = [
        ("opened", Delta, |row| row.opened.div_euclid(1_000) as u64),
        ("id", Delta, |row| row.id as u64),
        ("lasted", Plain, |row| row.lasted_us),
        ("tx", Plain, |row| row.tx),
        ("rx", Plain, |row| row.rx),
        ("txCalls", Plain, |row| row.tx_calls),
        ("rxCalls", Plain, |row| row.rx_calls),
        ("wireTxPackets", Plain, |row| row.wire_tx_packets.into()),
        ("wireRxPackets", Plain, |row| row.wire_rx_packets.into()),
        ("kernelTx", Beside("tx", "", |row| row.tx), |row| row.kernel_tx),
        ("kernelRx", Beside("rx", "", |row| row.rx), |row| row.kernel_rx),
        ("wireTx", Beside("tx", "wireTxPackets", |row| framed(row.tx, row.wire_tx_packets)), |row| {
            row.wire_tx
        }),
        ("wireRx", Beside("rx", "wireRxPackets", |row| framed(row.rx, row.wire_rx_packets)), |row| {
            row.wire_rx
        }),
        ("retransmitted", Plain, |row| row.retransmitted),
        ("owner", Plain, |row| row.owner.into()),
        ("local", Plain, |row| row.local.into()),
        ("remote", Plain, |row| row.remote.into()),
        ("names", Plain, |row| row.names.into()),
        ("named", Plain, |row| zigzag(row.named_us as u64)),
        ("retransmits", Plain, |row| row.retransmits.into()),
        ("rtt", Plain, |row| row.rtt_us.into()),
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
    table.into_iter().map(|(name, coding, of)| Column::new(name, coding, of, rows)).collect()
}

/// The columns of what was moved by time: which row, in which step after the one in which it was opened, and the bytes.
pub(super) fn step_columns(steps: &[StepRow]) -> Vec<Column<StepRow>> {
    let table: [(&str, Coding<StepRow>, Of<StepRow>); 4] = [
        ("row", Coding::Delta, |step| step.row),
        ("after", Coding::Plain, |step| step.after),
        ("tx", Coding::Plain, |step| step.tx),
        ("rx", Coding::Plain, |step| step.rx),
    ];
    table.into_iter().map(|(name, coding, of)| Column::new(name, coding, of, steps)).collect()
}

impl<T> Column<T> {
    fn new(name: &'static str, coding: Coding<T>, of: Of<T>, rows: &[T]) -> Self {
        let mut column = Self { name, coding, of, width: 0 };
        let all = column.values(rows).fold(0, |all, value| all | value);
        column.width = (u64::BITS - all.leading_zeros()).div_ceil(8) as usize;
        column
    }

    fn values<'a>(&self, rows: &'a [T]) -> impl Iterator<Item = u64> + use<'a, T> {
        let (of, coding, mut last) = (self.of, self.coding, 0);
        // The first row's own value is in the header: see `first`.
        if let (Coding::Delta, Some(first)) = (coding, rows.first()) {
            last = of(first);
        }
        rows.iter().map(move |row| {
            let value = of(row);
            match coding {
                Coding::Plain => value,
                Coding::Delta => zigzag(value.wrapping_sub(std::mem::replace(&mut last, value))),
                Coding::Beside(_, _, other) => zigzag(value.wrapping_sub(other(row))),
            }
        })
    }

    /// The value to which the first difference is added.
    pub(super) fn first(&self, rows: &[T]) -> Option<u64> {
        matches!(self.coding, Coding::Delta).then(|| rows.first().map(self.of)).flatten()
    }

    /// Writes the bytes, by their weight.
    pub(super) fn write(&self, rows: &[T], out: &mut impl Write) -> io::Result<()> {
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

/// Bytes with the headers of their packets as they mostly are: 20 bytes of IPv4, 20 of TCP, 12 of its time stamps.
fn framed(bytes: u64, packets: u32) -> u64 {
    bytes.wrapping_add(u64::from(packets) * HEADERS)
}

/// A difference as a number that is small if the difference is, whichever its sign.
fn zigzag(difference: u64) -> u64 {
    let signed = difference as i64;
    ((signed << 1) ^ (signed >> 63)) as u64
}
