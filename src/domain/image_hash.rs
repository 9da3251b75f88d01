//! Prints of pictures: small values by which two photos of the same thing can be told.
//!
//! A print looks at a grid of 10 × 10 cells. For each of the inner 8 × 8 it keeps whether the cell
//! is lighter than the mean of its eight neighbours (a bit), whether it differs at all (a second
//! bit), and its colour without brightness. Comparing with all neighbours cancels even and sloping
//! light; plain walls thus have no structure, and without structure nothing is called alike.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::domain::geometry::{PixelBox, Upright};
use crate::domain::ids::BadId;
use crate::domain::picture::Picture;

/// Cells along each side of the grid, the outer ring included.
const GRID: usize = 10;

/// Cells along each side that get bits.
const INNER: usize = 8;

/// Difference of brightness, in steps of 255, that a re-encoded copy keeps.
const STRUCTURE: f32 = 1.5;

/// Pixels of a cell that are read along each side at most; means get no better by more.
const SAMPLES: usize = 24;

/// A region's print takes in its surroundings: this many times its longer side …
const AROUND: f32 = 1.5;

/// … and at least this share of the photo's longer side.
const AROUND_MIN: f32 = 0.25;

/// The part of a print that an index keeps at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Bits {
    /// Lighter than its neighbours, row by row; 0 where there is no structure.
    lighter: u64,
    /// Which cells have structure.
    structure: u64,
}

impl Bits {
    /// How many of 64 cells have structure.
    pub const fn structure(self) -> u32 {
        self.structure.count_ones()
    }

    /// The bits that an index can look up: they differ in no more than [`Bits::apart`] places.
    pub const fn lighter(self) -> u64 {
        self.lighter
    }

    /// In how many of 64 bits two prints differ, counted over the cells where either has structure
    /// and scaled to 64; 64 where neither has any.
    pub const fn apart(self, other: Self) -> u32 {
        let cells = (self.structure | other.structure).count_ones();
        if cells == 0 { 64 } else { ((self.lighter ^ other.lighter).count_ones() * 64).div_ceil(cells) }
    }
}

/// The print of a picture or a part of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageHash {
    bits: Bits,
    /// Blue-yellow and red-green of each cell, 4 bits each.
    colour: [u8; INNER * INNER],
}

impl ImageHash {
    /// The print of the whole picture.
    pub fn of_picture(picture: &Picture) -> Self {
        let size = picture.size();
        Self::of_part(picture, [0.0, 0.0, size.width as f32, size.height as f32])
    }

    /// The print of `area` and its surroundings.
    pub fn of_region(picture: &Picture, area: PixelBox<Upright>) -> Self {
        let photo = picture.photo();
        let size = picture.size();
        let [x0, y0, x1, y1] = area.corners();
        let side = (area.width().max(area.height()) * AROUND).max(photo.long_side() as f32 * AROUND_MIN);
        let (left, right) = window(f32::midpoint(x0, x1), side, photo.width as f32);
        let (top, bottom) = window(f32::midpoint(y0, y1), side, photo.height as f32);
        let across = size.width as f32 / photo.width.max(1) as f32;
        let down = size.height as f32 / photo.height.max(1) as f32;
        Self::of_part(picture, [left * across, top * down, right * across, bottom * down])
    }

    /// Brightness alone.
    pub const fn bits(&self) -> Bits {
        self.bits
    }

    /// Mean difference of colour over all cells, in steps of 15.
    pub fn colour_apart(&self, other: &Self) -> f32 {
        let pairs = self.colour.iter().zip(&other.colour);
        let apart = |(a, b): (&u8, &u8)| u32::from((a >> 4).abs_diff(b >> 4) + (a & 15).abs_diff(b & 15));
        pairs.map(apart).sum::<u32>() as f32 / (2 * INNER * INNER) as f32
    }

    /// A print from its parts, for tests and benches that need many.
    pub const fn from_parts(lighter: u64, structure: u64, colour: [u8; 64]) -> Self {
        Self { bits: Bits { lighter: lighter & structure, structure }, colour }
    }

    fn of_part(picture: &Picture, part: [f32; 4]) -> Self {
        let cells = cells(picture, part);
        let mut print = Self { bits: Bits::default(), colour: [0; INNER * INNER] };
        for row in 0..INNER {
            for column in 0..INNER {
                let bit = row * INNER + column;
                let middle = &cells[(row + 1) * GRID + column + 1];
                let apart = middle.luma - mean_around(&cells, row + 1, column + 1);
                if apart.abs() >= STRUCTURE {
                    print.bits.structure |= 1 << bit;
                    print.bits.lighter |= u64::from(apart > 0.0) << bit;
                }
                print.colour[bit] = middle.colour;
            }
        }
        print
    }
}

/// The stretch of length `side` around `middle`, moved into `0..=limit` and cut only if longer.
fn window(middle: f32, side: f32, limit: f32) -> (f32, f32) {
    let side = side.min(limit);
    let start = (middle - side / 2.0).clamp(0.0, limit - side);
    (start, start + side)
}

#[derive(Clone, Copy)]
struct Cell {
    luma: f32,
    colour: u8,
}

/// The grid over `part`, given in pixels of the working picture.
fn cells(picture: &Picture, [x0, y0, x1, y1]: [f32; 4]) -> Vec<Cell> {
    let size = picture.size();
    let edges = |from: f32, to: f32, limit: u32| -> Vec<usize> {
        let limit = limit.max(1) as usize;
        let at = |step: usize| from + (to - from) * step as f32 / GRID as f32;
        (0..=GRID).map(|step| (at(step).round().max(0.0) as usize).min(limit)).collect()
    };
    let (columns, rows) = (edges(x0, x1, size.width), edges(y0, y1, size.height));
    let pairs = rows.windows(2).flat_map(|row| columns.windows(2).map(move |column| (row, column)));
    pairs.map(|(row, column)| cell(picture, column[0]..column[1], row[0]..row[1])).collect()
}

/// The mean of one cell. A cell narrower than a pixel takes the pixel that it lies in.
fn cell(picture: &Picture, columns: std::ops::Range<usize>, rows: std::ops::Range<usize>) -> Cell {
    let (width, height) = (picture.size().width as usize, picture.size().height as usize);
    if width == 0 || height == 0 {
        return Cell { luma: 0.0, colour: 0x88 };
    }
    let spread = |range: std::ops::Range<usize>, limit: usize| {
        let start = range.start.min(limit - 1);
        let end = range.end.clamp(start + 1, limit);
        (start..end).step_by((end - start).div_ceil(SAMPLES))
    };
    let mut sum = [0_u64; 3];
    let mut count = 0_u64;
    for y in spread(rows, height) {
        for x in spread(columns.clone(), width) {
            let at = (y * width + x) * 3;
            for (sum, value) in sum.iter_mut().zip(&picture.rgb()[at..at + 3]) {
                *sum += u64::from(*value);
            }
            count += 1;
        }
    }
    let [red, green, blue] = sum.map(|sum| sum as f32 / count as f32);
    // ITU-R BT.601, the weights of JPEG.
    let luma = 0.299 * red + 0.587 * green + 0.114 * blue;
    let colour = (nibble(0.564 * (blue - luma)) << 4) | nibble(0.713 * (red - luma));
    Cell { luma, colour }
}

/// −64..=63 to 0..=15; walls have no stronger colours.
fn nibble(chroma: f32) -> u8 {
    (chroma / 8.0 + 8.0).floor().clamp(0.0, 15.0) as u8
}

fn mean_around(cells: &[Cell], row: usize, column: usize) -> f32 {
    let mut sum = 0.0;
    for y in row - 1..=row + 1 {
        for x in column - 1..=column + 1 {
            sum += cells[y * GRID + x].luma;
        }
    }
    (sum - cells[row * GRID + column].luma) / 8.0
}

impl fmt::Display for ImageHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Bits { lighter, structure } = self.bits;
        write!(f, "{lighter:016x}{structure:016x}{}", data_encoding::HEXLOWER.encode(&self.colour))
    }
}

impl fmt::Debug for ImageHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ImageHash {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        let bad = || BadId { kind: "picture print (160 hex digits)", text: text.to_owned() };
        let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).map_err(|_| bad())?;
        let (lighter, rest) = bytes.split_first_chunk::<8>().ok_or_else(bad)?;
        let (structure, colour) = rest.split_first_chunk::<8>().ok_or_else(bad)?;
        Ok(Self {
            bits: Bits { lighter: u64::from_be_bytes(*lighter), structure: u64::from_be_bytes(*structure) },
            colour: colour.try_into().map_err(|_| bad())?,
        })
    }
}

impl TryFrom<String> for ImageHash {
    type Error = BadId;
    fn try_from(text: String) -> Result<Self, BadId> {
        text.parse()
    }
}

impl From<ImageHash> for String {
    fn from(print: ImageHash) -> Self {
        print.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::geometry::Size;

    /// A picture whose brightness is `luma(x, y)`, x and y in 0..1.
    fn picture(width: u32, height: u32, luma: impl Fn(f32, f32) -> f32) -> Picture {
        let mut rgb = Vec::new();
        for y in 0..height {
            for x in 0..width {
                let value = luma(x as f32 / width as f32, y as f32 / height as f32).clamp(0.0, 255.0) as u8;
                rgb.extend([value, value, value.saturating_sub(10)]);
            }
        }
        Picture::new(Size::new(width, height), Size::new(width * 4, height * 4), rgb).expect("fits")
    }

    /// A wall with blotches, the same for each seed.
    fn wall(seed: f32) -> impl Fn(f32, f32) -> f32 {
        move |x, y| {
            150.0
                + 40.0
                    * ((x * 17.0 + seed).sin() * (y * 13.0 - seed * 2.0).cos() + (x * y * 31.0 * seed).sin())
        }
    }

    #[test]
    fn copies_in_other_sizes_and_light_are_alike_and_other_walls_are_not() {
        let original = ImageHash::of_picture(&picture(400, 300, wall(1.0)));
        let smaller = ImageHash::of_picture(&picture(200, 150, wall(1.0)));
        let darker = ImageHash::of_picture(&picture(400, 300, |x, y| wall(1.0)(x, y) * 0.9 - 5.0 + 30.0 * x));
        let other = ImageHash::of_picture(&picture(400, 300, wall(2.3)));
        assert!(original.bits().structure() > 40, "{original:?}");
        assert!(original.bits().apart(smaller.bits()) <= 2, "{}", original.bits().apart(smaller.bits()));
        assert!(original.bits().apart(darker.bits()) <= 4, "{}", original.bits().apart(darker.bits()));
        assert!(original.bits().apart(other.bits()) >= 16, "{}", original.bits().apart(other.bits()));
        assert!(original.colour_apart(&smaller) < 0.2);
    }

    #[test]
    fn plain_walls_in_sloping_light_have_no_structure() {
        for light in [0.0, 80.0, -120.0] {
            let plain = ImageHash::of_picture(&picture(400, 300, |x, y| 140.0 + light * x + 20.0 * y));
            assert_eq!(plain.bits().structure(), 0, "{light}");
            assert_eq!(plain.bits().apart(plain.bits()), 64, "nothing to compare is not alike");
        }
    }

    #[test]
    fn colours_tell_walls_apart() {
        let tinted = |tint: u8| {
            let rgb = [200, 200 - tint, 200 - tint].repeat(400);
            ImageHash::of_picture(&Picture::new(Size::new(20, 20), Size::new(20, 20), rgb).expect("fits"))
        };
        assert!(tinted(0).colour_apart(&tinted(60)) > 2.0);
        assert!(tinted(0).colour_apart(&tinted(4)) < 1.0);
    }

    #[test]
    fn prints_survive_text() {
        let print = ImageHash::of_region(
            &picture(400, 300, wall(1.0)),
            PixelBox::new(100.0, 80.0, 220.0, 400.0).expect("a box"),
        );
        assert_eq!(print.to_string().parse(), Ok(print));
        assert!("".parse::<ImageHash>().is_err() && "00".repeat(79).parse::<ImageHash>().is_err());
    }

    #[test]
    fn tiny_and_odd_pictures_are_no_trouble() {
        for (width, height) in [(1, 1), (3, 2), (1, 500)] {
            let picture = picture(width, height, |_, _| 90.0);
            let corner = PixelBox::new(0.0, 0.0, 1.0, 1.0).expect("a box");
            let beyond = PixelBox::new(900.0, 900.0, 9000.0, 9000.0).expect("a box");
            for area in [corner, beyond] {
                assert_eq!(ImageHash::of_region(&picture, area).bits().structure(), 0);
            }
        }
    }
}
