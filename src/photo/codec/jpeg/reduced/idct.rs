//! The inverse DCT of the lowest coefficients of a block, to as many pixels: Dugad and Ahuja, "A fast scheme for image
//! size change in the compressed domain" (2001), in the fixed point of `rusty_jpeg`.

use super::block::Low;

/// Fractional bits of the constants.
const CONSTANT: u32 = 12;
/// Fractional bits kept between columns and rows.
const BETWEEN: u32 = 2;
/// What the sums are too large by: the constants', and 8 of the transform's scale.
const LAST: u32 = CONSTANT + BETWEEN + 3;

/// cos(3π/8) · √2, and the sums and differences with cos(π/8) · √2 that the rotation takes, times 2^12.
const C: [i32; 3] = [2217, -7567, 3135];

/// Writes `SIDE` × `SIDE` pixels into `out`, whose rows are `stride` apart.
#[inline]
pub(super) fn write<const SIDE: usize>(low: &Low, out: &mut [u8], stride: usize) {
    match SIDE {
        1 => out[0] = clamp(low[0].wrapping_add(128 * 8) / 8),
        2 => {
            let [[a, b], [c, d]] = two(low);
            out[..2].copy_from_slice(&[a, b]);
            out[stride..stride + 2].copy_from_slice(&[c, d]);
        }
        _ => {
            for (row, line) in four(low).iter().zip(out.chunks_mut(stride)) {
                line[..4].copy_from_slice(row);
            }
        }
    }
}

fn two(low: &Low) -> [[u8; 2]; 2] {
    let left = [low[0].wrapping_add(low[4]), low[0].wrapping_sub(low[4])];
    let right = [low[1].wrapping_add(low[5]), low[1].wrapping_sub(low[5])];
    let row = |y: usize| {
        let middle = left[y].wrapping_add(4 + (128 << 3));
        [clamp(middle.wrapping_add(right[y]) >> 3), clamp(middle.wrapping_sub(right[y]) >> 3)]
    };
    [row(0), row(1)]
}

fn four(low: &Low) -> [[u8; 4]; 4] {
    let mut columns = [[0; 4]; 4];
    for x in 0..4 {
        let column = [low[x], low[4 + x], low[8 + x], low[12 + x]];
        let (even, odd) = halves(column);
        let odd = odd.map(|value| value.wrapping_add(512) >> (CONSTANT - BETWEEN));
        for (y, value) in butterfly(even.map(|value| value << BETWEEN), odd).into_iter().enumerate() {
            columns[y][x] = value;
        }
    }
    columns.map(|row| {
        let (even, odd) = halves(row);
        let rounded = even.map(|value| (value << CONSTANT).wrapping_add((1 << (LAST - 1)) + (128 << LAST)));
        butterfly(rounded, odd).map(|value| clamp(value >> LAST))
    })
}

/// The even part (unscaled) and the odd part (scaled by 2^12) of four coefficients.
fn halves([a, b, c, d]: [i32; 4]) -> ([i32; 2], [i32; 2]) {
    let both = b.wrapping_add(d).wrapping_mul(C[0]);
    let inner = both.wrapping_add(d.wrapping_mul(C[1]));
    let outer = both.wrapping_add(b.wrapping_mul(C[2]));
    ([a.wrapping_add(c), a.wrapping_sub(c)], [outer, inner])
}

fn butterfly([outer, inner]: [i32; 2], [far, near]: [i32; 2]) -> [i32; 4] {
    [outer.wrapping_add(far), inner.wrapping_add(near), inner.wrapping_sub(near), outer.wrapping_sub(far)]
}

fn clamp(value: i32) -> u8 {
    value.clamp(0, 255) as u8
}
