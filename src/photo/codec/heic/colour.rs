//! Coded samples to RGB (ITU-T H.273, 8.3).

use heifer_hevc_dec::params::Vui;

use super::hevc::Picture;
use crate::photo::Error;

/// What a file says of its samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Colours {
    primaries: u16,
    matrix: u16,
    full_range: bool,
}

impl Colours {
    /// Where nothing is said: full range, BT.601 (ISO/IEC 23000-22, 7.3.6.4).
    const UNSAID: Self = Self { primaries: 1, matrix: 6, full_range: true };

    /// Those of the container, else those of the stream.
    pub(super) fn of(container: Option<(u16, u16, bool)>, stream: Option<&Vui>) -> Self {
        if let Some((primaries, matrix, full_range)) = container {
            return Self { primaries, matrix, full_range };
        }
        stream.map_or(Self::UNSAID, |vui| Self {
            primaries: vui.colour_primaries.into(),
            matrix: vui.matrix_coeffs.into(),
            full_range: vui.video_full_range_flag,
        })
    }

    /// The shares of red and blue in luma (H.273, tables 2 and 4); BT.601 where unspecified.
    fn shares(self) -> (f64, f64) {
        match (self.matrix, self.primaries) {
            (1, _) | (12 | 13, 1) => (0.2126, 0.0722),
            (4, _) => (0.30, 0.11),
            (7, _) | (12 | 13, 6 | 7) => (0.2124, 0.0866),
            (9 | 10, _) | (12 | 13, 9) => (0.2627, 0.0593),
            (12 | 13, 5) => (0.2220, 0.0713),
            (12 | 13, 11) => (0.2095, 0.0689),
            (12 | 13, 12) => (0.2290, 0.0793),
            _ => (0.299, 0.114),
        }
    }

    /// The red, green and blue of one unit of luma, Cb and Cr.
    fn matrix(self) -> Result<[[f64; 3]; 3], Error> {
        match self.matrix {
            0 => Ok([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]),
            8 => Ok([[1.0, -1.0, 1.0], [1.0, 1.0, 0.0], [1.0, -1.0, -1.0]]),
            11 | 14 => Err(Error::unsupported(
                "a HEIC photo in colours of video for broadcast (H.273 matrix 11 or 14)",
            )),
            _ => {
                let (red, blue) = self.shares();
                let green = 1.0 - red - blue;
                let (r, b) = (2.0 * (1.0 - red), 2.0 * (1.0 - blue));
                Ok([[1.0, 0.0, r], [1.0, -b * blue / green, -r * red / green], [1.0, b, 0.0]])
            }
        }
    }
}

/// Fractional bits of the fixed-point arithmetic. Sums stay below 1,400 · 2²⁰.
const FRACTION: u32 = 20;

/// From samples of a certain depth to 8-bit RGB.
#[derive(Debug)]
pub(super) struct Converter {
    /// The red, green and blue of one step of luma, Cb and Cr.
    factors: [[i32; 3]; 3],
    /// Their sum where every sample is 0, with half a step for rounding.
    base: [i32; 3],
}

impl Converter {
    pub(super) fn new(colours: Colours, picture: &Picture) -> Result<Self, Error> {
        let grey = picture.is_grey();
        // Grey samples are taken as they are, whatever range is declared, as libheif does.
        let full_range = colours.full_range || grey;
        let matrix = if grey { [[1.0, 0.0, 0.0]; 3] } else { colours.matrix()? };
        let [luma_depth, chroma_depth] = picture.depth();
        let (luma_zero, luma_span, chroma_span) =
            if full_range { (0.0, 255.0, 255.0) } else { (16.0, 219.0, 224.0) };
        // H.273: video levels are those of 8 bits, shifted; the full range ends at the last code.
        let steps = |depth: u8, span: f64| {
            let depth = i32::from(depth);
            if full_range { 2.0_f64.powi(depth) - 1.0 } else { span * 2.0_f64.powi(depth - 8) }
        };
        let luma_zero = luma_zero * 2.0_f64.powi(i32::from(luma_depth) - 8);
        let mut steps = [
            steps(luma_depth, luma_span),
            steps(chroma_depth, chroma_span),
            steps(chroma_depth, chroma_span),
        ];
        let middle = 2.0_f64.powi(i32::from(chroma_depth) - 1);
        let mut zero = [luma_zero, middle, middle];
        if colours.matrix == 0 && !grey {
            (steps, zero) = ([steps[0]; 3], [zero[0]; 3]);
        }
        let one = f64::from(1_u32 << FRACTION) * 255.0;
        let factors = matrix.map(|row| [0, 1, 2].map(|plane| row[plane] / steps[plane] * one));
        let base =
            factors.map(|row| 0.5 * one / 255.0 - (0..3).map(|plane| row[plane] * zero[plane]).sum::<f64>());
        Ok(Self {
            factors: factors.map(|row| row.map(|factor| factor.round() as i32)),
            base: base.map(|value| value.round() as i32),
        })
    }

    /// Line `y` of `picture` into `rgb`, as many pixels as that holds.
    pub(super) fn line(&self, picture: &Picture, y: u32, rgb: &mut [u8]) {
        let luma = picture.line(0, y);
        let pixels = rgb.chunks_exact_mut(3).zip(luma);
        if picture.is_grey() {
            let (factor, base) = (self.factors[0][0], self.base[0]);
            for (pixel, &luma) in pixels {
                pixel.fill(byte(base + factor * i32::from(luma)));
            }
            return;
        }
        let (blue, red) = (picture.line(1, y), picture.line(2, y));
        let shift = picture.chroma_shift();
        for (x, (pixel, &luma)) in pixels.enumerate() {
            let samples = [luma, blue[x >> shift], red[x >> shift]].map(i32::from);
            for (channel, (factors, base)) in pixel.iter_mut().zip(self.factors.iter().zip(self.base)) {
                *channel =
                    byte(base + factors[0] * samples[0] + factors[1] * samples[1] + factors[2] * samples[2]);
            }
        }
    }
}

fn byte(value: i32) -> u8 {
    (value >> FRACTION).clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_container_says_goes_first_and_silence_means_full_range() {
        let stream = Vui {
            video_full_range_flag: false,
            colour_primaries: 9,
            transfer_characteristics: 14,
            matrix_coeffs: 9,
        };
        let said = |primaries, matrix, full_range| Colours { primaries, matrix, full_range };
        assert_eq!(Colours::of(Some((12, 6, true)), Some(&stream)), said(12, 6, true));
        assert_eq!(Colours::of(None, Some(&stream)), said(9, 9, false));
        // Here libheif 1.15 to 1.23 takes video levels, as H.265 has it; MIAF has the full range.
        assert_eq!(Colours::of(None, None), said(1, 6, true));
    }

    #[test]
    fn colours_of_broadcasting_are_refused() {
        for matrix in [11, 14] {
            let error = Colours { primaries: 9, matrix, full_range: false }.matrix().expect_err("refused");
            assert_eq!(error.code(), "unsupported");
        }
    }
}
