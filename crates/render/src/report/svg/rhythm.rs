//! Connections at regular times: when they were opened, and how far apart. Both pictures stand in the page, whose text names their
//! axes.

use svg::Document;
use svg::node::element::{Line, Rectangle, Text, Title};

use super::unit;
use connmon_analysis::format::{clock, count, date, duration};
use connmon_detect::Rhythm;

const WIDTH: f64 = 240.0;
const HEIGHT: f64 = 24.0;
/// Of the histogram, with its scale.
const HISTOGRAM: f64 = 54.0;
const BASE: f64 = 40.0;

/// A stroke for each part of the time in which connections were opened.
pub fn times(rhythm: &Rhythm) -> String {
    let all: u64 = rhythm.starts.iter().map(|n| u64::from(*n)).sum();
    let words = format!(
        "{} from {} {} to {} {}",
        count(all, "connection", "connections"),
        date(rhythm.from),
        clock(rhythm.from),
        date(rhythm.to),
        clock(rhythm.to)
    );
    let picture = picture("cm-times", HEIGHT).add(Title::new(words));
    let step = WIDTH / rhythm.starts.len().max(1) as f64;
    let most = rhythm.starts.iter().copied().max().unwrap_or(1).max(1);
    let strokes = rhythm.starts.iter().enumerate().filter(|(_, n)| **n > 0);
    let picture = strokes.fold(picture, |picture, (part, n)| {
        let height = (HEIGHT * f64::from(*n) / f64::from(most)).max(HEIGHT * 0.3);
        picture.add(bar(part as f64 * step, step * 0.62, HEIGHT, height))
    });
    picture.to_string()
}

/// How many intervals are how long: the median stands in the middle.
pub fn intervals(rhythm: &Rhythm) -> String {
    let all: u64 = rhythm.intervals.iter().map(|n| u64::from(*n)).sum();
    let median = duration((rhythm.median * 1e9) as u64);
    let words = format!("{}, the median is {median}", count(all, "interval", "intervals"));
    let mut picture = picture("cm-intervals", HISTOGRAM).add(Title::new(words));
    let step = WIDTH / rhythm.intervals.len().max(1) as f64;
    let most = rhythm.intervals.iter().copied().max().unwrap_or(1).max(1);
    for (part, n) in rhythm.intervals.iter().enumerate().filter(|(_, n)| **n > 0) {
        let height = ((BASE - 2.0) * f64::from(*n) / f64::from(most)).max(1.5);
        picture = picture.add(bar(part as f64 * step, step * 0.8, BASE, height));
    }
    picture = picture.add(Line::new().set("x1", 0).set("x2", WIDTH).set("y1", BASE).set("y2", BASE));
    let longest = format!("≥ {}", duration((rhythm.median * 2e9) as u64));
    for (x, anchor, text) in
        [(0.0, "start", "0"), (WIDTH / 2.0, "middle", &*median), (WIDTH, "end", &*longest)]
    {
        let label = Text::new(text).set("x", unit(x)).set("y", HISTOGRAM - 2.0).set("text-anchor", anchor);
        picture = picture.add(label);
    }
    picture.to_string()
}

fn picture(class: &str, height: f64) -> Document {
    Document::new().set("class", class).set("viewBox", format!("0 0 {WIDTH} {height}")).set("role", "img")
}

fn bar(x: f64, width: f64, base: f64, height: f64) -> Rectangle {
    Rectangle::new()
        .set("x", unit(x))
        .set("y", unit(base - height))
        .set("width", unit(width))
        .set("height", unit(height))
}
