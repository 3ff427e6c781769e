//! The Natural Earth I projection on the map's grid of 1000 × 520 units.
//!
//! Pseudocylindrical, drawn by Tom Patterson; the polynomials are those of Šavrič, Jenny, Patterson, Petrovič
//! and Hurni, "A polynomial equation for the Natural Earth projection" (2011). Only `std` is used here, because
//! `cargo xtask data` includes this file to draw the countries with exactly the arithmetic that places the arcs.

use std::f64::consts::PI;

/// Width of the grid: 360° of longitude at the equator.
pub const WIDTH: f64 = 1000.0;
/// Height of the grid: pole to pole.
pub const HEIGHT: f64 = 520.0;
/// The northern edge of what is shown, in degrees.
pub const NORTH: f64 = 84.0;
/// The southern edge of what is shown, in degrees.
pub const SOUTH: f64 = -58.0;

/// Horizontal extent of one radian of longitude at the equator, in projection units.
const AT_EQUATOR: f64 = 0.8707;
const SCALE: f64 = WIDTH / (2.0 * PI * AT_EQUATOR);

/// The point of the grid for a longitude and a latitude in degrees; y grows southwards.
pub fn project(longitude: f64, latitude: f64) -> (f64, f64) {
    let (lambda, phi) = (longitude.to_radians(), latitude.to_radians());
    let p2 = phi * phi;
    let p4 = p2 * p2;
    let x =
        lambda * (AT_EQUATOR - 0.131_979 * p2 + p4 * (-0.013_791 + p4 * (0.003_971 * p2 - 0.001_529 * p4)));
    let y = phi * (1.007_226 + p2 * (0.015_085 + p4 * (-0.044_475 + 0.028_874 * p2 - 0.005_916 * p4)));
    (WIDTH / 2.0 + SCALE * x, HEIGHT / 2.0 - SCALE * y)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixtures() {
        for ((longitude, latitude), (x, y)) in [
            ((0.0, NORTH), (500.0, 7.3)),
            ((0.0, SOUTH), (500.0, 445.0)),
            ((0.0, 0.0), (500.0, 260.0)),
            ((-180.0, 0.0), (0.0, 260.0)),
            ((180.0, 0.0), (1000.0, 260.0)),
            ((0.0, 90.0), (500.0, 0.0)),
            ((0.0, -90.0), (500.0, 520.0)),
        ] {
            let (px, py) = project(longitude, latitude);
            assert!(
                (px - x).abs() < 0.05 && (py - y).abs() < 0.05,
                "{longitude},{latitude} is at {px:.2},{py:.2}, not {x},{y}"
            );
        }
    }
}
