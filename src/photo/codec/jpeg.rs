//! JPEG, reduced while it is decoded: the inverse DCT of 4, 2 or 1 instead of 8 samples a side
//! skips most of the arithmetic, and what no pixel needs is read past instead of decoded.

mod reduced;
mod rusty;
#[cfg(feature = "libjpeg-turbo")]
mod turbo;

use super::Raster;
use crate::domain::geometry::{Size, Stored};
use crate::photo::Error;

/// What decodes JPEG.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JpegLibrary {
    /// Our own decoder for what phones write, where pixels are wanted reduced; the next one for all else.
    Reduced,
    /// `rusty_jpeg`, pure Rust.
    RustyJpeg,
    /// libjpeg-turbo, which takes cmake and nasm to build.
    #[cfg(feature = "libjpeg-turbo")]
    LibjpegTurbo,
}

impl JpegLibrary {
    /// Every one of this build, the one in use first.
    pub const ALL: &[Self] = &[
        Self::Reduced,
        #[cfg(feature = "libjpeg-turbo")]
        Self::LibjpegTurbo,
        Self::RustyJpeg,
    ];

    /// The one in use.
    pub const fn in_use() -> Self {
        Self::ALL[0]
    }

    /// What decodes files that our own decoder leaves.
    const fn of_the_rest() -> Self {
        Self::ALL[1]
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reduced => "reduced",
            Self::RustyJpeg => "rusty_jpeg",
            #[cfg(feature = "libjpeg-turbo")]
            Self::LibjpegTurbo => "libjpeg-turbo",
        }
    }
}

/// The reductions that the inverse DCT offers, strongest first.
const REDUCTIONS: [u32; 4] = [8, 4, 2, 1];

/// How much smaller than asked the longer side may come out, as a share. A quarter of the 3968 to 4080
/// pixels of usual phones is a little less than 1024; half of them would cost a quarter more time. The
/// numbers in the models' cards are measured with it.
const TOLERANCE: f64 = 0.035;

/// The strongest reduction that leaves the longer side about `long_side` pixels.
pub(in crate::photo) fn reduction(stored: Size<Stored>, long_side: Option<u32>) -> u32 {
    let Some(wanted) = long_side else { return 1 };
    let least = f64::from(wanted) * (1.0 - TOLERANCE);
    let enough = |reduction: &u32| f64::from(stored.long_side().div_ceil(*reduction)) >= least;
    REDUCTIONS.into_iter().find(enough).unwrap_or(1)
}

/// Decodes `bytes` at one `reduction`th of `stored`, rounded up.
pub(in crate::photo) fn decode(
    library: JpegLibrary,
    bytes: &[u8],
    stored: Size<Stored>,
    reduction: u32,
) -> Result<Raster, Error> {
    match library {
        JpegLibrary::Reduced => match reduced::decode(bytes, stored, reduction) {
            Some(raster) => Ok(raster),
            None => decode(JpegLibrary::of_the_rest(), bytes, stored, reduction),
        },
        JpegLibrary::RustyJpeg => rusty::decode(bytes, stored, reduction),
        #[cfg(feature = "libjpeg-turbo")]
        JpegLibrary::LibjpegTurbo => turbo::decode(bytes, stored, reduction),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_sufficient_reduction_is_chosen() {
        let table = [
            ((4032, 3024), Some(1024), 4),
            ((4096, 3072), Some(1024), 4),
            ((3968, 2976), Some(1024), 4),
            ((3900, 2925), Some(1024), 2),
            ((3024, 4032), Some(504), 8),
            ((800, 600), Some(1024), 1),
            ((4000, 3000), None, 1),
            ((1, 16000), Some(1024), 8),
        ];
        for ((width, height), long_side, expected) in table {
            assert_eq!(reduction(Size::new(width, height), long_side), expected, "{width}×{height}");
        }
    }
}
