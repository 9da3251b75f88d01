//! Planes to RGB: chroma by libjpeg's triangle filter, colour by ITU-R BT.601, rounded once.

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
    fn take(&mut self, plane: &Plane, (across, down): (usize, usize), size: (usize, usize), y: usize) {
        let row = |y: usize| &plane.samples[y * plane.stride..][..size.0];
        self.sums.clear();
        let bits = if down == 1 {
            self.sums.extend(row(y).iter().map(|&sample| u16::from(sample)));
            0
        } else {
            let (near, far) = near_and_far(y, size.1);
            let pairs = row(near).iter().zip(row(far));
            self.sums.extend(pairs.map(|(&near, &far)| 3 * u16::from(near) + u16::from(far)));
            2
        };
        if across == 1 {
            for (sample, &sum) in self.samples.iter_mut().zip(&self.sums) {
                *sample = less(sum, bits);
            }
        } else {
            widen(&self.sums, bits, &mut self.samples);
        }
    }
}

/// The row of samples that row `y` of twice as many lies in, and the other one that it is near.
fn near_and_far(y: usize, height: usize) -> (usize, usize) {
    let near = y / 2;
    let far = if y % 2 == 1 { near + 1 } else { near.saturating_sub(1) };
    (near, far.min(height - 1))
}

/// Twice as many samples of sums that are too large by `bits` bits: three quarters of the nearer, a quarter of the farther.
fn widen(sums: &[u16], bits: u32, out: &mut [u8]) {
    if let (Some(&first), Some(&last)) = (sums.first(), sums.last()) {
        out[0] = less(first, bits);
        if let Some(end) = out.get_mut(2 * sums.len() - 1) {
            *end = less(last, bits);
        }
    }
    for (two, pair) in out[1..].as_chunks_mut::<2>().0.iter_mut().zip(sums.windows(2)) {
        *two = [less(3 * pair[0] + pair[1], bits + 2), less(3 * pair[1] + pair[0], bits + 2)];
    }
}

/// The sum without its last `bits` bits, rounded.
#[inline]
fn less(sum: u16, bits: u32) -> u8 {
    ((sum + ((1 << bits) >> 1)) >> bits) as u8
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
