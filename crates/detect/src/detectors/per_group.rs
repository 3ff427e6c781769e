//! A value for each group, program or destination, by its place.

use serde::{Deserialize, Serialize};

use crate::world::FORGOTTEN;

/// Values by place; places that were never used have the default.
#[derive(Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct PerPlace<T>(Vec<T>);

impl<T: Default> PerPlace<T> {
    /// The value at a place.
    pub(crate) fn at(&mut self, place: u32) -> &mut T {
        let place = place as usize;
        if place >= self.0.len() {
            self.0.resize_with(place + 1, T::default);
        }
        &mut self.0[place]
    }

    /// Moves the values to their new places, and drops those that have none; `moved` is by old place.
    pub(crate) fn forget(&mut self, moved: &[u32], mut dropped: impl FnMut(T)) {
        let old = std::mem::take(&mut self.0);
        for (value, place) in old.into_iter().zip(moved) {
            if *place == FORGOTTEN {
                dropped(value);
            } else {
                *self.at(*place) = value;
            }
        }
    }
}
