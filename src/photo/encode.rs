//! Pictures to JPEG, for pages and annotated copies.

use rusty_jpeg::{ColorType, Encoder};

use super::Error;
use crate::domain::picture::Picture;

/// `picture` as a JPEG of `quality` 1 to 100.
///
/// # Errors
/// [`Error::Unsupported`] when a side is longer than JPEG's 65,535 pixels or the picture is empty.
pub fn review_jpeg(picture: &Picture, quality: u8) -> Result<Vec<u8>, Error> {
    let size = picture.size();
    let (Ok(width), Ok(height)) = (u16::try_from(size.width), u16::try_from(size.height)) else {
        return Err(Error::unsupported("a picture with a side over 65,535 pixels"));
    };
    let mut jpeg = Vec::with_capacity(picture.rgb().len() / 8);
    Encoder::new(&mut jpeg, quality.clamp(1, 100))
        .encode(picture.rgb(), width, height, ColorType::Rgb)
        .map_err(|error| Error::unsupported(format!("a picture of {width}×{height} ({error})")))?;
    Ok(jpeg)
}
