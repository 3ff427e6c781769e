//! Lines from this host to a country: great circles, or plain curves where the host's place is not known.

use super::projection::{HEIGHT, project};

/// A point of a line on the grid, with how far along the line it lies, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Step {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) t: f64,
}

/// How far a line may be off its curve, in units of the grid.
const TOLERANCE: f64 = 0.25;
const DEPTH: u32 = 9;

/// The great circle between two places (longitude, latitude in degrees), in as many pieces as the map's edge at
/// ±180° makes of it.
pub(super) fn great_circle(from: (f64, f64), to: (f64, f64)) -> Vec<Vec<Step>> {
    let (a, b) = (unit_vector(from), unit_vector(to));
    let angle = a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>().clamp(-1.0, 1.0).acos();
    let at = |t: f64| {
        let sin = angle.sin();
        // Opposite points have no one great circle; half-way over the sphere's chord will do.
        let (wa, wb) = match sin.abs() < 1e-9 {
            true => (1.0 - t, t),
            false => (((1.0 - t) * angle).sin() / sin, (t * angle).sin() / sin),
        };
        let [x, y, z] = [0, 1, 2].map(|i| wa * a[i] + wb * b[i]);
        (y.atan2(x).to_degrees(), z.atan2(x.hypot(y)).to_degrees())
    };
    let mut points = vec![(from.0, from.1, 0.0)];
    // Eight parts to begin with: a curve's middle may lie on its chord by chance.
    for part in 0..8 {
        let (t0, t1) = (f64::from(part) / 8.0, f64::from(part + 1) / 8.0);
        subdivide(&at, t0, t1, DEPTH, &mut points);
    }
    split(&points)
}

/// A curve that rises from a point of the grid that is no place on earth.
pub(super) fn rising(from: (f64, f64), to: (f64, f64)) -> Vec<Vec<Step>> {
    let lift = (from.1 - to.1).max(40.0);
    let c1 = (from.0 + (to.0 - from.0) * 0.08, from.1 - lift * 0.72);
    let c2 = (to.0 - (to.0 - from.0) * 0.38, to.1 - lift * 0.10);
    let at = |t: f64| {
        let s = 1.0 - t;
        let (w0, w1, w2, w3) = (s * s * s, 3.0 * s * s * t, 3.0 * s * t * t, t * t * t);
        let mix = |a: f64, b: f64, c: f64, d: f64| w0 * a + w1 * b + w2 * c + w3 * d;
        Step { x: mix(from.0, c1.0, c2.0, to.0), y: mix(from.1, c1.1, c2.1, to.1), t }
    };
    vec![(0..=32).map(|i| at(f64::from(i) / 32.0)).collect()]
}

/// The line pushed aside, most in its middle, so that two lines between the same places can be told apart.
pub(super) fn bowed(piece: &[Step], by: f64) -> Vec<Step> {
    let bow = |i: usize| {
        let (nx, ny) = normal(piece, i);
        let aside = by * (piece[i].t * std::f64::consts::PI).sin();
        Step { x: piece[i].x + nx * aside, y: piece[i].y + ny * aside, t: piece[i].t }
    };
    (0..piece.len()).map(bow).collect()
}

/// The direction to the right of a line at one of its points.
fn normal(piece: &[Step], i: usize) -> (f64, f64) {
    let (a, b) = (piece[i.saturating_sub(1)], piece[(i + 1).min(piece.len() - 1)]);
    let (dx, dy) = (b.x - a.x, b.y - a.y);
    let length = dx.hypot(dy).max(1e-9);
    (-dy / length, dx / length)
}

/// Appends points up to `t1` whose straight lines stay close to the curve. Longitudes run on beyond ±180°.
fn subdivide(
    at: &impl Fn(f64) -> (f64, f64),
    t0: f64,
    t1: f64,
    depth: u32,
    points: &mut Vec<(f64, f64, f64)>,
) {
    let Some(&(longitude, latitude, _)) = points.last() else { return };
    let near = |mut l: f64, other: f64| {
        l += ((other - l) / 360.0).round() * 360.0;
        l
    };
    let tm = (t0 + t1) / 2.0;
    let (middle, end) = (at(tm), at(t1));
    let middle = (near(middle.0, longitude), middle.1);
    let end = (near(end.0, middle.0), end.1);
    let (p, m, q) = (project(longitude, latitude), project(middle.0, middle.1), project(end.0, end.1));
    let off = ((p.0 + q.0) / 2.0 - m.0).hypot((p.1 + q.1) / 2.0 - m.1);
    if off > TOLERANCE && depth > 0 {
        subdivide(at, t0, tm, depth - 1, points);
        subdivide(at, tm, t1, depth - 1, points);
    } else {
        points.push((end.0, end.1, t1));
    }
}

/// Cuts a line where it crosses ±180° and puts every piece on the sheet.
fn split(points: &[(f64, f64, f64)]) -> Vec<Vec<Step>> {
    let sheet = |longitude: f64| ((longitude + 180.0) / 360.0).floor();
    let mut pieces = Vec::new();
    let mut piece: Vec<Step> = Vec::new();
    let mut on = points.first().map_or(0.0, |p| sheet(p.0));
    let place = |longitude: f64, latitude: f64, t: f64, sheet: f64| {
        let (x, y) = project(longitude - sheet * 360.0, latitude);
        Step { x, y: y.clamp(0.0, HEIGHT), t }
    };
    let mut before: Option<(f64, f64, f64)> = None;
    for &(longitude, latitude, t) in points {
        let next = sheet(longitude);
        if let Some((l0, b0, t0)) = before.filter(|_| next != on) {
            let edge = on.max(next) * 360.0 - 180.0;
            let share = (edge - l0) / (longitude - l0);
            let (b, t) = (b0 + share * (latitude - b0), t0 + share * (t - t0));
            piece.push(place(edge, b, t, on));
            pieces.push(std::mem::take(&mut piece));
            piece.push(place(edge, b, t, next));
            on = next;
        }
        piece.push(place(longitude, latitude, t, on));
        before = Some((longitude, latitude, t));
    }
    pieces.push(piece);
    pieces
}

fn unit_vector((longitude, latitude): (f64, f64)) -> [f64; 3] {
    let (l, b) = (longitude.to_radians(), latitude.to_radians());
    [b.cos() * l.cos(), b.cos() * l.sin(), b.sin()]
}

/// The outline of a line that swells from a quarter of its width to the whole.
pub(super) fn tapered(piece: &[Step], width: f64) -> String {
    let side = |sign: f64| {
        let at = move |i: usize| {
            let (nx, ny) = normal(piece, i);
            let half = sign * width / 2.0 * (0.25 + 0.75 * piece[i].t);
            (piece[i].x + nx * half, piece[i].y + ny * half)
        };
        (0..piece.len()).map(at)
    };
    path(side(1.0).chain(side(-1.0).rev()), true)
}

/// The line itself.
pub(super) fn line(piece: &[Step]) -> String {
    path(piece.iter().map(|step| (step.x, step.y)), false)
}

fn path(points: impl Iterator<Item = (f64, f64)>, closed: bool) -> String {
    let mut text = String::new();
    for (i, (x, y)) in points.enumerate() {
        text.push(if i == 0 { 'M' } else { 'L' });
        text.push_str(&format!("{x:.1} {y:.1}"));
    }
    if closed {
        text.push('Z');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_great_circle_ends_where_it_should_and_bends_north() {
        let pieces = great_circle((-74.0, 40.7), (13.4, 52.5));
        assert_eq!(pieces.len(), 1);
        let (first, last) = (pieces[0][0], *pieces[0].last().unwrap());
        let near = |step: Step, (x, y): (f64, f64)| (step.x - x).hypot(step.y - y) < 0.5;
        assert!(near(first, project(-74.0, 40.7)) && near(last, project(13.4, 52.5)));
        let highest = pieces[0].iter().map(|step| step.y).fold(f64::MAX, f64::min);
        assert!(highest < project(0.0, 53.0).1, "goes north of both ends: {highest}");
    }

    #[test]
    fn the_date_line_splits() {
        let pieces = great_circle((139.7, 35.7), (-122.4, 37.8));
        assert_eq!(pieces.len(), 2);
        for (a, b) in pieces.iter().flat_map(|piece| piece.iter().zip(&piece[1..])) {
            assert!((a.x - b.x).abs() < 60.0, "no streak across the map: {a:?} {b:?}");
        }
        let edge = pieces[0].last().unwrap();
        let other = pieces[1][0];
        assert!((edge.y - other.y).abs() < 0.01 && edge.x > 900.0 && other.x < 100.0);
    }

    #[test]
    fn degenerate_lines_do_not_panic() {
        for (from, to) in [((0.0, 0.0), (180.0, 0.0)), ((5.0, 5.0), (5.0, 5.0)), ((0.0, 90.0), (0.0, -90.0))]
        {
            assert!(great_circle(from, to).iter().flatten().all(|s| s.x.is_finite() && s.y.is_finite()));
        }
    }
}
