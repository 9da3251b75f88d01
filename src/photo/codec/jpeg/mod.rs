//! JPEG, reduced while it is decoded: the inverse DCT of 4, 2 or 1 instead of 8 samples a side
//! skips most of the arithmetic, and what no pixel needs is read past instead of decoded.

mod bits;
mod headers;
mod huffman;
mod reduced;
mod repair;
mod rusty;
mod standard;

use headers::Headers;

use super::Raster;
use crate::domain::geometry::{Size, Stored};
use crate::domain::picture::CutOff;
use crate::photo::Error;

/// What decodes JPEG.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JpegLibrary {
    /// Our own decoder for what phones write, where pixels are wanted reduced; the next one for all else.
    Reduced,
    /// `rusty_jpeg`, pure Rust.
    RustyJpeg,
}

impl JpegLibrary {
    /// Every one of this build, the one in use first.
    pub const ALL: &[Self] = &[Self::Reduced, Self::RustyJpeg];

    /// The one in use.
    pub const fn in_use() -> Self {
        Self::ALL[0]
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reduced => "reduced",
            Self::RustyJpeg => "rusty_jpeg",
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

/// A picture is looked at when at least this many of ten rows are there.
const ENOUGH_OF_TEN: u32 = 9;

/// Decodes `bytes` at one `reduction`th of `stored`, rounded up, and says what is missing of the picture.
///
/// What is damaged or odd is read as browsers read it, see [`repair`].
pub(in crate::photo) fn decode(
    library: JpegLibrary,
    bytes: &[u8],
    stored: Size<Stored>,
    reduction: u32,
) -> Result<(Raster, Option<CutOff>), Error> {
    let headers = Headers::read(bytes)?;
    if let Some(raster) = plain(library, bytes, &headers, stored, reduction) {
        return Ok((raster, None));
    }
    let repair::Repaired { bytes, rows, whole } = repair::repair(headers)?;
    let cut_off = (!whole).then_some(CutOff { rows, of: stored.height });
    if u64::from(rows) * 10 < u64::from(stored.height) * u64::from(ENOUGH_OF_TEN) {
        let of = stored.height;
        return Err(Error::broken(format!("only {rows} of its {of} rows of pixels are there")));
    }
    let headers = Headers::read(&bytes)?;
    let raster = match library {
        JpegLibrary::Reduced => reduced::decode(&headers, stored, reduction),
        JpegLibrary::RustyJpeg => None,
    };
    match raster {
        Some(raster) => Ok((raster, cut_off)),
        None => Ok((rusty::decode(&bytes, headers.colour(), stored, reduction)?, cut_off)),
    }
}

/// Decodes a file as phones write it, of which nothing is missing; none if it is not one.
fn plain(
    library: JpegLibrary,
    bytes: &[u8],
    headers: &Headers,
    stored: Size<Stored>,
    reduction: u32,
) -> Option<Raster> {
    if library == JpegLibrary::Reduced
        && let Some(raster) = reduced::decode(headers, stored, reduction)
    {
        return Some(raster);
    }
    // The library does not say when a scan ends early.
    let whole = reduced::is_whole(headers);
    whole.then(|| rusty::decode(bytes, headers.colour(), stored, reduction).ok()).flatten()
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
