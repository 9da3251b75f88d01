//! One file for each codec: bytes of a checked header to RGB as stored, no smaller than asked for.

pub(super) mod heic;
pub(super) mod jpeg;
pub(super) mod other;
#[cfg(any(feature = "heic", test))]
mod reduce;

pub use jpeg::JpegLibrary;

/// Pixels as stored in the file, perhaps reduced: 8-bit RGB, row by row, no padding.
pub(super) struct Raster {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) rgb: Vec<u8>,
}
