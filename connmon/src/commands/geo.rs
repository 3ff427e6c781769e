//! `connmon geo`

mod fetch;
mod install;
mod lookup;
mod status;

use super::{CommandError, Outcome};
use crate::cli::{Databases, GeoCommand, GeoCommands as Args};
use crate::config::{GeoConfig, geo_folder};
use connmon_enrich::geo::Geo;
use connmon_record::display_safe;

pub use fetch::FetchError;
pub use install::InstallError;

/// Geo databases: which there are, what they say, adding one.
///
/// # Errors
/// A database cannot be read, or not be written.
pub fn run(args: Args) -> Result<Outcome, CommandError> {
    match args.command {
        GeoCommand::Status(args) => status::run(args),
        GeoCommand::Lookup(args) => lookup::run(args),
        GeoCommand::Import(args) => install::import(args),
        GeoCommand::Fetch(args) => fetch::run(args),
    }
}

/// The databases that these options name.
fn open(databases: Databases) -> Result<Geo, CommandError> {
    Ok(warn_of_flaws(Geo::open(&databases.geo_db, geo_folder(databases.geo_dir).as_deref())?))
}

/// Warns of what is wrong with databases that can be used all the same.
fn warn_of_flaws(geo: Geo) -> Geo {
    for database in geo.databases() {
        if let (Some(file), Some(words)) = (database.file(), database.flaws().words()) {
            let line = format!("{}: {words}; `connmon geo status --verify` reads all of it", file.display());
            tracing::warn!("{}", display_safe(&line));
        }
    }
    geo
}

/// The databases of a recording or a replay.
pub(super) fn open_databases(places: &GeoConfig) -> Result<Geo, CommandError> {
    Ok(warn_of_flaws(Geo::open(&places.files, places.folder.as_deref())?))
}
