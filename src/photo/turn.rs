//! Applying an EXIF orientation to pixels.

use crate::domain::geometry::Orientation;

/// Turns `rgb` of `width` by `height` upright; gives the new size too. Only a quarter turn needs a second copy.
pub(super) fn upright(
    mut rgb: Vec<u8>,
    width: u32,
    height: u32,
    orientation: Orientation,
) -> (Vec<u8>, u32, u32) {
    let line = width as usize * 3;
    match orientation {
        Orientation::Normal => {}
        Orientation::MirrorHorizontal => rgb.chunks_exact_mut(line).for_each(reverse),
        Orientation::Rotate180 => reverse(&mut rgb),
        Orientation::MirrorVertical => {
            let half = height as usize / 2 * line;
            let (upper, lower) = rgb.split_at_mut(half);
            for (upper, lower) in upper.chunks_exact_mut(line).zip(lower.rchunks_exact_mut(line)) {
                upper.swap_with_slice(lower);
            }
        }
        Orientation::Transpose | Orientation::Rotate90 | Orientation::Transverse | Orientation::Rotate270 => {
            return (quarter(&rgb, width, height, orientation), height, width);
        }
    }
    (rgb, width, height)
}

/// Brings pixels into the opposite order.
fn reverse(rgb: &mut [u8]) {
    rgb.reverse();
    rgb.chunks_exact_mut(3).for_each(<[u8]>::reverse);
}

fn quarter(rgb: &[u8], width: u32, height: u32, orientation: Orientation) -> Vec<u8> {
    let (width, height) = (width as usize, height as usize);
    let steps = Steps::to_stored(width, height, orientation);
    let mut out = Vec::with_capacity(rgb.len());
    for y in 0..width {
        for x in 0..height {
            let at = steps.at(x, y) * 3;
            out.extend_from_slice(&rgb[at..at + 3]);
        }
    }
    out
}

/// Where a pixel lies in the other of the stored and the upright picture: at `start + x * right + y * down`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Steps {
    start: isize,
    right: isize,
    down: isize,
}

impl Steps {
    /// From upright pixels to those of a stored picture of `width` by `height`.
    fn to_stored(width: usize, height: usize, orientation: Orientation) -> Self {
        let (row, rows) = (width.cast_signed(), height.cast_signed());
        let (last_x, last_row) = (row - 1, (rows - 1) * row);
        let (start, right, down) = match orientation {
            Orientation::Normal => (0, 1, row),
            Orientation::MirrorHorizontal => (last_x, -1, row),
            Orientation::Rotate180 => (last_row + last_x, -1, -row),
            Orientation::MirrorVertical => (last_row, 1, -row),
            Orientation::Transpose => (0, row, 1),
            Orientation::Rotate90 => (last_row, -row, 1),
            Orientation::Transverse => (last_row + last_x, -row, -1),
            Orientation::Rotate270 => (last_x, row, -1),
        };
        Self { start, right, down }
    }

    /// From pixels of a stored picture of `width` by `height` to upright ones.
    pub(super) fn to_upright(width: usize, height: usize, orientation: Orientation) -> Self {
        let back = match orientation {
            Orientation::Rotate90 => Orientation::Rotate270,
            Orientation::Rotate270 => Orientation::Rotate90,
            own => own,
        };
        let (width, height) = if orientation.swaps_sides() { (height, width) } else { (width, height) };
        Self::to_stored(width, height, back)
    }

    /// The index of the pixel that is (`x`, `y`) here.
    pub(super) fn at(self, x: usize, y: usize) -> usize {
        (self.start + x.cast_signed() * self.right + y.cast_signed() * self.down).cast_unsigned()
    }

    /// Whether pixels keep their order.
    pub(super) fn is_straight(self) -> bool {
        self.start == 0 && self.right == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Upright letters `ab/cd/ef` (2 wide, 3 high) as each orientation stores them.
    #[test]
    fn each_orientation_undoes_what_the_camera_did() {
        let stored = [
            (Orientation::Normal, 2, "abcdef"),
            (Orientation::MirrorHorizontal, 2, "badcfe"),
            (Orientation::Rotate180, 2, "fedcba"),
            (Orientation::MirrorVertical, 2, "efcdab"),
            (Orientation::Transpose, 3, "acebdf"),
            (Orientation::Rotate90, 3, "bdface"),
            (Orientation::Transverse, 3, "fdbeca"),
            (Orientation::Rotate270, 3, "ecafdb"),
        ];
        for (orientation, width, letters) in stored {
            let rgb: Vec<u8> = letters.bytes().flat_map(|letter| [letter; 3]).collect();
            let (turned, w, h) = upright(rgb, width, 6 / width, orientation);
            let turned: String = turned.iter().step_by(3).map(|&byte| char::from(byte)).collect();
            assert_eq!((turned.as_str(), w, h), ("abcdef", 2, 3), "{orientation:?}");
        }
    }
}
