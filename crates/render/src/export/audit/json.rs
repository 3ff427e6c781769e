//! The audit as one JSON object.
//!
//! It is a contract: fields may be added, and none renamed.

use std::io::{self, Write};

use serde::Serialize;

use super::figures::Fields;
use super::interfaces::{InterfaceTraffic, words};
use super::{Audit, Group, GroupBy, GroupKey};
use crate::export::completeness::CompletenessFields;
use crate::export::indicators::IndicatorFields;
use crate::export::process::ProcessFields;
use connmon_analysis::groups::GroupFigures;
use connmon_analysis::{GeoNotes, HostInternal};

#[derive(Serialize)]
struct Output {
    completeness: CompletenessFields,
    by: String,
    totals: AuditTotals,
    /// Connections whose both ends are here: they are in the totals twice.
    both_ends_here: HostInternal,
    /// Groups that `--top` left out.
    rest: Option<AuditTotals>,
    #[serde(skip_serializing_if = "Option::is_none")]
    processes: Option<Vec<AuditProcess>>,
    /// With `processes`: connections that no process is known to own.
    #[serde(skip_serializing_if = "Option::is_none")]
    unowned: Option<Fields>,
    /// With `processes`: sums of connections whose details were pruned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pruned: Option<Fields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<GroupRow>>,
    interfaces: Vec<InterfaceRow>,
    /// Where places and networks come from.
    geo: GeoNotes,
    #[serde(skip_serializing_if = "Option::is_none")]
    indicators: Option<IndicatorFields>,
    applications: Applications,
}

#[derive(Serialize)]
struct AuditTotals {
    groups: u64,
    #[serde(flatten)]
    figures: Fields,
}

#[derive(Serialize)]
struct AuditProcess {
    #[serde(flatten)]
    process: ProcessFields,
    #[serde(flatten)]
    figures: Fields,
}

#[derive(Serialize)]
struct GroupRow {
    key: String,
    /// Where it was grouped by several things.
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<Vec<String>>,
    /// Of an autonomous system.
    #[serde(skip_serializing_if = "Option::is_none")]
    org: Option<String>,
    #[serde(flatten)]
    figures: Fields,
}

#[derive(Serialize)]
struct InterfaceRow {
    name: String,
    from: String,
    to: String,
    tx_bytes: u64,
    rx_bytes: u64,
    tx_packets: u64,
    rx_packets: u64,
    restarts: u64,
    appeared: bool,
    vanished: bool,
}

/// What stands beside the interfaces, and how to read both.
#[derive(Serialize)]
struct Applications {
    loopback: Sum,
    elsewhere: Sum,
    words: Vec<String>,
}

#[derive(Serialize)]
struct Sum {
    tx_bytes: u64,
    rx_bytes: u64,
}

/// Writes one JSON object.
///
/// # Errors
/// The writer's.
pub fn write(audit: &Audit, out: &mut dyn Write) -> io::Result<()> {
    let by_process = audit.by == [GroupBy::Process];
    let rows = |wanted: bool| wanted.then_some(&audit.groups);
    let of_key = |key: &GroupKey| {
        let group = audit.groups.iter().find(|group| group.keys.as_slice() == std::slice::from_ref(key));
        group.map(|group| group.figures)
    };
    let comparison = &audit.comparison;
    let output = Output {
        completeness: (&audit.completeness).into(),
        by: audit.by.iter().map(|by| by.name()).collect::<Vec<_>>().join(","),
        totals: AuditTotals { groups: audit.group_count(), figures: Fields(audit.totals) },
        both_ends_here: audit.own,
        rest: (audit.rest.0 > 0)
            .then_some(AuditTotals { groups: audit.rest.0, figures: Fields(audit.rest.1) }),
        processes: rows(by_process).map(|groups| groups.iter().filter_map(process).collect()),
        unowned: by_process.then(|| Fields(of_key(&GroupKey::Nobody).unwrap_or_default())),
        pruned: of_key(&GroupKey::Pruned).filter(|_| by_process).map(Fields),
        groups: rows(!by_process).map(|groups| groups.iter().map(group).collect()),
        interfaces: comparison.interfaces.iter().map(interface).collect(),
        geo: audit.geo.clone(),
        indicators: IndicatorFields::from_indicators(&audit.indicators),
        applications: Applications {
            loopback: comparison.loopback.into(),
            elsewhere: comparison.elsewhere.into(),
            words: words::sentences(comparison),
        },
    };
    serde_json::to_writer_pretty(&mut *out, &output)?;
    out.write_all(b"\n")
}

fn process(group: &Group) -> Option<AuditProcess> {
    let process = group.process.as_deref()?.into();
    Some(AuditProcess { process, figures: Fields(group.figures) })
}

fn group(group: &Group) -> GroupRow {
    let org = group.org.as_ref().map(|org| org.shown().into_owned());
    let keys: Vec<String> = group.key_texts().collect();
    GroupRow {
        key: keys.join(", "),
        keys: (keys.len() > 1).then_some(keys),
        org,
        figures: Fields(group.figures),
    }
}

fn interface(row: &InterfaceTraffic) -> InterfaceRow {
    InterfaceRow {
        name: row.counted.name.shown().into_owned(),
        from: row.from.to_string(),
        to: row.to.to_string(),
        tx_bytes: row.counted.tx_bytes,
        rx_bytes: row.counted.rx_bytes,
        tx_packets: row.counted.tx_packets,
        rx_packets: row.counted.rx_packets,
        restarts: row.restarts,
        appeared: row.appeared,
        vanished: row.vanished,
    }
}

impl From<GroupFigures> for Sum {
    fn from(GroupFigures { tx_bytes, rx_bytes, .. }: GroupFigures) -> Self {
        Self { tx_bytes, rx_bytes }
    }
}
