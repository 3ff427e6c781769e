//! The rows of a tab, in their order.

use std::cmp::Reverse;

use super::items::Item;
use super::list::{ListRow, RowContent, RowKey, SortKey};
use super::sums::{self, DestinationSum, TrafficSum};
use super::tab::Tab;
use super::timeline;
use super::view::View;
use crate::Listener;
use connmon_analysis::timeline_rows::TimelineRow;
use connmon_record::{Endpoint, Untrusted};

/// What rows are put in order by; a text as a person would.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum SortValue {
    Number(u64),
    Text(Untrusted),
    Address(Endpoint),
}

fn weight_of_item(by: SortKey, item: &Item) -> SortValue {
    let connection = &item.connection;
    SortValue::Number(match by {
        SortKey::Total | SortKey::Count => item.figures.bytes(),
        SortKey::Rate => tenths(item.rate.sum()),
        SortKey::Sent => item.figures.tx_bytes,
        SortKey::Received => item.figures.rx_bytes,
        SortKey::Newest => u64::try_from(connection.opened.0).unwrap_or(0),
        SortKey::Name => {
            let owner = connection.owner.as_ref();
            return SortValue::Text(owner.map(|owner| owner.comm.map(str::to_lowercase)).unwrap_or_default());
        }
        SortKey::Remote => return SortValue::Address(connection.remote),
    })
}

fn weight_of_sum(by: SortKey, sum: &TrafficSum, name: Untrusted<&str>) -> SortValue {
    SortValue::Number(match by {
        SortKey::Total => sum.figures.bytes(),
        SortKey::Rate => tenths(sum.rate.sum()),
        SortKey::Sent => sum.figures.tx_bytes,
        SortKey::Received => sum.figures.rx_bytes,
        SortKey::Count => sum.figures.connections,
        SortKey::Newest => sum.ids.last().copied().and_then(|id| u64::try_from(id).ok()).unwrap_or(0),
        SortKey::Name | SortKey::Remote => return SortValue::Text(name.map(str::to_lowercase)),
    })
}

fn tenths(rate: f64) -> u64 {
    (rate * 10.0).round() as u64
}

/// The rows of the tab, in their order.
pub(super) fn collect(view: &View) -> Vec<ListRow> {
    let (by, falls) = (view.sort().key_in(view.tab), view.sort().falls(view.tab));
    match view.tab {
        Tab::Connections if view.grouped => grouped(view, by, falls),
        Tab::Connections => {
            let weigh =
                |(id, item)| (weight_of_item(by, item), row(RowKey::Connection(id), RowContent::Connection));
            let mut rows: Vec<_> = view.items.fitting().map(weigh).collect();
            // Of what weighs the same, the newest.
            rows.reverse();
            in_order(rows, falls)
        }
        Tab::Processes => in_order(processes(view, by), falls),
        Tab::Destinations => {
            let sums = sums::by_destination(&view.items, view.by).into_iter();
            let weigh = |(key, sum): (String, DestinationSum)| {
                (
                    weight_of_sum(by, &sum.sum, sum.title.borrowed()),
                    row(RowKey::Place(key), RowContent::Place(Box::new(sum))),
                )
            };
            in_order(sums.map(weigh).collect(), falls)
        }
        Tab::Map => Vec::new(),
        Tab::Timeline => {
            let weigh = |timeline_row: TimelineRow| {
                let weight = match by {
                    SortKey::Count => SortValue::Number(timeline_row.figures.connections),
                    SortKey::Remote => SortValue::Address(Endpoint::new(timeline_row.ip, 0)),
                    _ => SortValue::Number(timeline_row.figures.bytes()),
                };
                (
                    weight,
                    row(RowKey::Address(timeline_row.ip), RowContent::TimelineRow(Box::new(timeline_row))),
                )
            };
            in_order(timeline::timeline_rows(view).into_iter().map(weigh).collect(), falls)
        }
        Tab::Listening => {
            let weigh = |socket: &Listener| {
                let weight = match by {
                    SortKey::Name => SortValue::Text(socket.comm.map(str::to_lowercase)),
                    _ => SortValue::Number(socket.local.port.into()),
                };
                let key = RowKey::Socket(socket.proto, socket.local, socket.pid);
                (weight, row(key, RowContent::Socket(socket.clone())))
            };
            in_order(view.live().listeners().iter().map(weigh).collect(), falls)
        }
    }
}

fn row(key: RowKey, what: RowContent) -> ListRow {
    ListRow { key, content: what }
}

fn in_order(mut rows: Vec<(SortValue, ListRow)>, falls: bool) -> Vec<ListRow> {
    if falls {
        rows.sort_by(|(a, _), (b, _)| Reverse(a).cmp(&Reverse(b)));
    } else {
        rows.sort_by(|(a, _), (b, _)| a.cmp(b));
    }
    rows.into_iter().map(|(_, row)| row).collect()
}

fn processes(view: &View, by: SortKey) -> Vec<(SortValue, ListRow)> {
    let sums = sums::by_process(&view.items).into_iter();
    sums.map(|(id, sum)| {
        let weight = weight_of_sum(by, &sum.sum, sum.name());
        (weight, row(RowKey::Process(id), RowContent::Process(Box::new(sum))))
    })
    .collect()
}

/// Each process, and below it the connections that are its own.
fn grouped(view: &View, by: SortKey, falls: bool) -> Vec<ListRow> {
    let mut rows = Vec::new();
    for process in in_order(processes(view, by), falls) {
        let RowContent::Process(sum) = &process.content else { continue };
        let own = sum.process.as_ref().map(|process| process.id);
        let below = sum.sum.ids.iter().rev().filter_map(|id| Some((*id, view.items.get(*id)?)));
        let below = below.filter(|(_, item)| item.connection.owner.as_ref().map(|owner| owner.id) == own);
        let weigh =
            |(id, item)| (weight_of_item(by, item), row(RowKey::Connection(id), RowContent::Connection));
        let below = in_order(below.map(weigh).collect(), falls);
        rows.push(process);
        rows.extend(below);
    }
    rows
}
