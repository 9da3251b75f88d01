//! Pure Rust.

use rusty_jpeg::PixelFormat;
use rusty_jpeg::decode::{ColorTransform, Decoder, Error as JpegError};

use super::headers::Colour;
use crate::domain::geometry::{Size, Stored};
use crate::photo::Error;
use crate::photo::codec::Raster;

/// Decodes `bytes` at one `reduction`th of `stored`, rounded up.
pub(super) fn decode(
    bytes: &[u8],
    colour: Colour,
    stored: Size<Stored>,
    reduction: u32,
) -> Result<Raster, Error> {
    let mut decoder = Decoder::new(bytes);
    // Its own choice differs from that of browsers, for one where Adobe's segment says that there is no transform.
    decoder.set_color_transform(match colour {
        Colour::Grey => ColorTransform::Grayscale,
        Colour::YCbCr => ColorTransform::YCbCr,
        Colour::Rgb => ColorTransform::RGB,
        Colour::Cmyk => ColorTransform::CMYK,
        Colour::Ycck => ColorTransform::YCCK,
    });
    // Photos are decoded side by side; one photo on many threads would only add hand-overs.
    decoder.set_single_threaded(true);
    let size = Size::<Stored>::new(stored.width.div_ceil(reduction), stored.height.div_ceil(reduction));
    if reduction > 1 {
        // The decoder stops at the first scale that satisfies either side, so only the longer one
        // is told; the other asks for what no scale gives.
        let side = |own: u32, other: u32, wanted: u32| {
            if own >= other { u16::try_from(wanted).unwrap_or(u16::MAX) } else { u16::MAX }
        };
        let (width, height) = (stored.width, stored.height);
        decoder.scale(side(width, height, size.width), side(height, width, size.height)).map_err(broken)?;
    }
    let pixels = decoder.decode().map_err(broken)?;
    let info = decoder.info().ok_or_else(|| Error::broken("the JPEG has no frame"))?;
    let rgb = to_rgb(info.pixel_format, pixels)?;
    let (width, height) = (u32::from(info.width), u32::from(info.height));
    if rgb.len() as u64 != u64::from(width) * u64::from(height) * 3 {
        return Err(Error::broken("the JPEG decoder gave too few pixels"));
    }
    Ok(Raster { width, height, rgb })
}

fn to_rgb(format: PixelFormat, pixels: Vec<u8>) -> Result<Vec<u8>, Error> {
    match format {
        PixelFormat::RGB24 => Ok(pixels),
        PixelFormat::L8 => Ok(pixels.into_iter().flat_map(|grey| [grey; 3]).collect()),
        PixelFormat::CMYK32 => Ok(pixels.chunks_exact(4).flat_map(from_cmyk).collect()),
        PixelFormat::L16 => Err(Error::unsupported("a JPEG with 16 bits a sample")),
    }
}

/// Inks to light. The decoder gives inks as Adobe does: 0 is no ink.
fn from_cmyk(inks: &[u8]) -> [u8; 3] {
    let paper = 255 - u32::from(inks[3]);
    [inks[0], inks[1], inks[2]].map(|ink| ((255 - u32::from(ink)) * paper / 255) as u8)
}

fn broken(error: JpegError) -> Error {
    match error {
        JpegError::UnexpectedEof => Error::broken("the JPEG ends before its last pixel"),
        JpegError::Unsupported(feature) => Error::unsupported(format!("a JPEG with {feature:?}")),
        JpegError::Format(what) => Error::broken(what),
        other => Error::broken(other.to_string()),
    }
}
