//! Rows that have their keys in themselves, found by these: four to eight bytes a row beyond the rows.

use std::hash::{BuildHasher, Hash, RandomState};

/// A row that has its key in itself.
pub trait Keyed {
    /// The key.
    type Key: Eq + Hash;
    /// That of the row.
    fn key(&self) -> Self::Key;
}

/// A slot that no row is in.
const FREE: u32 = u32::MAX;

/// Rows in the order in which they were made.
#[derive(Debug)]
pub struct Table<R> {
    /// The places of rows, each at the hash of its key or in one of the slots behind: their number is a power of two, or none.
    slots: Vec<u32>,
    rows: Vec<R>,
    hasher: RandomState,
}

impl<R> Default for Table<R> {
    fn default() -> Self {
        Self { slots: Vec::new(), rows: Vec::new(), hasher: RandomState::new() }
    }
}

impl<R: Keyed> Table<R> {
    /// The place of a row, if there is one of this key.
    pub fn find(&self, key: &R::Key) -> Option<u32> {
        self.slot(key).ok()
    }

    /// The place of a row, which is made if there is none of this key.
    pub fn place(&mut self, key: R::Key, make: impl FnOnce(R::Key) -> R) -> u32 {
        let free = match self.slot(&key) {
            Ok(place) => return place,
            Err(free) => free,
        };
        // Rows of so many bytes do not fit into any memory.
        let place = u32::try_from(self.rows.len()).unwrap_or(FREE);
        self.rows.push(make(key));
        if (place as usize) < self.slots.len() / 4 * 3 {
            self.slots[free] = place;
        } else {
            self.grow();
        }
        place
    }

    /// The row at a place that [`Table::place`] gave.
    pub fn at(&mut self, place: u32) -> &mut R {
        &mut self.rows[place as usize]
    }

    /// The rows, by their places.
    pub fn rows(&self) -> &[R] {
        &self.rows
    }

    /// The rows, by their places.
    pub fn into_rows(self) -> Vec<R> {
        self.rows
    }

    /// The row of a key, or the slot where it would be.
    fn slot(&self, key: &R::Key) -> Result<u32, usize> {
        let mut slot = self.hasher.hash_one(key) as usize;
        loop {
            // At least a quarter of the slots is free.
            slot &= self.slots.len().wrapping_sub(1);
            match self.slots.get(slot).copied() {
                None | Some(FREE) => return Err(slot),
                Some(place) if self.rows[place as usize].key() == *key => return Ok(place),
                Some(_) => slot += 1,
            }
        }
    }

    /// Makes twice as many slots.
    fn grow(&mut self) {
        self.slots = vec![FREE; (2 * self.slots.len()).max(16)];
        for place in 0..self.rows.len() {
            if let Err(free) = self.slot(&self.rows[place].key()) {
                self.slots[free] = place as u32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Keyed for (u64, u64) {
        type Key = u64;

        fn key(&self) -> u64 {
            self.0
        }
    }

    #[test]
    fn each_key_has_one_row() {
        let mut table = Table::default();
        for number in (0..10_000).chain(0..10_000) {
            let place = table.place(number * 7, |key| (key, 0));
            table.at(place).1 += number;
            assert_eq!(u64::from(place), number);
        }
        assert_eq!((table.find(&21), table.find(&22)), (Some(3), None));
        assert!(table.slots.len() <= 16_384, "at most eight bytes a row");
        let rows = table.into_rows();
        assert!(rows.iter().zip(0..).all(|(row, number)| *row == (number * 7, 2 * number)));
    }
}
