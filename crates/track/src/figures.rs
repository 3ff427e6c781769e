//! The bytes that processes moved, and the place where the kernel side keeps them.

use serde::{Deserialize, Serialize};

use connmon_record::ProcessId;

/// The place where the kernel side keeps a share.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum ShareSlot {
    /// Inside the entry of this id, by number.
    Inline(u64, usize),
    /// In `ACCT`, by the entry's id and user.
    Acct(u64, u32),
    /// Nowhere any more: it was in entries that a flow of datagrams has left.
    Before,
}

impl ShareSlot {
    /// Whether it is of the entry of this id.
    pub fn is_of(self, entry: u64) -> bool {
        matches!(self, Self::Inline(id, _) | Self::Acct(id, _) if id == entry)
    }
}

/// Figures already handed on, by process and place.
pub type Counted = Vec<((ProcessId, ShareSlot), ShareFigures)>;

/// Bytes and calls.
#[derive(Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ShareFigures {
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Calls that sent.
    pub tx_calls: u64,
    /// Calls that received.
    pub rx_calls: u64,
}

impl ShareFigures {
    /// Both, figure by figure.
    pub fn combined(self, other: Self, both: fn(u64, u64) -> u64) -> Self {
        Self {
            tx_bytes: both(self.tx_bytes, other.tx_bytes),
            rx_bytes: both(self.rx_bytes, other.rx_bytes),
            tx_calls: both(self.tx_calls, other.tx_calls),
            rx_calls: both(self.rx_calls, other.rx_calls),
        }
    }
}

/// All of them together.
pub fn sum<'a>(
    counted: impl IntoIterator<Item = &'a ((ProcessId, ShareSlot), ShareFigures)>,
) -> ShareFigures {
    counted
        .into_iter()
        .fold(ShareFigures::default(), |sum, (_, figures)| sum.combined(*figures, u64::saturating_add))
}

/// The sum of what is inside the entry of this id.
pub fn inline(counted: &Counted, entry: u64) -> ShareFigures {
    sum(counted.iter().filter(|((_, place), _)| matches!(place, ShareSlot::Inline(id, _) if *id == entry)))
}
