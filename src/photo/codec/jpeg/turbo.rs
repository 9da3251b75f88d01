//! libjpeg-turbo, in builds with the feature `libjpeg-turbo`.

use turbojpeg::{Colorspace, Decompressor, Image, PixelFormat, ScalingFactor};

use super::rusty;
use crate::domain::geometry::{Size, Stored};
use crate::photo::Error;
use crate::photo::codec::Raster;

/// Decodes `bytes` at one `reduction`th of `stored`, rounded up.
pub(super) fn decode(bytes: &[u8], stored: Size<Stored>, reduction: u32) -> Result<Raster, Error> {
    let mut decompressor = Decompressor::new().map_err(broken)?;
    let header = decompressor.read_header(bytes).map_err(broken)?;
    if matches!(header.colorspace, Colorspace::CMYK | Colorspace::YCCK) {
        // Inks are rare, and turned into light in one place.
        return rusty::decode(bytes, stored, reduction);
    }
    let factor = ScalingFactor::new(1, reduction as usize);
    decompressor.set_scaling_factor(factor).map_err(broken)?;
    let (width, height) = (factor.scale(header.width), factor.scale(header.height));
    let mut rgb = vec![0; width * height * 3];
    let image =
        Image { pixels: rgb.as_mut_slice(), width, pitch: width * 3, height, format: PixelFormat::RGB };
    decompressor.decompress(bytes, image).map_err(broken)?;
    Ok(Raster { width: width as u32, height: height as u32, rgb })
}

fn broken(error: turbojpeg::Error) -> Error {
    Error::broken(error.to_string())
}
