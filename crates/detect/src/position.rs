//! How far a store has been read for an engine, which is kept with the engine's state.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// How far somebody has read a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The id of the last connection.
    pub connection: i64,
    /// The id of the last question to DNS.
    pub lookup: i64,
}

/// What a replay knows beside its engine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pending {
    /// How far its store has been read.
    pub(crate) position: Position,
    /// Connections that were opened and whose end was not told yet.
    pub(crate) open: BTreeSet<i64>,
    /// The hour up to which was told, in nanoseconds since 1970.
    pub(crate) hour: Option<i64>,
}
