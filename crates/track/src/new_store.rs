//! A recording that goes on in another store: what is known is told once more, and counts from here on.

use super::Tracker;

impl Tracker {
    /// Begins a further recording at the latest time that a frame told. To be called when everything before has been taken.
    pub fn begin_again(&mut self) {
        self.began_ns = self.now_ns;
        let began = self.time(self.began_ns);
        if let Some(start) = &mut self.start {
            start.started_ns = self.began_ns;
            start.clock_offset_ns = began.0.wrapping_sub(self.began_ns as i64);
            self.batch.start = Some((**start).clone());
        }
        self.completeness.begin_again();
        self.processes.begin_again();
        let mut open: Vec<u64> = self.open.keys().copied().collect();
        open.sort_unstable();
        for id in open {
            let Some(known) = self.open.get_mut(&id) else { continue };
            // Its owner's row was of the store before.
            known.owner = None;
            let (row, entry) = (known.row, known.last.as_deref().copied().unwrap_or(known.entry));
            let row = self.row(row, &entry);
            self.batch.connections.push(row);
        }
    }
}
