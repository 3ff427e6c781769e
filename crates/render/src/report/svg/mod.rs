//! Stand-alone pictures, which the page embeds too.

mod activity;
mod arc;
mod bars;
mod furniture;
pub mod grid;
mod hilbert;
mod labels;
mod map;
mod places;
mod projection;
pub mod rhythm;
mod timeline;
mod trays;
mod world;

pub use activity::{activity, ticks};
pub use bars::bars;
pub use hilbert::hilbert;
pub use map::map;
pub use timeline::timeline;
pub use trays::{Tray, trays_of};

use connmon_record::{Untrusted, display_safe};

/// The style of the pictures, with colours for light and dark.
pub const STYLE: &str = include_str!("../../../../../templates/map.css");

/// Where a picture is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// In a file of its own: it brings its style, a heading, and the trays for what has no place on the map.
    Standalone,
    /// In the page, which brings all that itself.
    Page,
}

/// Captured text for a text node: after the sanitiser, and without the quotes that an attribute could break at.
fn text_safe<'a>(captured: impl Into<Untrusted<&'a str>>) -> String {
    display_safe(captured).replace('"', "”")
}

/// A coordinate with one decimal, as short as SVG allows.
fn unit(value: f64) -> String {
    let text = format!("{value:.1}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "-0" { "0".into() } else { text.into() }
}

/// Where `bytes` lies between the least and the most, from 0 to 1, by logarithm.
fn log_share(bytes: u64, least: u64, most: u64) -> f64 {
    let log = |n: u64| (n.max(1) as f64).ln();
    let span = log(most) - log(least);
    if span <= 0.0 { 1.0 } else { ((log(bytes) - log(least)) / span).clamp(0.0, 1.0) }
}
