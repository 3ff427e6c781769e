//! STIX 2.1 bundles: the patterns of their indicators, as far as one connection can tell that it fits them.

mod meaning;
mod pattern;

use serde::Deserialize;

use super::lenient::Lenient;
use super::{ListContent, ListPosition};

#[derive(Deserialize)]
struct Bundle {
    #[serde(default)]
    objects: Vec<Lenient<Object>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Object {
    r#type: String,
    pattern: Option<String>,
    pattern_type: Option<String>,
    modified: Option<String>,
    revoked: Option<bool>,
}

/// Reads a bundle. Its date is that of the indicator that was changed last.
pub(super) fn read(content: &[u8]) -> Result<ListContent, serde_json::Error> {
    let bundle: Bundle = serde_json::from_slice(content)?;
    let mut found = ListContent::default();
    for (number, object) in (1..).zip(bundle.objects) {
        let place = ListPosition::Nth("object", number);
        let Some(object) = object.0 else {
            found.skip(place, "", "objects that cannot be read");
            continue;
        };
        if object.r#type != "indicator" {
            continue;
        }
        let time = object.modified.as_deref().and_then(|time| time.parse::<jiff::Timestamp>().ok());
        found.date(time.and_then(|time| i64::try_from(time.as_nanosecond()).ok()));
        let text = object.pattern.as_deref().unwrap_or_default();
        if object.revoked == Some(true) {
            found.skip(place, text, "indicators that are revoked");
        } else if object.pattern_type.is_some_and(|kind| !kind.eq_ignore_ascii_case("stix")) {
            found.skip(place, text, "indicators with patterns in another language than STIX");
        } else {
            let before = found.indicators.len();
            let pattern = pattern::parse(text);
            let is_of_several = pattern.as_ref().is_some_and(pattern::Pattern::is_of_several);
            match pattern.map(|pattern| meaning::take(&pattern, &mut found.indicators)) {
                None => found.skip(place, text, "patterns that cannot be read"),
                Some(true) => {}
                Some(false) if found.indicators.len() > before => {
                    found.skip(place, text, "patterns that are matched only in part");
                }
                Some(false) if is_of_several => {
                    found.skip(place, text, "patterns that need more than one connection");
                }
                Some(false) => found.skip(place, text, "patterns of what connmon does not match"),
            }
        }
    }
    Ok(found)
}
