//! What connmon records, as plain data: connections, processes, names, times and addresses; the [`frame`]s of which a recording
//! consists, and the [`rows`] that are made of them. Everything else in connmon builds on these words.

mod address;
mod address_kind;
mod capture;
mod community;
mod connection;
mod country;
mod direction;
mod end;
pub mod facts;
mod finding;
pub mod frame;
mod id;
mod indicator;
mod interface;
mod layout;
mod location;
mod name;
mod process;
pub mod rows;
mod rule;
mod run;
pub mod secrets;
mod seen;
pub mod segment;
mod service;
mod text;
mod time;
pub mod untrusted;
pub mod varint;
mod workload;

pub use address::{Endpoint, Proto};
pub use address_kind::{AddressKind, effective_address};
pub use capture::{Backend, CaptureOptions};
pub use community::community_id;
pub use connection::{BY_THE_HOUR, CUT_OFF, Connection, PREEXISTING, REDIRECTED, SUBFLOW, Share, Step};
pub use country::{Country, countries, country_named, country_names, country_of};
pub use direction::Direction;
pub use end::{End, STILL_OPEN};
pub use finding::FindingName;
pub use id::{ConnectionId, ParseIdError};
pub use indicator::{Hit, IndicatorKind, IndicatorList, Matching};
pub use interface::{Interface, InterfaceSample};
pub use location::{Coordinates, GeoDatabase, HostLocation, Location};
pub use name::{AddressNames, Lookup, LookupAnswer, Name, NameSource, ObservedService};
pub use process::{ExeHash, ExeState, Process, ProcessId};
pub use rule::{Color, ParseColorError, Rule};
pub use run::{
    ClockEffect, ClockStep, Gap, LateRead, LeftOut, LossCounters, NO_NAMES, NO_PACKETS, NO_PROCESSES, Pruned,
    Reconciliation, Run, is_lack,
};
pub use seen::{Facts, KernelTotals, Wire};
pub use service::{Service, service_of, service_port};
pub use text::{from_bytes, hex, json_safe, split_args};
pub use time::{HOUR_NS, ParseTimeError, STEP_LENGTHS, STEP_NS, Timestamp, Zone, length};
pub use untrusted::{Exactly, Untrusted, display_safe};
pub use workload::{Container, Workload};
