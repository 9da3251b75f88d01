//! HEIC, in builds with the feature `heic`.
//!
//! Container and HEVC come from pure-Rust libraries. What lies between them is here, so that a photo of 50 megapixels
//! never lies in memory as a whole: tiles are decoded a row at a time, turned into RGB line by line, and reduced and
//! turned on the way.

#[cfg(feature = "heic")]
mod colour;
#[cfg(feature = "heic")]
mod container;
#[cfg(feature = "heic")]
mod hevc;
#[cfg(feature = "heic")]
mod image;
#[cfg(feature = "heic")]
mod lines;
#[cfg(feature = "heic")]
mod overlay;
#[cfg(feature = "heic")]
mod view;

use super::Raster;
use crate::photo::Error;
use crate::photo::header::Header;

#[cfg(feature = "heic")]
pub(in crate::photo) use with_decoder::{decode, header};
#[cfg(not(feature = "heic"))]
pub(in crate::photo) use without_decoder::{decode, header};

#[cfg(feature = "heic")]
mod with_decoder {
    use super::image::Image;
    use super::{Error, Header, Raster, container};
    use crate::photo::Format;

    /// What the container declares. The size is the one after the container's own cutting and turning, which
    /// [`decode`] applies.
    pub(in crate::photo) fn header(bytes: &[u8]) -> Result<Header, Error> {
        let file = container::open(bytes)?;
        let image = Image::primary(&file)?;
        Ok(Header::new(Format::Heic, image.upright(), image.memory()))
    }

    /// Decodes the primary picture at one `reduction`th of its size, rounded up; turned as the container says.
    pub(in crate::photo) fn decode(bytes: &[u8], reduction: u32) -> Result<Raster, Error> {
        let file = container::open(bytes)?;
        Image::primary(&file)?.render(&file, reduction)
    }
}

#[cfg(not(feature = "heic"))]
mod without_decoder {
    use super::{Error, Header, Raster};

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
    pub(in crate::photo) fn decode(_bytes: &[u8], _reduction: u32) -> Result<Raster, Error> {
        Err(not_built_in())
    }
}
