//! The summary as a page and as pictures. Renderers take data, options and a writer; they do no I/O of their own
//! and read no clock.
//!
//! Every string that was captured passes [`display_safe`](crate::model::display_safe) on its way in; escaping of
//! markup is the template's or the SVG writer's. Captured strings never become attributes of an SVG, because the
//! `svg` crate leaves quotes in attributes as they are.

pub mod html;
pub mod svg;

#[cfg(test)]
mod tests;

use crate::enrich::geo::Geo;
use crate::model::Timestamp;

/// What a report shows besides the summary.
#[derive(Clone, Debug)]
pub struct Options {
    /// When the report is made; `None` leaves it out, for output that must not change.
    pub made: Option<Timestamp>,
    /// Where this host stands, if it was configured.
    pub home: Option<Home>,
    /// The database that the countries come from.
    pub country_database: String,
    /// When that database was built.
    pub country_snapshot: Timestamp,
    /// How many rows the tables of processes and remotes show.
    pub rows: usize,
}

impl Options {
    /// Options with what the database says of itself.
    pub fn new(geo: &Geo) -> Self {
        Self {
            made: None,
            home: None,
            country_database: geo.name().to_owned(),
            country_snapshot: geo.snapshot(),
            rows: 200,
        }
    }
}

/// A place on the map.
#[derive(Clone, Debug, PartialEq)]
pub struct Home {
    /// What to call it.
    pub label: String,
    /// Degrees east.
    pub longitude: f64,
    /// Degrees north.
    pub latitude: f64,
}
