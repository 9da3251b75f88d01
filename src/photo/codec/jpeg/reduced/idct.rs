//! The inverse DCT of the lowest coefficients of a block, to as many pixels: Dugad and Ahuja, "A fast scheme for image
//! size change in the compressed domain" (2001).

use super::block::Low;

/// What the sums are too large by: 8, the transform's scale.
const SCALE: u32 = 3;
/// A sample is coded as its distance from this (ITU-T T.81, A.3.1).
const MIDDLE: i32 = 128;

/// Writes `SIDE` × `SIDE` (one or two) pixels into `out`, whose rows are `stride` apart.
#[inline]
pub(super) fn write<const SIDE: usize>(low: &Low, out: &mut [u8], stride: usize) {
    if SIDE == 1 {
        out[0] = clamp(low[0].wrapping_add(MIDDLE << SCALE) / (1 << SCALE));
    } else {
        let [[a, b], [c, d]] = two(low);
        out[..2].copy_from_slice(&[a, b]);
        out[stride..stride + 2].copy_from_slice(&[c, d]);
    }
}

#[inline]
fn two([mean, across, down, both]: &Low) -> [[u8; 2]; 2] {
    let rounded = mean.wrapping_add((1 << (SCALE - 1)) + (MIDDLE << SCALE));
    let row = |left: i32, right: i32| {
        [clamp(left.wrapping_add(right) >> SCALE), clamp(left.wrapping_sub(right) >> SCALE)]
    };
    [
        row(rounded.wrapping_add(*down), across.wrapping_add(*both)),
        row(rounded.wrapping_sub(*down), across.wrapping_sub(*both)),
    ]
}

#[inline]
fn clamp(value: i32) -> u8 {
    value.clamp(0, 255) as u8
}
