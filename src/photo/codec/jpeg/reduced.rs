//! The JPEG of a phone, reduced while it is decoded, by reading only what the reduction keeps.
//!
//! Reduced by four, an 8×8 block becomes 2×2 pixels, and those come from four of its 64 coefficients. Every other
//! coefficient still has to be read past, as its code says how long it is; but not one by one: a table says for the
//! next bits how many codes lie in them. That is what makes this faster than libraries, which decode them all.
//!
//! Everything but baseline (or extended sequential) Huffman-coded YCbCr with one interleaved scan and chroma at full or
//! half resolution is left to others, and so is every file whose scan is damaged or cut.
//! Pixels are those of `rusty_jpeg` but for the rounding of colours, by one at most; tests hold them against each other.

mod block;
mod colour;
mod frame;
mod idct;
mod planes;

use frame::Frame;
use planes::Planes;

use super::headers::Headers;
use crate::domain::geometry::{Size, Stored};
use crate::photo::codec::Raster;

/// Decodes at one `reduction`th of `stored`, rounded up; none if this is not its kind of file, or the reduction
/// not 4 or 8: half the size is as fast in the library.
pub(super) fn decode(headers: &Headers, stored: Size<Stored>, reduction: u32) -> Option<Raster> {
    let frame = Frame::of(headers)?;
    if (u32::from(frame.width), u32::from(frame.height)) != (stored.width, stored.height) {
        return None;
    }
    let planes = match reduction {
        4 => Planes::decode::<2>(&frame),
        8 => Planes::decode::<1>(&frame),
        _ => None,
    }?;
    let (width, height) = (stored.width.div_ceil(reduction), stored.height.div_ceil(reduction));
    Some(Raster { width, height, rgb: colour::rgb(&planes, width as usize, height as usize) })
}

/// Whether the scan is of this kind and holds every block; pixels are not made.
pub(super) fn is_whole(headers: &Headers) -> bool {
    Frame::of(headers).is_some_and(|frame| Planes::decode::<0>(&frame).is_some())
}

#[cfg(test)]
mod tests;
