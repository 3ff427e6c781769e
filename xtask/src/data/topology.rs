//! Reads the countries of a TopoJSON file: quantised, delta-coded arcs that neighbours share.

use anyhow::{Context, Result};
use serde_json::Value;

use super::geometry::{Point, Shape};

/// The countries by alpha-3 code, in the order of the file, without details smaller than `tolerance` degrees.
pub fn countries(text: &str, tolerance: f64) -> Result<Vec<(String, Shape)>> {
    let file: Value = serde_json::from_str(text).context("the map data is no JSON")?;
    let mut arcs = arcs(&file).context("the map data has no arcs")?;
    // Simplified before they become rings, so that neighbours still share their border.
    for arc in &mut arcs {
        *arc = simplified(arc, tolerance);
    }
    let geometries =
        file["objects"]["countries"]["geometries"].as_array().context("no countries in the map data")?;
    geometries
        .iter()
        .map(|geometry| {
            let code = geometry["properties"]["a3"].as_str().unwrap_or("-").to_owned();
            let shape =
                shape(geometry, &arcs).with_context(|| format!("the outline of {code} is damaged"))?;
            Ok((code, shape))
        })
        .collect()
}

/// Every arc in degrees.
fn arcs(file: &Value) -> Option<Vec<Vec<Point>>> {
    let scale = point(&file["transform"]["scale"])?;
    let translate = point(&file["transform"]["translate"])?;
    let arc = |arc: &Value| {
        let (mut x, mut y) = (0.0, 0.0);
        let step = |delta: &Value| {
            let (dx, dy) = point(delta)?;
            (x, y) = (x + dx, y + dy);
            Some((x * scale.0 + translate.0, y * scale.1 + translate.1))
        };
        arc.as_array()?.iter().map(step).collect::<Option<Vec<Point>>>()
    };
    file["arcs"].as_array()?.iter().map(arc).collect()
}

/// The arc without the points that lie closer than `tolerance` to the line without them (Ramer, Douglas, Peucker).
fn simplified(arc: &[Point], tolerance: f64) -> Vec<Point> {
    let (Some(&first), Some(&last)) = (arc.first(), arc.last()) else { return Vec::new() };
    let (dx, dy) = (last.0 - first.0, last.1 - first.1);
    let length = dx.hypot(dy);
    let off = |point: &Point| {
        let (px, py) = (point.0 - first.0, point.1 - first.1);
        if length == 0.0 { px.hypot(py) } else { (px * dy - py * dx).abs() / length }
    };
    let farthest = (1..arc.len().saturating_sub(1)).max_by(|&a, &b| off(&arc[a]).total_cmp(&off(&arc[b])));
    match farthest {
        Some(i) if off(&arc[i]) >= tolerance => {
            let mut points = simplified(&arc[..=i], tolerance);
            points.pop();
            points.extend(simplified(&arc[i..], tolerance));
            points
        }
        _ => vec![first, last],
    }
}

fn point(value: &Value) -> Option<Point> {
    Some((value.get(0)?.as_f64()?, value.get(1)?.as_f64()?))
}

fn shape(geometry: &Value, arcs: &[Vec<Point>]) -> Option<Shape> {
    let polygon = |rings: &Value| rings.as_array()?.iter().map(|r| ring(r, arcs)).collect::<Option<Vec<_>>>();
    let parts = &geometry["arcs"];
    let polygons = match geometry["type"].as_str()? {
        "Polygon" => vec![polygon(parts)?],
        "MultiPolygon" => parts.as_array()?.iter().map(polygon).collect::<Option<_>>()?,
        _ => return None,
    };
    Some(Shape { polygons })
}

/// One closed ring from its arcs; the index `!i` stands for arc `i` backwards. The last point repeats the first.
fn ring(indexes: &Value, arcs: &[Vec<Point>]) -> Option<Vec<Point>> {
    let mut ring: Vec<Point> = Vec::new();
    for index in indexes.as_array()? {
        let index = index.as_i64()?;
        let backwards = index < 0;
        let arc = arcs.get(usize::try_from(if backwards { !index } else { index }).ok()?)?;
        // An arc begins where the one before it ended.
        ring.pop();
        if backwards {
            ring.extend(arc.iter().rev());
        } else {
            ring.extend(arc);
        }
    }
    Some(ring)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_details_vanish_and_corners_stay() {
        let arc = [(0.0, 0.0), (1.0, 0.01), (2.0, 0.0), (2.0, 2.0), (0.0, 0.0)];
        assert_eq!(simplified(&arc, 0.1), [(0.0, 0.0), (2.0, 0.0), (2.0, 2.0), (0.0, 0.0)]);
        assert_eq!(simplified(&arc, 0.0), arc);
    }

    #[test]
    fn shared_arcs_become_rings() {
        let text = r#"{"transform":{"scale":[1,1],"translate":[10,20]},
            "arcs":[[[0,0],[2,0]],[[2,0],[0,2],[-2,-2]],[[2,0],[0,-3],[-2,3]]],
            "objects":{"countries":{"geometries":[
                {"type":"Polygon","arcs":[[0,1]],"properties":{"a3":"AAA"}},
                {"type":"MultiPolygon","arcs":[[[-1,-3]]],"properties":{"a3":"BBB"}}]}}}"#;
        let countries = countries(text, 0.0).expect("sound");
        assert_eq!(countries[0].0, "AAA");
        assert_eq!(countries[0].1.polygons, [[[(10.0, 20.0), (12.0, 20.0), (12.0, 22.0), (10.0, 20.0)]]]);
        assert_eq!(countries[1].1.polygons, [[[(12.0, 20.0), (10.0, 20.0), (12.0, 17.0), (12.0, 20.0)]]]);
    }
}
