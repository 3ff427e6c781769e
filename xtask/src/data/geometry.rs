//! Outlines of countries: their middle, and their path on the map's grid.

/// Longitude and latitude in degrees, or a place on the grid.
pub type Point = (f64, f64);

/// The outline of a country.
pub struct Shape {
    /// Each polygon is an outer ring and its holes; the last point of a ring repeats the first.
    pub polygons: Vec<Vec<Vec<Point>>>,
}

impl Shape {
    /// The middle of the largest polygon, in degrees.
    pub fn centroid(&self) -> Option<Point> {
        let middles = self.polygons.iter().filter_map(|polygon| middle(&unwrapped(polygon.first()?)));
        let (_, (x, y)) = middles.max_by(|a, b| a.0.total_cmp(&b.0))?;
        Some(((x + 540.0).rem_euclid(360.0) - 180.0, y))
    }

    /// The outline as SVG path data with one decimal. Steps shorter than that vanish, and islands that are nothing but such
    /// steps; a country of nothing else stays as a dot of half a unit, because a state must not disappear from a map.
    pub fn to_path(&self, project: impl Fn(f64, f64) -> Point) -> String {
        let rings: Vec<Vec<(i64, i64)>> = self
            .polygons
            .iter()
            .flatten()
            .flat_map(|ring| cut(ring))
            .map(|ring| {
                let points = ring.iter().map(|&(longitude, latitude)| {
                    let (x, y) = project(longitude, latitude);
                    ((x * 10.0).round() as i64, (y * 10.0).round() as i64)
                });
                let mut points: Vec<(i64, i64)> = points.collect();
                points.dedup();
                // `z` draws the way back to the first point.
                if points.len() > 1 && points.first() == points.last() {
                    points.pop();
                }
                points
            })
            .collect();
        let mut path = String::new();
        for points in rings.iter().filter(|points| points.len() > 2) {
            draw(points, &mut path);
        }
        if let (true, Some(&(x, y))) = (path.is_empty(), rings.iter().find_map(|points| points.first())) {
            draw(&[(x - 2, y - 2), (x + 3, y - 2), (x, y + 3)], &mut path);
        }
        path
    }
}

fn draw(points: &[(i64, i64)], path: &mut String) {
    let mut at = (0, 0);
    for (i, &(x, y)) in points.iter().enumerate() {
        match i {
            0 => path.push('M'),
            1 => path.push('l'),
            _ => {}
        }
        for number in [tenths(x - at.0), tenths(y - at.1)] {
            // A sign separates, and so does a point after a number that has one already.
            let last = path.rsplit([' ', '-', 'M', 'l']).next().unwrap_or_default();
            let apart = number.starts_with('-') || (number.starts_with('.') && last.contains('.'));
            if !apart && !last.is_empty() {
                path.push(' ');
            }
            path.push_str(&number);
        }
        at = (x, y);
    }
    if !points.is_empty() {
        path.push('z');
    }
}

/// A number of tenths in the shortest form that SVG reads: `-5` is `-.5`, `20` is `2`.
fn tenths(n: i64) -> String {
    let sign = if n < 0 { "-" } else { "" };
    let (whole, rest) = (n.abs() / 10, n.abs() % 10);
    match (whole, rest) {
        (_, 0) => format!("{sign}{whole}"),
        (0, _) => format!("{sign}.{rest}"),
        _ => format!("{sign}{whole}.{rest}"),
    }
}

/// The ring with longitudes that run on beyond ±180° where it crosses that meridian.
fn unwrapped(ring: &[Point]) -> Vec<Point> {
    let mut turns = 0.0;
    let mut before = ring.first().map_or(0.0, |point| point.0);
    let points = ring.iter().map(|&(x, y)| {
        if (x - before).abs() > 180.0 {
            turns += if x < before { 360.0 } else { -360.0 };
        }
        before = x;
        (x + turns, y)
    });
    points.collect()
}

/// The pieces of a ring on one sheet from −180° to 180°.
fn cut(ring: &[Point]) -> Vec<Vec<Point>> {
    let ring = unwrapped(ring);
    let beyond = |edge: f64, side: f64| ring.iter().any(|point| (point.0 - edge) * side > 0.0);
    let shifted = |ring: Vec<Point>, by: f64| ring.into_iter().map(|(x, y)| (x + by, y)).collect::<Vec<_>>();
    match (beyond(180.0, 1.0), beyond(-180.0, -1.0)) {
        (true, _) => vec![half(&ring, 180.0, -1.0), shifted(half(&ring, 180.0, 1.0), -360.0)],
        (_, true) => vec![half(&ring, -180.0, 1.0), shifted(half(&ring, -180.0, -1.0), 360.0)],
        _ => vec![ring],
    }
}

/// What of the closed ring lies on one side of a meridian, closed along it.
fn half(ring: &[Point], edge: f64, side: f64) -> Vec<Point> {
    let mut kept = Vec::new();
    for pair in ring.windows(2) {
        let [a, b] = pair else { continue };
        let (da, db) = ((a.0 - edge) * side, (b.0 - edge) * side);
        if da >= 0.0 {
            kept.push(*a);
        }
        if da * db < 0.0 {
            let t = da / (da - db);
            kept.push((edge, a.1 + t * (b.1 - a.1)));
        }
    }
    kept.extend(kept.first().copied());
    kept
}

/// Area and centroid of a ring. Longitudes are shortened by the cosine of the latitude, so that areas compare.
fn middle(ring: &[Point]) -> Option<(f64, Point)> {
    let (mut area, mut x, mut y) = (0.0, 0.0, 0.0);
    for pair in ring.windows(2) {
        let [(ax, ay), (bx, by)] = pair else { continue };
        let cross = ax * by - bx * ay;
        area += cross;
        x += (ax + bx) * cross;
        y += (ay + by) * cross;
    }
    if area == 0.0 {
        return ring.first().map(|&point| (0.0, point));
    }
    let (x, y) = (x / (3.0 * area), y / (3.0 * area));
    Some(((area / 2.0).abs() * y.to_radians().cos(), (x, y)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(x: f64, y: f64, side: f64) -> Vec<Vec<Point>> {
        vec![vec![(x, y), (x + side, y), (x + side, y + side), (x, y + side), (x, y)]]
    }

    #[test]
    fn the_middle_of_the_largest_part() {
        let shape = Shape { polygons: vec![square(50.0, 10.0, 1.0), square(0.0, 0.0, 4.0)] };
        let (x, y) = shape.centroid().expect("has parts");
        assert!((x - 2.0).abs() < 1e-9 && (y - 2.0).abs() < 1e-9, "{x} {y}");
    }

    #[test]
    fn paths_are_short_and_nothing_vanishes() {
        let flat = |x: f64, y: f64| (x, y);
        let path = |polygon| Shape { polygons: vec![polygon] }.to_path(flat);
        assert_eq!(path(square(1.0, 2.0, 0.5)), "M1 2l.5 0 0 .5-.5 0z");
        assert_eq!(path(square(1.0, 2.0, 0.01)), "M.8 1.8l.5 0-.3.5z");
    }

    #[test]
    fn an_island_on_the_date_line_is_cut_in_two_and_keeps_its_middle() {
        let ring = vec![(179.0, 0.0), (-178.0, 0.0), (-178.0, 1.0), (179.0, 1.0), (179.0, 0.0)];
        let shape = Shape { polygons: vec![vec![ring]] };
        let (x, y) = shape.centroid().expect("has parts");
        assert!((x + 179.5).abs() < 1e-9 && (y - 0.5).abs() < 1e-9, "{x} {y}");
        assert_eq!(shape.to_path(|x, y| (x, y)), "M179 0l1 0 0 1-1 0zM-180 0l2 0 0 1-2 0z");
    }
}
