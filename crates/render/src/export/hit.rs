//! A match of an indicator, as every format says it.

use std::borrow::Cow;

use serde::Serialize;

use connmon_record::{Hit, display_safe};

/// A match, made visible.
#[derive(Serialize)]
pub(super) struct HitFields<'a> {
    indicator: Cow<'a, str>,
    kind: &'static str,
    list: Cow<'a, str>,
    list_sha256: Cow<'a, str>,
    list_date: Option<String>,
    time: String,
}

impl<'a> From<&'a Hit> for HitFields<'a> {
    fn from(hit: &'a Hit) -> Self {
        Self {
            indicator: hit.indicator.shown(),
            kind: hit.kind.name(),
            list: hit.list.name.shown(),
            list_sha256: display_safe(&hit.list.sha256),
            list_date: hit.list.date.map(|date| date.to_string()),
            time: hit.time.to_string(),
        }
    }
}
