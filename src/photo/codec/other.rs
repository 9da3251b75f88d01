//! PNG and WebP, through the `image` crate under its own limits.

use std::borrow::Cow;
use std::io::Cursor;

use image::{DynamicImage, ImageFormat, ImageReader, Limits as CodecLimits};

use super::Raster;
use crate::photo::header::{self, codec_error};
use crate::photo::{Error, Limits, metadata};

/// Most bytes of packed metadata that the decoder of PNG is given. Deflate packs a thousandfold at best, so they are no
/// more than some megabytes once unpacked.
const PACKED_METADATA_MAX: usize = 8 << 10;

/// The PNG `bytes` without texts and colour profiles where these are long: the decoder reads them, and nobody asks it.
pub(in crate::photo) fn without_long_metadata(bytes: &[u8]) -> Cow<'_, [u8]> {
    let is_metadata = |chunk: &[u8]| matches!(&chunk[4..8], b"tEXt" | b"zTXt" | b"iTXt" | b"iCCP");
    let long = chunks(bytes).filter(|chunk| is_metadata(chunk)).map(<[u8]>::len).sum::<usize>();
    if long <= PACKED_METADATA_MAX {
        return bytes.into();
    }
    let kept = chunks(bytes).filter(|chunk| !is_metadata(chunk));
    std::iter::once(&bytes[..SIGNATURE_BYTES]).chain(kept).collect::<Vec<_>>().concat().into()
}

/// Bytes before the first chunk of a PNG.
const SIGNATURE_BYTES: usize = 8;

/// The chunks of a PNG, each with its length, name and checksum; the last one as far as it is there.
fn chunks(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes.get(SIGNATURE_BYTES..).unwrap_or_default();
    std::iter::from_fn(move || {
        let length = u32::from_be_bytes(*rest.first_chunk::<4>()?) as usize;
        let end = length.saturating_add(12).min(rest.len());
        let (chunk, after) = rest.split_at(end);
        rest = after;
        (chunk.len() >= 8).then_some(chunk)
    })
}

/// Decodes `bytes` at full size; what is transparent is laid on white.
pub(in crate::photo) fn decode(bytes: &[u8], format: ImageFormat, limits: &Limits) -> Result<Raster, Error> {
    // What its header says, and room for its metadata: colour profiles and texts may be packed a thousandfold.
    let needed = header::read(bytes, limits)?.memory(1).saturating_add(metadata::MEMORY_MAX);
    let bytes = if format == ImageFormat::Png { without_long_metadata(bytes) } else { bytes.into() };
    let mut reader = ImageReader::with_format(Cursor::new(&bytes), format);
    let mut codec_limits = CodecLimits::no_limits();
    codec_limits.max_image_width = Some(limits.max_side);
    codec_limits.max_image_height = Some(limits.max_side);
    codec_limits.max_alloc = Some(limits.max_decoded_bytes.min(needed));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::photo;

    /// A PNG with `chunk` right behind its header.
    fn png_with(name: &[u8], body: &[u8]) -> Vec<u8> {
        let mut png = Cursor::new(Vec::new());
        let picture = image::RgbImage::from_pixel(40, 30, image::Rgb([200, 100, 50]));
        picture.write_to(&mut png, ImageFormat::Png).expect("encodes");
        let mut png = png.into_inner();
        let length = (body.len() as u32).to_be_bytes();
        png.splice(33..33, [&length, name, body, b"crc_"].concat());
        png
    }

    #[test]
    fn long_metadata_does_not_stand_in_the_way_of_the_picture() {
        let limits = Limits::shipped();
        let text = [b"Comment\0\0".as_slice(), &vec![0x55; 20 << 20]].concat();
        for (name, body) in [(b"zTXt", text), (b"iCCP", [b"p\0\0".as_slice(), &[0x78; 9_000]].concat())] {
            let file = png_with(name, &body);
            let kept = without_long_metadata(&file);
            assert!(kept.len() < 1_000, "{} bytes", kept.len());
            let photo = photo::decode(&file, &limits, None).expect("decodes");
            assert_eq!(photo.picture.rgb()[..3], [200, 100, 50]);
        }
        let short = png_with(b"tEXt", b"Comment\0crack");
        assert!(matches!(without_long_metadata(&short), Cow::Borrowed(_)));
        for length in 0..short.len() {
            without_long_metadata(&short[..length]);
        }
    }
}
