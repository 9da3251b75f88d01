//! Planes to RGB: chroma by libjpeg's triangle filter, colour by ITU-R BT.601, rounded as `rusty_jpeg` does.

use super::planes::{Plane, Planes};

/// Fractional bits of the colour weights.
const BITS: i32 = 20;
/// Weights of red by Cr, green by Cb, green by Cr and blue by Cb: 1.402, 0.34414, 0.71414, 1.772.
const WEIGHTS: [i32; 4] = [1_470_104, 360_857, 748_830, 1_858_077];

/// The picture's `width` × `height` pixels, whatever lies beyond them in the planes left out.
pub(super) fn rgb(planes: &Planes, width: usize, height: usize) -> Vec<u8> {
    let [luma, blue, red] = &planes.each;
    let (across, down) = planes.luma;
    let size = (width.div_ceil(across), height.div_ceil(down));
    let mut rgb = vec![0; width * height * 3];
    let mut lines = [Line::new(width + 1), Line::new(width + 1)];
    for (y, out) in rgb.chunks_exact_mut(width * 3).enumerate() {
        for (line, plane) in lines.iter_mut().zip([blue, red]) {
            line.take(plane, planes.luma, size, y);
        }
        let [blue, red] = &lines;
        let start = y * luma.stride;
        convert(&luma.samples[start..start + width], &blue.samples, &red.samples, out);
    }
    rgb
}

/// A row of chroma at the picture's size, and room to make it.
struct Line {
    samples: Vec<u8>,
    sums: Vec<u16>,
}

impl Line {
    fn new(width: usize) -> Self {
        Self { samples: vec![0; width], sums: Vec::with_capacity(width) }
    }

    /// Takes row `y` of the picture from a plane of which the first `size` samples belong to it.
    fn take(&mut self, plane: &Plane, luma: (usize, usize), size: (usize, usize), y: usize) {
        let row = |y: usize| &plane.samples[y * plane.stride..][..size.0];
        // A picture a pixel wide or high has nothing to smooth.
        let rows = if luma.1 == 1 { (row(y), row(y)) } else { near_and_far(y, size.1, row) };
        self.sums.clear();
        self.sums.extend(rows.0.iter().zip(rows.1).map(|(&near, &far)| 3 * u16::from(near) + u16::from(far)));
        match luma {
            (1, 1) => self.samples[..size.0].copy_from_slice(rows.0),
            (1, _) => {
                for (sample, sum) in self.samples.iter_mut().zip(&self.sums) {
                    *sample = ((sum + 2) >> 2) as u8;
                }
            }
            (_, 1) => widen(rows.0.iter().map(|&sample| sample.into()), 2, &mut self.samples),
            _ => widen(self.sums.iter().copied(), 4, &mut self.samples),
        }
    }
}

/// The row of samples that row `y` of twice as many lies in, and the other one that it is near.
fn near_and_far<'a>(y: usize, height: usize, row: impl Fn(usize) -> &'a [u8]) -> (&'a [u8], &'a [u8]) {
    let near = y / 2;
    let far = if y % 2 == 1 { near + 1 } else { near.saturating_sub(1) };
    (row(near), row(far.min(height - 1)))
}

/// Twice as many samples: three quarters of the nearer and a quarter of the farther, less `bits` bits.
fn widen(sums: impl ExactSizeIterator<Item = u16> + Clone, bits: u32, out: &mut [u8]) {
    let last = sums.len() - 1;
    let ends = |sum: u16| if bits == 2 { sum as u8 } else { ((sum + 2) >> 2) as u8 };
    let half = 1 << (bits - 1);
    let pairs = sums.clone().zip(sums.clone().skip(1));
    let mut sums = sums;
    if let Some(first) = sums.next() {
        out[0] = ends(first);
        let end = sums.last().unwrap_or(first);
        if let Some(place) = out.get_mut(2 * last + 1) {
            *place = ends(end);
        }
    }
    for (two, (left, right)) in out[1..].chunks_exact_mut(2).zip(pairs) {
        two[0] = ((3 * left + right + half) >> bits) as u8;
        two[1] = ((3 * right + left + half) >> bits) as u8;
    }
}

fn convert(luma: &[u8], blue: &[u8], red: &[u8], out: &mut [u8]) {
    for (((pixel, &y), &cb), &cr) in out.as_chunks_mut::<3>().0.iter_mut().zip(luma).zip(blue).zip(red) {
        let y = (i32::from(y) << BITS) + (1 << (BITS - 1));
        let (cb, cr) = (i32::from(cb) - 128, i32::from(cr) - 128);
        let [red, green_by_blue, green_by_red, blue] = WEIGHTS;
        *pixel =
            [round(y + red * cr), round(y - green_by_blue * cb - green_by_red * cr), round(y + blue * cb)];
    }
}

#[inline]
fn round(value: i32) -> u8 {
    (value >> BITS).clamp(0, 255) as u8
}
