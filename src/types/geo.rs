//! Places on the globe as scores of a sorted set: the 52 bits of a geohash, latitude and longitude interleaved, and which
//! ranges of scores to look through for the places near another. Distances are those of a sphere.
//!
//! A geohash of `step` bits a coordinate names a cell of a grid of 2^step by 2^step; a cell is a range of scores. A search
//! takes the cell of its centre in a grid so coarse that it and its eight neighbours hold all that can be near enough.

use std::ops::Range;

/// Bounds of longitude.
pub const LONGITUDE_MAX: f64 = 180.0;
/// Bounds of latitude: those of the Web Mercator projection (EPSG:3857), whose map is a square.
pub const LATITUDE_MAX: f64 = 85.051_128_78;

const EARTH_RADIUS_M: f64 = 6_372_797.560_856;
/// Half the circumference as the projection has it: what one cell of the coarsest grid spans.
const MERCATOR_MAX_M: f64 = 20_037_726.37;
/// Bits of a coordinate in a score.
const STEP_MAX: u32 = 26;
const HASH_ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
const HASH_CHARS: usize = 11;

/// A place in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// East of Greenwich.
    pub longitude: f64,
    /// North of the equator.
    pub latitude: f64,
}

/// What a search looks within, in metres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// A circle of this radius.
    Circle(f64),
    /// A box of this width and height.
    Box(f64, f64),
}

/// A cell of the grid of `step` bits a coordinate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cell {
    longitude: u32,
    latitude: u32,
    step: u32,
}

impl Point {
    /// Can this place be stored?
    pub fn is_valid(self) -> bool {
        self.longitude.abs() <= LONGITUDE_MAX && self.latitude.abs() <= LATITUDE_MAX
    }

    /// The place's score: its geohash of 52 bits.
    pub fn score(self) -> u64 {
        self.cell(STEP_MAX, LATITUDE_MAX).bits()
    }

    /// The middle of the cell that a score stands for.
    pub fn from_score(score: f64) -> Point {
        let bits = score as u64;
        let cell = Cell { longitude: squash(bits >> 1), latitude: squash(bits), step: STEP_MAX };
        let (longitude, latitude) = (cell.longitudes(), cell.latitudes());
        Point {
            longitude: ((longitude.start + longitude.end) / 2.0).clamp(-LONGITUDE_MAX, LONGITUDE_MAX),
            latitude: ((latitude.start + latitude.end) / 2.0).clamp(-LATITUDE_MAX, LATITUDE_MAX),
        }
    }

    /// The geohash in the letters of <http://geohash.org>, which counts latitude from pole to pole; the last letter would need
    /// bits that a score does not have, and is always `0`.
    pub fn hash_text(self) -> [u8; HASH_CHARS] {
        let bits = self.cell(STEP_MAX, 90.0).bits();
        let mut text = [b'0'; HASH_CHARS];
        for (index, letter) in text.iter_mut().enumerate().take(HASH_CHARS - 1) {
            *letter = HASH_ALPHABET[(bits >> (52 - 5 * (index + 1)) & 31) as usize];
        }
        text
    }

    /// Metres between two places along a great circle (the haversine formula).
    pub fn distance(self, other: Point) -> f64 {
        let half = |a: f64, b: f64| ((b.to_radians() - a.to_radians()) / 2.0).sin();
        let v = half(self.longitude, other.longitude);
        if v == 0.0 {
            return latitude_distance(self.latitude, other.latitude);
        }
        let u = half(self.latitude, other.latitude);
        let a = u * u + self.latitude.to_radians().cos() * other.latitude.to_radians().cos() * v * v;
        2.0 * EARTH_RADIUS_M * a.sqrt().asin()
    }

    fn cell(self, step: u32, latitude_max: f64) -> Cell {
        let scale = (1u64 << step) as f64;
        let longitude = (self.longitude + LONGITUDE_MAX) / (2.0 * LONGITUDE_MAX) * scale;
        let latitude = (self.latitude + latitude_max) / (2.0 * latitude_max) * scale;
        Cell { longitude: longitude as u32, latitude: latitude as u32, step }
    }
}

impl Shape {
    /// The distance of a place from the centre, if it lies within.
    pub fn distance_within(self, centre: Point, place: Point) -> Option<f64> {
        match self {
            Shape::Circle(radius) => Some(centre.distance(place)).filter(|&distance| distance <= radius),
            Shape::Box(width, height) => {
                let is_beyond = latitude_distance(place.latitude, centre.latitude) > height / 2.0
                    || place.distance(Point { longitude: centre.longitude, latitude: place.latitude }) > width / 2.0;
                (!is_beyond).then(|| centre.distance(place))
            }
        }
    }

    /// Metres from the centre to the farthest point.
    fn reach(self) -> f64 {
        match self {
            Shape::Circle(radius) => radius,
            Shape::Box(width, height) => ((width / 2.0).powi(2) + (height / 2.0).powi(2)).sqrt(),
        }
    }

    /// The least and the greatest longitude and latitude of any point within.
    fn bounds(self, centre: Point) -> (Range<f64>, Range<f64>) {
        let (half_width, half_height) = match self {
            Shape::Circle(radius) => (radius, radius),
            Shape::Box(width, height) => (width / 2.0, height / 2.0),
        };
        let latitude = (half_height / EARTH_RADIUS_M).to_degrees();
        // A degree of longitude is shortest at the end that is nearer to a pole.
        let nearest = if centre.latitude < 0.0 { centre.latitude - latitude } else { centre.latitude + latitude };
        let longitude = (half_width / EARTH_RADIUS_M / nearest.to_radians().cos()).to_degrees();
        (
            centre.longitude - longitude..centre.longitude + longitude,
            centre.latitude - latitude..centre.latitude + latitude,
        )
    }

    /// The ranges of scores that hold all places within, in the order in which Redis looks through them: the centre's cell,
    /// then north, south, east, west, and the corners. A place may lie in two of them when the grid is very coarse.
    pub fn score_ranges(self, centre: Point) -> Vec<Range<u64>> {
        let (longitudes, latitudes) = self.bounds(centre);
        let mut step = estimate_step(self.reach(), centre.latitude);
        let mut cell = centre.cell(step, LATITUDE_MAX);
        let is_too_fine = cell.moved(0, 1).latitudes().end < latitudes.end
            || cell.moved(0, -1).latitudes().start > latitudes.start
            || cell.moved(1, 0).longitudes().end < longitudes.end
            || cell.moved(-1, 0).longitudes().start > longitudes.start;
        if step > 1 && is_too_fine {
            step -= 1;
            cell = centre.cell(step, LATITUDE_MAX);
        }
        let is_fine = step >= 2;
        let (columns, rows) = (cell.longitudes(), cell.latitudes());
        let is_needed = |east: i32, north: i32| {
            !is_fine
                || !((north < 0 && rows.start < latitudes.start)
                    || (north > 0 && rows.end > latitudes.end)
                    || (east < 0 && columns.start < longitudes.start)
                    || (east > 0 && columns.end > longitudes.end))
        };
        let moves = [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)];
        let cells = moves.into_iter().filter(|&(east, north)| is_needed(east, north));
        let mut ranges: Vec<Range<u64>> = cells.map(|(east, north)| cell.moved(east, north).scores()).collect();
        // Neighbours meet at the back of the globe.
        ranges.dedup();
        ranges
    }
}

impl Cell {
    /// Both coordinates interleaved, a bit of longitude before each bit of latitude.
    fn bits(self) -> u64 {
        spread(self.longitude) << 1 | spread(self.latitude)
    }

    /// The scores of the places in the cell.
    fn scores(self) -> Range<u64> {
        let shift = 2 * (STEP_MAX - self.step);
        self.bits() << shift..(self.bits() + 1) << shift
    }

    /// The cell so many steps away, around the globe if need be. A coordinate at its very upper bound lies in a cell beyond the
    /// last; it stays there unless it is moved.
    fn moved(self, east: i32, north: i32) -> Cell {
        let mask = (1u32 << self.step) - 1;
        let turn = |at: u32, by: i32| if by == 0 { at } else { at.wrapping_add_signed(by) & mask };
        Cell { longitude: turn(self.longitude, east), latitude: turn(self.latitude, north), step: self.step }
    }

    fn longitudes(self) -> Range<f64> {
        interval(self.longitude, self.step, LONGITUDE_MAX)
    }

    fn latitudes(self) -> Range<f64> {
        interval(self.latitude, self.step, LATITUDE_MAX)
    }
}

fn interval(index: u32, step: u32, max: f64) -> Range<f64> {
    let cells = (1u64 << step) as f64;
    let edge = |index: f64| -max + index / cells * (2.0 * max);
    edge(f64::from(index))..edge(f64::from(index) + 1.0)
}

fn latitude_distance(a: f64, b: f64) -> f64 {
    EARTH_RADIUS_M * (b.to_radians() - a.to_radians()).abs()
}

/// The finest grid whose cells are surely as large as `reach`.
fn estimate_step(reach: f64, latitude: f64) -> u32 {
    if reach == 0.0 {
        return STEP_MAX;
    }
    let (mut reach, mut step) = (reach, 1i32);
    while reach < MERCATOR_MAX_M {
        reach *= 2.0;
        step += 1;
    }
    // The radius must fit whatever the place of the centre in its cell, and cells narrow towards the poles.
    step -= 2;
    step -= i32::from(latitude.abs() > 66.0) + i32::from(latitude.abs() > 80.0);
    step.clamp(1, STEP_MAX as i32) as u32
}

/// Puts a zero before each bit.
fn spread(bits: u32) -> u64 {
    let mut x = u64::from(bits);
    for (shift, mask) in [
        (16, 0x0000_ffff_0000_ffff),
        (8, 0x00ff_00ff_00ff_00ff),
        (4, 0x0f0f_0f0f_0f0f_0f0f),
        (2, 0x3333_3333_3333_3333),
        (1, 0x5555_5555_5555_5555),
    ] {
        x = (x | x << shift) & mask;
    }
    x
}

/// Every second bit, from the lowest on.
fn squash(bits: u64) -> u32 {
    let mut x = bits & 0x5555_5555_5555_5555;
    for (shift, mask) in [
        (1, 0x3333_3333_3333_3333),
        (2, 0x0f0f_0f0f_0f0f_0f0f),
        (4, 0x00ff_00ff_00ff_00ff),
        (8, 0x0000_ffff_0000_ffff),
        (16, 0x0000_0000_ffff_ffff),
    ] {
        x = (x | x >> shift) & mask;
    }
    x as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;

    #[test]
    fn scores_name_places_to_within_a_metre() {
        let mut rng = Rng::new(1);
        for _ in 0..1000 {
            let place = Point { longitude: rng.unit() * 360.0 - 180.0, latitude: rng.unit() * 170.0 - 85.0 };
            assert!(Point::from_score(place.score() as f64).distance(place) < 1.0);
        }
        let palermo = Point { longitude: 13.361389, latitude: 38.115556 };
        assert_eq!(palermo.score(), 3_479_099_956_230_698);
        assert_eq!(&palermo.hash_text(), b"sqc8b49rny0");
    }

    #[test]
    fn the_ranges_of_a_search_hold_all_that_lies_within() {
        let mut rng = Rng::new(2);
        for _ in 0..2000 {
            let centre = Point { longitude: rng.unit() * 300.0 - 150.0, latitude: rng.unit() * 120.0 - 60.0 };
            let size = 10f64.powf(1.0 + rng.unit() * 5.0);
            let shape = if rng.below(2) == 0 { Shape::Circle(size) } else { Shape::Box(size, size * rng.unit()) };
            let ranges = shape.score_ranges(centre);
            for _ in 0..50 {
                let degrees = size / 50_000.0;
                let place = Point {
                    longitude: centre.longitude + (rng.unit() - 0.5) * degrees,
                    latitude: centre.latitude + (rng.unit() - 0.5) * degrees,
                };
                if place.is_valid() && shape.distance_within(centre, place).is_some() {
                    assert!(
                        ranges.iter().any(|range| range.contains(&place.score())),
                        "{centre:?} {shape:?} {place:?}"
                    );
                }
            }
        }
    }
}
