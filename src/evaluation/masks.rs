//! Masks to cells of a score map.

use crate::domain::geometry::{Size, Working};
use crate::domain::picture::Picture;

/// A cell counts as true from this share of it under the mask on.
const COVERED: f64 = 0.02;

/// How far each channel of a colour may lie from the one that the class has.
const COLOUR_REACH: u8 = 32;

/// Where the cells of a view lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lattice {
    pub(super) columns: usize,
    pub(super) rows: usize,
    /// Pixels of the view across one cell.
    pub(super) stride: u32,
    /// The view, whose edges are the photo's.
    pub(super) view: Size<Working>,
}

impl Lattice {
    /// The cells over a view, partly covered ones included.
    pub(super) fn over(view: Size<Working>, stride: u32) -> Self {
        let cells = |side: u32| side.div_ceil(stride).max(1) as usize;
        Self { columns: cells(view.width), rows: cells(view.height), stride, view }
    }
}

/// The cells of which `mask` covers enough, row by row. Without a `colour` whatever has a channel over
/// 127 is masked.
pub(super) fn cells(mask: &Picture, colour: Option<[u8; 3]>, lattice: Lattice) -> Vec<bool> {
    let sums = Sums::of(mask, |pixel| match colour {
        None => pixel.iter().any(|&channel| channel > 127),
        Some(colour) => pixel.iter().zip(colour).all(|(channel, own)| channel.abs_diff(own) <= COLOUR_REACH),
    });
    let size = mask.size();
    let side = |mask: u32, view: u32| f64::from(lattice.stride) * f64::from(mask) / f64::from(view.max(1));
    let (width, height) = (side(size.width, lattice.view.width), side(size.height, lattice.view.height));
    let covered = |at: usize| {
        let (x, y) = ((at % lattice.columns) as f64 * width, (at / lattice.columns) as f64 * height);
        sums.inside([x, y, x + width, y + height]) / (width * height)
    };
    (0..lattice.columns * lattice.rows).map(|at| covered(at) > COVERED).collect()
}

/// How many pixels are masked above and to the left of each corner of the pixels.
struct Sums {
    width: usize,
    height: usize,
    /// `(width + 1) × (height + 1)`, row by row.
    corners: Vec<u32>,
}

impl Sums {
    fn of(mask: &Picture, masked: impl Fn(&[u8]) -> bool) -> Self {
        let (width, height) = (mask.size().width as usize, mask.size().height as usize);
        let mut corners = vec![0_u32; (width + 1) * (height + 1)];
        for (y, row) in mask.rgb().chunks_exact(width.max(1) * 3).enumerate() {
            let mut so_far = 0;
            for (x, pixel) in row.chunks_exact(3).enumerate() {
                so_far += u32::from(masked(pixel));
                corners[(y + 1) * (width + 1) + x + 1] = corners[y * (width + 1) + x + 1] + so_far;
            }
        }
        Self { width, height, corners }
    }

    /// Masked area in the rectangle `[x0, y0, x1, y1]`, which may cut pixels and leave the mask.
    fn inside(&self, [x0, y0, x1, y1]: [f64; 4]) -> f64 {
        self.before(x1, y1) + self.before(x0, y0) - self.before(x0, y1) - self.before(x1, y0)
    }

    /// Masked area above and to the left of a point: inside a pixel it grows evenly, so the corners
    /// around the point tell it exactly.
    fn before(&self, x: f64, y: f64) -> f64 {
        let (x, y) = (x.clamp(0.0, self.width as f64), y.clamp(0.0, self.height as f64));
        let (left, top) = (x as usize, y as usize);
        let (right, bottom) = ((left + 1).min(self.width), (top + 1).min(self.height));
        let (along, down) = (x - left as f64, y - top as f64);
        let at = |x: usize, y: usize| f64::from(self.corners[y * (self.width + 1) + x]);
        let upper = at(left, top) * (1.0 - along) + at(right, top) * along;
        let lower = at(left, bottom) * (1.0 - along) + at(right, bottom) * along;
        upper * (1.0 - down) + lower * down
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mask(width: u32, height: u32, colour: impl Fn(u32, u32) -> [u8; 3]) -> Picture {
        let rgb = (0..height).flat_map(|y| (0..width).flat_map(move |x| [x, y]).collect::<Vec<_>>());
        let places: Vec<u32> = rgb.collect();
        let rgb = places.chunks(2).flat_map(|place| colour(place[0], place[1])).collect();
        Picture::new(Size::new(width, height), Size::new(width, height), rgb).expect("sized")
    }

    fn lattice(columns: usize, rows: usize, view: (u32, u32)) -> Lattice {
        Lattice { columns, rows, stride: 16, view: Size::new(view.0, view.1) }
    }

    #[test]
    fn a_mask_of_another_size_than_the_view_falls_on_its_cells() {
        // Half the view's size: a cell is 8 pixels. The upper right cell is full, the lower left has 1 of 64.
        let half = mask(16, 16, |x, y| if x >= 8 && y < 8 || (x, y) == (0, 15) { [255; 3] } else { [0; 3] });
        assert_eq!(cells(&half, None, lattice(2, 2, (32, 32))), [false, true, false, false]);
        // A line of one pixel covers 1 of 8: enough.
        let line = mask(16, 16, |_, y| if y == 3 { [0, 200, 0] } else { [0; 3] });
        assert_eq!(cells(&line, None, lattice(2, 2, (32, 32))), [true, true, false, false]);
        assert_eq!(cells(&line, Some([0, 210, 10]), lattice(2, 2, (32, 32))), [true, true, false, false]);
        assert_eq!(cells(&line, Some([255, 0, 0]), lattice(2, 2, (32, 32))), [false; 4]);
    }

    proptest! {
        #[test]
        fn areas_add_up(cut_x in 0.0_f64..13.0, cut_y in 0.0_f64..9.0, seed in any::<u32>()) {
            let noise = |x: u32, y: u32| if (seed ^ (x * 31 + y * 7)).wrapping_mul(2_654_435_761) >> 31 == 1 { [255; 3] } else { [0; 3] };
            let noise = mask(13, 9, noise);
            let sums = Sums::of(&noise, |pixel| pixel[0] > 127);
            let all = f64::from(noise.rgb().chunks(3).filter(|pixel| pixel[0] > 127).count() as u32);
            let parts = [
                [0.0, 0.0, cut_x, cut_y], [cut_x, 0.0, 99.0, cut_y], [0.0, cut_y, cut_x, 99.0], [cut_x, cut_y, 99.0, 99.0],
            ];
            prop_assert!((sums.inside([-5.0, -5.0, 99.0, 99.0]) - all).abs() < 1e-9);
            prop_assert!((parts.map(|part| sums.inside(part)).iter().sum::<f64>() - all).abs() < 1e-9);
        }
    }
}
