//! Bytes to upright pixels and capture information.
//!
//! [`decode::decode`] is the way in: the format is sniffed, the declared size held against
//! [`Limits`] before anything of that size is allocated, the pixels decoded no larger than needed,
//! reduced, and only then turned upright. Whatever a file contains, the answer is a photo or an
//! [`Error`] that says what was wrong and what to do; a panic inside a codec ends up there too.
#![warn(missing_docs)]

pub mod annotate;
mod codec;
mod crop;
pub mod decode;
pub mod encode;
mod error;
mod format;
mod header;
mod jpeg_header;
pub mod metadata;
mod resize;
#[cfg(test)]
mod sample;
mod turn;
mod veil;

pub use codec::JpegLibrary;
pub use crop::cut;
pub use decode::{Photo, decode, decode_near, decode_with, decoded_bytes};
pub use error::Error;
pub use format::Format;
pub use header::{Header, check_length, read as read_header};
pub use resize::{fit, reduce};
use serde::Deserialize;
pub use veil::{Veil, veil};

/// What a photo may ask of this machine, section `[photo]`. A photo that asks for more is refused
/// before it is decoded.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Longest file, in bytes. The largest phone photos (200 MP) are about 50 MB.
    pub max_bytes: u64,
    /// Longest side, in pixels. JPEG itself ends at 65,535.
    pub max_side: u32,
    /// Most pixels, whatever the reduction: this bounds the time that decoding takes.
    pub max_pixels: u64,
    /// Most memory that decoding one photo may take, in bytes, estimated from its header and the
    /// reduction. JPEG is decoded reduced, so far larger photos fit there than in other formats.
    pub max_decoded_bytes: u64,
    /// Most scans of a progressive JPEG. Cameras write about 10; thousands can be packed into a
    /// small file and take minutes.
    pub max_scans: u32,
}

/// The commented default of this section.
pub const DEFAULT_CONFIG: &str = include_str!("default.toml");

impl Limits {
    /// The shipped limits.
    pub(crate) fn shipped() -> Self {
        #[derive(Deserialize)]
        struct Fragment {
            photo: Limits,
        }
        toml::from_str::<Fragment>(DEFAULT_CONFIG).expect("the shipped fragment parses").photo
    }
}
