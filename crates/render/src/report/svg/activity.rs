//! When connections were opened: a strip of bars over the window.
//!
//! The strip stretches with the page, so it carries no text: its axis is text of the page.

use svg::Document;
use svg::node::element::{Description, Line, Rectangle, Title};

use super::unit;
use connmon_analysis::Summary;
use connmon_analysis::format::{clock, count, date, duration};
use connmon_record::Timestamp;

const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 74.0;
const BASE: f64 = 56.0;

/// The strip for the page; empty without a window.
pub fn activity(summary: &Summary) -> String {
    let activity = &summary.activity;
    let most = activity.most();
    if most == 0 {
        return String::new();
    }
    let step = WIDTH / activity.buckets.len() as f64;
    let total = activity.buckets.iter().map(|bucket| bucket.opened).sum();
    let words = format!(
        "{} opened; the bars stand for {} each, the highest for {}.",
        count(total, "connection", "connections"),
        duration(activity.step_ns),
        count(most, "connection", "connections")
    );
    let mut picture = Document::new()
        .set("class", "cm-activity")
        .set("viewBox", format!("0 0 {WIDTH} {HEIGHT}"))
        .set("preserveAspectRatio", "none")
        .set("role", "img")
        .set("aria-labelledby", "activity-title activity-desc")
        .add(Title::new("Connections opened over time").set("id", "activity-title"))
        .add(Description::new().set("id", "activity-desc").add(svg::node::Text::new(words)));
    let at = |share: f64| {
        let offset = activity.step_ns as f64 * activity.buckets.len() as f64 * share;
        Timestamp(activity.from.0.saturating_add(offset as i64))
    };
    for (i, bucket) in activity.buckets.iter().enumerate().filter(|(_, bucket)| bucket.opened > 0) {
        let x = i as f64 * step + step * 0.12;
        let from = Timestamp(at(0.0).0.saturating_add((activity.step_ns as i64).saturating_mul(i as i64)));
        for (class, n) in [("opened", bucket.opened), ("failed", bucket.failed)] {
            if n == 0 {
                continue;
            }
            // A count of one among thousands is still to be seen.
            let height = (n as f64 / most as f64 * (BASE - 4.0)).max(1.2);
            let title = format!("{} {}: {}", date(from), clock(from), count(n, class, class));
            picture = picture.add(
                Rectangle::new()
                    .set("class", class)
                    .set("x", unit(x))
                    .set("y", unit(BASE - height))
                    .set("width", unit(step * 0.76))
                    .set("height", unit(height))
                    .add(Title::new(title)),
            );
        }
    }
    picture = picture.add(Line::new().set("x1", 0).set("x2", WIDTH).set("y1", BASE).set("y2", BASE));
    picture.to_string()
}

/// Five times along the strip, for the page's axis.
pub fn ticks(summary: &Summary) -> Vec<Timestamp> {
    let activity = &summary.activity;
    let span = (activity.step_ns as f64) * activity.buckets.len() as f64;
    let at =
        |quarter: u8| Timestamp(activity.from.0.saturating_add((span * f64::from(quarter) / 4.0) as i64));
    if activity.buckets.is_empty() { Vec::new() } else { (0..=4).map(at).collect() }
}
