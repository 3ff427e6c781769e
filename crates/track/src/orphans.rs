//! Shares of further processes whose connection was not met: its final record may still come, or has been lost.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use connmon_ebpf::{AcctKey, Share};

/// Sweeps that a share waits for its connection after it was last met; a share leaves its map by the second one.
const PATIENCE: u8 = 1;

/// Shares that wait for their connection.
#[derive(Default, Serialize, Deserialize)]
pub struct Orphans {
    /// By connection: the share, and the sweeps since it was met.
    waiting: BTreeMap<u64, Vec<(AcctKey, Share, u8)>>,
}

impl Orphans {
    /// A sweep has met a share of an unknown connection.
    pub fn wait(&mut self, key: AcctKey, share: Share) {
        let shares = self.waiting.entry(key.id).or_default();
        match shares.iter_mut().find(|(known, ..)| *known == key) {
            Some(known) => *known = (key, share, 0),
            None => shares.push((key, share, 0)),
        }
    }

    /// The connection is known now: what waited for it.
    pub fn adopted(&mut self, id: u64) -> Vec<(AcctKey, Share)> {
        let shares = self.waiting.remove(&id).unwrap_or_default();
        shares.into_iter().map(|(key, share, _)| (key, share)).collect()
    }

    /// A sweep is complete: bytes sent and received of the shares whose connection will not come any more.
    pub fn sweep_end(&mut self) -> (u64, u64) {
        self.give_up(|sweeps| sweeps > PATIENCE)
    }

    /// The recording is over: the same of all.
    pub fn end(&mut self) -> (u64, u64) {
        self.give_up(|_| true)
    }

    fn give_up(&mut self, over: impl Fn(u8) -> bool) -> (u64, u64) {
        let mut lost = (0_u64, 0_u64);
        self.waiting.retain(|_, shares| {
            shares.retain_mut(|(_, share, sweeps)| {
                *sweeps += 1;
                if over(*sweeps) {
                    lost = (lost.0.saturating_add(share.tx_bytes), lost.1.saturating_add(share.rx_bytes));
                }
                !over(*sweeps)
            });
            !shares.is_empty()
        });
        lost
    }
}
