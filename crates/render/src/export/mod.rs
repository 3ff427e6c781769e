//! Records for other programs, one file a format.

pub mod alerts;
pub mod audit;
mod columns;
pub mod completeness;
pub mod connections;
pub mod csv;
pub mod ecs;
mod event;
pub mod findings;
mod hit;
pub mod indicators;
pub mod lookups;
pub mod ocsf;
pub mod parquet;
mod process;
pub mod show;
#[cfg(test)]
mod tests;
pub mod text;
pub mod timesketch;
pub mod zeek;

pub use event::message as words_of;

use std::io::{self, Write};

use connmon_analysis::{Completeness, GeoNotes};
use connmon_record::{Connection, Run};

/// Where an export goes. Not a type parameter: formats are compiled once, and here.
pub type Out<'a> = &'a mut (dyn Write + Send);

/// An export that is being written.
pub trait Sink {
    /// Writes a connection of a recording.
    ///
    /// # Errors
    /// The writer's.
    fn connection(&mut self, run: Option<&Run>, connection: &Connection) -> io::Result<()>;

    /// Writes what comes last. Formats that have room for it say here how complete the record is.
    ///
    /// # Errors
    /// The writer's.
    fn finish(self: Box<Self>, closing: &Closing<'_>) -> io::Result<()>;
}

/// What is known when all connections are written.
pub struct Closing<'a> {
    /// How complete the record is.
    pub completeness: &'a Completeness,
    /// What to know of the geo databases.
    pub geo: &'a GeoNotes,
    /// The recordings.
    pub runs: &'a [Run],
    /// How many connections were written.
    pub connections: u64,
    /// Application bytes that they sent and received in the time that was asked for.
    pub moved: [u64; 2],
}
