//! Counters that the kernel keeps for network interfaces, whoever caused the traffic.

use serde::{Deserialize, Serialize};

use super::untrusted::exact;
use super::{Timestamp, Untrusted};

/// The counters of one network interface since it came to be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// Its name at that moment.
    #[serde(serialize_with = "exact")]
    pub name: Untrusted,
    /// Its number, which stays when the name changes, and is new when it is made anew; 0 where not known.
    pub index: u32,
    /// Bytes received, with link-layer headers.
    pub rx_bytes: u64,
    /// Packets received.
    pub rx_packets: u64,
    /// Bytes sent, with link-layer headers.
    pub tx_bytes: u64,
    /// Packets sent.
    pub tx_packets: u64,
}

/// All interfaces of the recorder's network namespace at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InterfaceSample {
    /// When they were read.
    pub time: Timestamp,
    /// The interfaces, by name.
    pub interfaces: Vec<Interface>,
}
