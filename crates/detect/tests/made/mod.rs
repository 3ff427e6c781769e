//! Made connections, and an engine that is fed with them.

#![allow(dead_code, unused_imports, reason = "each test uses a part of it")]

use std::collections::BTreeMap;

use connmon_detect::{Engine, Event};
pub use connmon_fixtures::series::{Questions, Series, chance, ns};
use connmon_fixtures::{SECOND, START};
use connmon_record::{Connection, Lookup, Timestamp};

/// Feeds an engine with connections in order of time: when each is opened, and when it ends or is last seen.
pub fn feed(engine: &mut Engine, connections: &[Connection]) {
    feed_with(engine, connections, &[]);
}

/// The same, with questions to DNS.
pub fn feed_with(engine: &mut Engine, connections: &[Connection], lookups: &[Lookup]) {
    let mut order = BTreeMap::new();
    for (place, lookup) in lookups.iter().enumerate() {
        order.insert((lookup.time, 0, usize::MAX - place), Event::Lookup(lookup));
    }
    for (place, connection) in connections.iter().enumerate() {
        order.insert((connection.opened, 0, place), Event::Opened(connection));
        let event = match connection.cut_off {
            Some(time) => Event::Lasts(connection, time),
            None => Event::Ended(connection),
        };
        order.insert((event.time(), 1, place), event);
    }
    engine.feed(Event::Recording(Timestamp(START)));
    order.into_values().for_each(|event| engine.feed(event));
    engine.advance(Timestamp(engine.world().now().0 + SECOND));
}
