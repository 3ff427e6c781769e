//! The summary as a page and as pictures. Renderers take data, options and a writer; they do no I/O of their own
//! and read no clock.
//!
//! Every string that was captured passes [`display_safe`](connmon_record::display_safe) on its way in; escaping of
//! markup is the template's or the SVG writer's. Captured strings never become attributes of an SVG, because the
//! `svg` crate leaves quotes in attributes as they are.

pub mod compare;
pub mod html;
pub mod json;
pub mod manifest;
pub mod payload;
pub mod svg;
pub mod text;
pub mod verify;

#[cfg(test)]
mod tests;

use connmon_analysis::geo::location_of;
use connmon_analysis::{LISTED, Summary};
use connmon_detect::Found;
use connmon_record::{HostLocation, Timestamp};

/// What a report shows besides the summary.
#[derive(Clone, Debug, Default)]
pub struct PictureOptions {
    /// When the report is made; `None` leaves it out, for output that must not change.
    pub made: Option<Timestamp>,
    /// Where this host stands, if that is known.
    pub home: Option<HostLocation>,
    /// How many rows the tables of processes and remotes show.
    pub rows: usize,
    /// What the file is called, instead of the host's name.
    pub title: Option<String>,
    /// The case that the file belongs to.
    pub case: Option<String>,
    /// Who made it.
    pub operator: Option<String>,
    /// What was taken out of it, in words; empty for nothing.
    pub redacted: String,
    /// What is worth a look.
    pub found: Found,
}

impl PictureOptions {
    /// Options for a summary: the host's location is the recorded one, and nothing is worth a look.
    pub fn for_summary(summary: &Summary) -> Self {
        Self { home: location_of(&summary.runs).cloned(), rows: LISTED, ..Self::default() }
    }
}
