//! The map's grid as plain lines, for those who draw it themselves.

use super::{arc, projection, world};

/// Width of the grid.
pub const WIDTH: f64 = projection::WIDTH;
/// From the grid's top, what is shown: there is nothing of the world's outlines below.
pub const HEIGHT: f64 = 446.0;

/// The point of the grid for a longitude and a latitude in degrees; y grows southwards.
pub fn point(longitude: f64, latitude: f64) -> (f64, f64) {
    projection::project(longitude, latitude.clamp(projection::SOUTH, projection::NORTH))
}

/// The outlines of the countries: closed lines.
pub fn outlines() -> Vec<Vec<(f64, f64)>> {
    world::outlines().flat_map(|(_, path)| path.split_inclusive('z')).map(points).collect()
}

/// The great circle between two places (longitude and latitude), in pieces: points of the grid, and how far along they are, from 0 to 1.
pub fn arc(from: (f64, f64), to: (f64, f64)) -> Vec<Vec<(f64, f64, f64)>> {
    plain(arc::great_circle(from, to))
}

/// A line that rises from a point of the grid that is no place on earth.
pub fn rising(from: (f64, f64), to: (f64, f64)) -> Vec<Vec<(f64, f64, f64)>> {
    plain(arc::rising(from, to))
}

fn plain(pieces: Vec<Vec<arc::Step>>) -> Vec<Vec<(f64, f64, f64)>> {
    pieces.into_iter().map(|piece| piece.into_iter().map(|step| (step.x, step.y, step.t)).collect()).collect()
}

/// The points of one outline: `M`, a point, `l`, steps, `z`, as `cargo xtask data` writes them.
fn points(path: &str) -> Vec<(f64, f64)> {
    let mut numbers = Vec::new();
    let mut number = String::new();
    let mut take = |number: &mut String| {
        numbers.extend(number.parse::<f64>());
        number.clear();
    };
    for c in path.chars() {
        let begins = match c {
            '-' => true,
            '.' => number.contains('.'),
            '0'..='9' => false,
            _ => {
                take(&mut number);
                continue;
            }
        };
        if begins {
            take(&mut number);
        }
        number.push(c);
    }
    take(&mut number);
    let (mut x, mut y) = (0.0, 0.0);
    let mut points: Vec<(f64, f64)> = numbers
        .chunks_exact(2)
        .map(|step| {
            (x, y) = (x + step[0], y + step[1]);
            (x, y)
        })
        .collect();
    points.extend(points.first().copied());
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outlines_are_closed_lines_on_the_grid() {
        assert_eq!(points("M1 2l.5.5-1 0z"), [(1.0, 2.0), (1.5, 2.5), (0.5, 2.5), (1.0, 2.0)]);
        let outlines = outlines();
        assert!(outlines.len() > 250);
        for (x, y) in outlines.into_iter().flatten() {
            assert!((-1.0..=WIDTH + 1.0).contains(&x) && (0.0..=HEIGHT).contains(&y), "{x} {y}");
        }
    }
}
