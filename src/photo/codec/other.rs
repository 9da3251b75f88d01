//! PNG and WebP, through the `image` crate under its own limits.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, ImageReader, Limits as CodecLimits};

use super::Raster;
use crate::photo::header::codec_error;
use crate::photo::{Error, Limits};

/// Decodes `bytes` at full size; what is transparent is laid on white.
pub(in crate::photo) fn decode(bytes: &[u8], format: ImageFormat, limits: &Limits) -> Result<Raster, Error> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut codec_limits = CodecLimits::no_limits();
    codec_limits.max_image_width = Some(limits.max_side);
    codec_limits.max_image_height = Some(limits.max_side);
    codec_limits.max_alloc = Some(limits.max_decoded_bytes);
    reader.limits(codec_limits);
    let image = reader.decode().map_err(codec_error)?;
    let (width, height) = (image.width(), image.height());
    Ok(Raster { width, height, rgb: on_white(image) })
}

fn on_white(image: DynamicImage) -> Vec<u8> {
    if !image.color().has_alpha() {
        return image.into_rgb8().into_raw();
    }
    let blend = |value: u8, alpha: u8| {
        let alpha = u32::from(alpha);
        ((u32::from(value) * alpha + 255 * (255 - alpha) + 127) / 255) as u8
    };
    image
        .into_rgba8()
        .pixels()
        .flat_map(|&image::Rgba([r, g, b, a])| [r, g, b].map(|v| blend(v, a)))
        .collect()
}
