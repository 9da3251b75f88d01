//! What a file declares about itself, held against the limits before anything is allocated for it.

use std::io::Cursor;

use image::codecs::{png::PngDecoder, webp::WebPDecoder};
use image::{ImageDecoder, Limits as CodecLimits};

use super::codec::other::without_long_metadata;
use super::jpeg_header::{self, JpegHeader};
use super::{Error, Format, Limits};
use crate::domain::geometry::{Size, Stored};

/// A file's declared format and size, within the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What it is.
    pub format: Format,
    /// Its size as stored, before any turning.
    pub stored: Size<Stored>,
    memory: Memory,
}

/// The bytes that decoding a file takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Memory {
    /// Held until the end, whatever the reduction.
    pub(super) kept: u64,
    /// Held beside that before there are pixels, whatever the reduction.
    pub(super) working: u64,
    /// For each pixel of the reduced size, the RGB result included.
    pub(super) per_pixel: u64,
}

impl Memory {
    /// At most held at once, for `pixels` of the reduced size.
    pub(super) fn of(self, pixels: u64) -> u64 {
        self.kept.saturating_add(self.working.max(pixels.saturating_mul(self.per_pixel)))
    }
}

/// Checks a file's length against `limits`, so that longer ones need not be read at all.
///
/// # Errors
/// [`Error::TooLarge`].
pub fn check_length(bytes: u64, limits: &Limits) -> Result<(), Error> {
    check("bytes", bytes, limits.max_bytes, "max_bytes")
}

/// Reads what `bytes` declare and holds it against `limits`.
///
/// # Errors
/// When it is no known format, too large, or its headers are damaged.
pub fn read(bytes: &[u8], limits: &Limits) -> Result<Header, Error> {
    check_length(bytes.len() as u64, limits)?;
    let header = match Format::sniff(bytes)? {
        Format::Jpeg => jpeg(bytes, limits)?,
        Format::Png => png(bytes)?,
        Format::WebP => webp(bytes)?,
        Format::Heic => super::codec::heic::header(bytes)?,
    };
    let long_side = u64::from(header.stored.long_side());
    check("pixels on its longer side", long_side, limits.max_side.into(), "max_side")?;
    check("pixels", header.stored.pixels(), limits.max_pixels, "max_pixels")?;
    Ok(header)
}

impl Header {
    pub(super) fn new(format: Format, stored: Size<Stored>, memory: Memory) -> Self {
        Self { format, stored, memory }
    }

    /// Bytes that decoding at one `reduction`th of the size takes.
    pub(super) fn memory(&self, reduction: u32) -> u64 {
        self.memory.of(self.stored.pixels().div_ceil(u64::from(reduction).pow(2)))
    }

    /// Checks that decoding at one `reduction`th of the size fits into the memory limit.
    pub(super) fn check_memory(&self, reduction: u32, limits: &Limits) -> Result<(), Error> {
        check("bytes once decoded", self.memory(reduction), limits.max_decoded_bytes, "max_decoded_bytes")
    }
}

fn check(unit: &'static str, got: u64, limit: u64, key: &'static str) -> Result<(), Error> {
    if got > limit { Err(Error::TooLarge { unit, got, limit, key }) } else { Ok(()) }
}

fn jpeg(bytes: &[u8], limits: &Limits) -> Result<Header, Error> {
    let JpegHeader { width, height, components, several_scans, scans } =
        jpeg_header::parse(bytes, limits.max_scans)?;
    check("or more scans", scans.into(), limits.max_scans.into(), "max_scans")?;
    let stored = Size::new(width.into(), height.into());
    // The component planes, then the interleaved result, then RGB where that differs.
    let per_pixel = u64::from(components) + 3 + u64::from(components != 3) * 3;
    // Several scans give the coefficients in rounds.
    let kept = if several_scans { stored.pixels() * 6 } else { 0 };
    Ok(Header::new(Format::Jpeg, stored, Memory { kept, working: 0, per_pixel }))
}

fn png(bytes: &[u8]) -> Result<Header, Error> {
    let bytes = without_long_metadata(bytes);
    let decoder = PngDecoder::with_limits(Cursor::new(&bytes), small()).map_err(codec_error)?;
    if decoder.is_apng().map_err(codec_error)? {
        return Err(Error::unsupported("an animated PNG"));
    }
    Ok(of_decoder(Format::Png, &decoder))
}

fn webp(bytes: &[u8]) -> Result<Header, Error> {
    let decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(codec_error)?;
    if decoder.has_animation() {
        return Err(Error::unsupported("an animated WebP"));
    }
    Ok(of_decoder(Format::WebP, &decoder))
}

/// Room for chunks of metadata while only headers are read.
fn small() -> CodecLimits {
    let mut limits = CodecLimits::no_limits();
    limits.max_alloc = Some(16 << 20);
    limits
}

fn of_decoder(format: Format, decoder: &impl ImageDecoder) -> Header {
    let (width, height) = decoder.dimensions();
    // The codec's own result, and RGB beside it.
    let per_pixel = u64::from(decoder.color_type().bytes_per_pixel()) + 3;
    Header::new(format, Size::new(width, height), Memory { kept: 0, working: 0, per_pixel })
}

/// An error of the `image` crate in this crate's terms.
pub(super) fn codec_error(error: image::ImageError) -> Error {
    match error {
        image::ImageError::Unsupported(error) => Error::unsupported(error.to_string()),
        other => Error::broken(other.to_string()),
    }
}
