#[path = "codec.rs"]
pub mod codec;
#[path = "../../../../src/photo/error.rs"]
mod error;
#[path = "../../../../src/photo/jpeg_header.rs"]
mod jpeg_header;
#[cfg(test)]
#[path = "../../../../src/photo/sample.rs"]
mod sample;

pub use codec::jpeg::JpegLibrary;
pub use error::Error;

use crate::geometry::Size;
use crate::picture::CutOff;

/// Most pixels of a file that is tried, so that time goes into many files instead of large ones.
const MOST_PIXELS: u64 = 1 << 20;
const MOST_SCANS: u32 = 20;

/// Width, height and pixels of `bytes`, and what is missing of them; none for a file that is too large to be tried.
pub fn decode(
    library: JpegLibrary,
    bytes: &[u8],
    reduction: u32,
) -> Option<Result<(u32, u32, Vec<u8>, Option<CutOff>), Error>> {
    let header = match jpeg_header::parse(bytes, MOST_SCANS) {
        Ok(header) => header,
        Err(error) => return Some(Err(error)),
    };
    let size = Size::new(header.width.into(), header.height.into());
    if size.pixels() > MOST_PIXELS || header.scans > MOST_SCANS {
        return None;
    }
    let decoded = codec::jpeg::decode(library, bytes, size, reduction);
    Some(decoded.map(|(raster, cut_off)| (raster.width, raster.height, raster.rgb, cut_off)))
}
