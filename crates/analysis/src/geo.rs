//! Geo databases of an answer: which ones it used, how far they can be trusted, and their attributions.

use serde::{Deserialize, Serialize};

use connmon_record::{GeoDatabase, HostLocation, Run, Untrusted};

/// A geo database as outputs show it: its texts have passed the sanitiser.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ShownDatabase {
    /// What it is called.
    pub name: String,
    /// What it knows.
    pub kind: String,
    /// When it was made; empty where that is not known.
    pub date: String,
    /// Where it comes from.
    pub source: String,
    /// Its licence, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// What has to be said where its data are shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribution: Option<String>,
    /// It knows the country in which a network is registered, not the location of a host.
    #[serde(default)]
    pub registered_only: bool,
}

impl ShownDatabase {
    /// The database with its texts sanitised.
    pub fn new(database: &GeoDatabase) -> Self {
        let text = |text: &Untrusted| text.shown().into_owned();
        Self {
            name: text(&database.name),
            kind: text(&database.kind),
            date: text(&database.date),
            source: text(&database.source),
            licence: database.licence.as_ref().map(text),
            attribution: database.attribution.as_ref().map(text),
            registered_only: database.registered_only,
        }
    }

    /// Its name with its date.
    pub fn dated(&self) -> String {
        if self.date.is_empty() { self.name.clone() } else { format!("{} {}", self.name, self.date) }
    }
}

/// The databases of some recordings, with sentences about them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct GeoNotes {
    /// Each database once, in the order in which they were asked.
    pub databases: Vec<ShownDatabase>,
    /// How to read what they say, and attributions.
    pub words: Vec<String>,
}

impl GeoNotes {
    /// Reads the databases of the recordings. Recordings of an earlier version list none.
    pub fn from_runs(runs: &[Run]) -> Self {
        let mut databases: Vec<ShownDatabase> = Vec::new();
        for database in runs.iter().flat_map(|run| &run.geo).map(ShownDatabase::new) {
            if !databases.contains(&database) {
                databases.push(database);
            }
        }
        Self::new(databases)
    }

    /// The notes of databases that are open.
    pub fn of_databases(databases: &[GeoDatabase]) -> Self {
        Self::new(databases.iter().map(ShownDatabase::new).collect())
    }

    /// Sentences about these databases.
    fn new(databases: Vec<ShownDatabase>) -> Self {
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
        self.databases.iter().map(ShownDatabase::dated).collect::<Vec<_>>().join("; ")
    }
}

const REGISTERED: &str = "{} knows the country in which a network is registered, not the location of a host.";

/// The location of the host, from the newest recording that knows it.
pub fn location_of(runs: &[Run]) -> Option<&HostLocation> {
    Run::newest(runs.iter().filter(|run| run.location.is_some()))?.location.as_ref()
}
