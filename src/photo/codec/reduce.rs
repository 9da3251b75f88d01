//! Lines of pixels to a reduced and turned picture, without the full one in between.

use super::Raster;
use crate::domain::geometry::{Orientation, Size, Stored};
use crate::photo::turn::Steps;

/// Reduced lines that are turned at once, so that a quarter turn writes runs and not single pixels.
const STRIP: usize = 32;

/// Takes the lines of a picture from top to bottom.
pub(super) struct Reducer {
    reduction: usize,
    /// Width of a full line, in pixels.
    width: usize,
    /// Width and height reduced, before turning.
    reduced: (usize, usize),
    /// Sums of the channels of the lines since the last reduced one, and how many lines.
    sums: Vec<u32>,
    summed: u32,
    /// Reduced lines that are not yet turned, and the line of the first.
    strip: Vec<u8>,
    first: usize,
    steps: Steps,
    turned: (u32, u32),
    rgb: Vec<u8>,
}

impl Reducer {
    /// For a picture of `size`, its sides reduced to one `reduction`th, rounded up, then turned by `orientation`.
    pub(super) fn new((width, height): (u32, u32), reduction: u32, orientation: Orientation) -> Self {
        let reduced = Size::<Stored>::new(width.div_ceil(reduction), height.div_ceil(reduction));
        let turned = orientation.upright(reduced);
        let (across, down) = (reduced.width as usize, reduced.height as usize);
        Self {
            reduction: reduction as usize,
            width: width as usize,
            reduced: (across, down),
            sums: vec![0; if reduction > 1 { across * 3 } else { 0 }],
            summed: 0,
            strip: Vec::with_capacity(across * 3 * STRIP),
            first: 0,
            steps: Steps::to_upright(across, down, orientation),
            turned: (turned.width, turned.height),
            rgb: vec![0; across * down * 3],
        }
    }

    /// The next line.
    pub(super) fn push(&mut self, line: &[u8]) {
        debug_assert_eq!(line.len(), self.width * 3);
        if self.reduction == 1 {
            self.strip.extend_from_slice(line);
        } else {
            for (sums, block) in self.sums.chunks_exact_mut(3).zip(line.chunks(self.reduction * 3)) {
                for pixel in block.chunks_exact(3) {
                    for (sum, value) in sums.iter_mut().zip(pixel) {
                        *sum += u32::from(*value);
                    }
                }
            }
            self.summed += 1;
            if self.summed as usize == self.reduction {
                self.average();
            }
        }
        if self.strip.len() >= self.reduced.0 * 3 * STRIP {
            self.turn();
        }
    }

    fn average(&mut self) {
        for (index, sums) in self.sums.chunks_exact_mut(3).enumerate() {
            let columns = self.reduction.min(self.width - index * self.reduction) as u32;
            let count = columns * self.summed;
            self.strip.extend(sums.iter().map(|sum| ((sum + count / 2) / count) as u8));
            sums.fill(0);
        }
        self.summed = 0;
    }

    fn turn(&mut self) {
        let line = self.reduced.0 * 3;
        let lines = self.strip.len() / line;
        if self.steps.is_straight() {
            let start = self.first * line;
            self.rgb[start..start + self.strip.len()].copy_from_slice(&self.strip);
        } else {
            for x in 0..self.reduced.0 {
                for y in 0..lines {
                    let (from, to) = (y * line + x * 3, self.steps.at(x, self.first + y) * 3);
                    self.rgb[to..to + 3].copy_from_slice(&self.strip[from..from + 3]);
                }
            }
        }
        self.first += lines;
        self.strip.clear();
    }

    /// The picture.
    pub(super) fn finish(mut self) -> Raster {
        if self.summed > 0 {
            self.average();
        }
        if !self.strip.is_empty() {
            self.turn();
        }
        Raster { width: self.turned.0, height: self.turned.1, rgb: self.rgb }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::photo::{sample, turn};

    #[test]
    fn reducing_and_turning_on_the_way_is_reducing_and_then_turning() {
        let (width, height) = (50_u32, 71_u32);
        let rgb = sample::scene(width, height);
        for reduction in [1, 2, 4, 8] {
            let run = |orientation| {
                let mut reducer = Reducer::new((width, height), reduction, orientation);
                rgb.chunks_exact(width as usize * 3).for_each(|line| reducer.push(line));
                reducer.finish()
            };
            let small = run(Orientation::Normal);
            assert_eq!((small.width, small.height), (width.div_ceil(reduction), height.div_ceil(reduction)));
            if reduction == 1 {
                assert_eq!(small.rgb, rgb);
            }
            let (x, y, size) = (small.width - 1, small.height - 1, reduction as usize);
            let block = |x: u32| (x * reduction) as usize..((x + 1) * reduction).min(width) as usize;
            let rows = y as usize * size..height as usize;
            let values: Vec<u32> = rows
                .flat_map(|row| block(x).map(move |column| (row * width as usize + column) * 3))
                .map(|at| rgb[at].into())
                .collect();
            let mean = f64::from(values.iter().sum::<u32>()) / values.len() as f64;
            let last = small.rgb[small.rgb.len() - 3];
            assert!((f64::from(last) - mean).abs() <= 0.5, "{reduction}: {last} {mean}");
            for orientation in Orientation::ALL {
                let expected = turn::upright(small.rgb.clone(), small.width, small.height, orientation);
                let turned = run(orientation);
                assert!((turned.rgb, turned.width, turned.height) == expected, "{reduction} {orientation:?}");
            }
        }
    }
}
