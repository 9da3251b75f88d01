//! HEIC through a pure-Rust decoder, in builds with the feature `heic`.

use super::Raster;
use crate::photo::header::Header;
use crate::photo::{Error, Limits};

#[cfg(feature = "heic")]
pub(in crate::photo) use with_decoder::{decode, header};
#[cfg(not(feature = "heic"))]
pub(in crate::photo) use without_decoder::{decode, header};

#[cfg(feature = "heic")]
mod with_decoder {
    use heic_rs::{DecodeOptions, Error as HeicError, PixelLayout};

    use super::{Error, Header, Limits, Raster};
    use crate::domain::geometry::Size;
    use crate::photo::Format;

    /// What the container declares. The size is the one after the container's own turning, which
    /// the decoder applies.
    pub(in crate::photo) fn header(bytes: &[u8]) -> Result<Header, Error> {
        let info = heic_rs::probe(bytes).map_err(broken)?;
        // Decoded tiles hold 16 bits a sample at 4:2:0, and RGB comes beside them; transforms copy it.
        Ok(Header::new(Format::Heic, Size::new(info.width, info.height), 9))
    }

    /// Decodes the primary picture, turned as the container says.
    pub(in crate::photo) fn decode(bytes: &[u8], limits: &Limits) -> Result<Raster, Error> {
        let options = DecodeOptions {
            layout: PixelLayout::Rgb8,
            max_pixels: Some(limits.max_pixels),
            decode_alpha: false,
            threads: Some(1),
            ..DecodeOptions::default()
        };
        let image = heic_rs::decode(bytes, &options).map_err(broken)?;
        Ok(Raster { width: image.width, height: image.height, rgb: image.data })
    }

    fn broken(error: HeicError) -> Error {
        match error {
            HeicError::Unsupported(what) => Error::unsupported(format!("a HEIC photo with {what}")),
            other => Error::broken(other.to_string()),
        }
    }
}

#[cfg(not(feature = "heic"))]
mod without_decoder {
    use super::{Error, Header, Limits, Raster};

    fn not_built_in() -> Error {
        Error::Unsupported {
            what: "a HEIC photo".into(),
            instead: "this build lacks the feature `heic`; set the phone to \"Most compatible\" or upload a JPEG",
        }
    }

    /// Refuses: this build has no decoder.
    pub(in crate::photo) fn header(_bytes: &[u8]) -> Result<Header, Error> {
        Err(not_built_in())
    }

    /// Refuses: this build has no decoder.
    pub(in crate::photo) fn decode(_bytes: &[u8], _limits: &Limits) -> Result<Raster, Error> {
        Err(not_built_in())
    }
}
