//! Applying an EXIF orientation to pixels.

use crate::domain::geometry::Orientation;

/// Turns `rgb` of `width` by `height` upright; gives the new size too.
pub(super) fn upright(
    rgb: Vec<u8>,
    width: u32,
    height: u32,
    orientation: Orientation,
) -> (Vec<u8>, u32, u32) {
    if orientation == Orientation::Normal {
        return (rgb, width, height);
    }
    let (w, h) = (width as usize, height as usize);
    let (out_w, out_h) = if orientation.swaps_sides() { (h, w) } else { (w, h) };
    // The stored index of the upright pixel (x, y) is start + x * right + y * down.
    let (row, rows) = (w.cast_signed(), h.cast_signed());
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
    let mut out = Vec::with_capacity(rgb.len());
    for y in 0..out_h.cast_signed() {
        for x in 0..out_w.cast_signed() {
            let at = (start + x * right + y * down).cast_unsigned() * 3;
            out.extend_from_slice(&rgb[at..at + 3]);
        }
    }
    (out, out_w as u32, out_h as u32)
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
