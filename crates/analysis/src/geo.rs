//! Which geo databases the places come from, how far they can be trusted, and what their licences want to be said.

use serde::Serialize;

use connmon_record::{GeoDatabase, HostLocation, Run, display_safe};

/// The databases of some recordings, with sentences about them. All strings have passed the sanitiser.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct GeoNotes {
    /// Each database once, in the order in which they were asked.
    pub databases: Vec<GeoDatabase>,
    /// How to read what they say, and attributions.
    pub words: Vec<String>,
}

impl GeoNotes {
    /// What the recordings say of their databases. Those of an earlier version say nothing.
    pub fn from_runs(runs: &[Run]) -> Self {
        let mut databases: Vec<GeoDatabase> = Vec::new();
        for database in runs.iter().flat_map(|run| &run.geo).map(safe) {
            if !databases.contains(&database) {
                databases.push(database);
            }
        }
        Self::new(databases)
    }

    /// The notes of databases that are open.
    pub fn of_databases(databases: &[GeoDatabase]) -> Self {
        Self::new(databases.iter().map(safe).collect())
    }

    /// Sentences about these databases.
    fn new(databases: Vec<GeoDatabase>) -> Self {
        let mut words = Vec::new();
        if databases.is_empty() {
            words.push(REGISTERED.replace("{}", "The embedded database"));
        }
        for database in &databases {
            if database.registered_only {
                words.push(REGISTERED.replace("{}", &database.dated()));
            }
            let terms: Vec<&str> = [&database.attribution, &database.licence]
                .into_iter()
                .flatten()
                .map(String::as_str)
                .collect();
            if !terms.is_empty() {
                words.push(format!("{}: {}.", database.dated(), terms.join(", ")));
            }
        }
        words
            .push("A city or a country is an estimate; an anycast address is in many places at once.".into());
        Self { databases, words }
    }

    /// The databases with their dates, in one line.
    pub fn names(&self) -> String {
        self.databases.iter().map(GeoDatabase::dated).collect::<Vec<_>>().join("; ")
    }
}

const REGISTERED: &str = "{} knows the country in which a network is registered, not the location of a host.";

/// Where the host stands, as its newest recording that knows it says.
pub fn location_of(runs: &[Run]) -> Option<&HostLocation> {
    runs.iter()
        .filter(|run| run.location.is_some())
        .max_by_key(|run| (run.started, run.id))?
        .location
        .as_ref()
}

fn safe(database: &GeoDatabase) -> GeoDatabase {
    let text = |text: &String| display_safe(text).into_owned();
    GeoDatabase {
        name: text(&database.name),
        kind: text(&database.kind),
        date: text(&database.date),
        source: text(&database.source),
        licence: database.licence.as_ref().map(text),
        attribution: database.attribution.as_ref().map(text),
        registered_only: database.registered_only,
    }
}
