//! Decoded pixels on their way from the decoder to the model, as plain values.

use serde::{Deserialize, Serialize};

use super::geometry::{Size, Upright, Working};

/// An upright photo, usually reduced: 8-bit RGB, row by row, three bytes a pixel, no padding.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    size: Size<Working>,
    photo: Size<Upright>,
    rgb: Vec<u8>,
}

/// A buffer whose length does not fit the size it came with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{bytes} bytes are not {size:?} of RGB")]
pub struct WrongLength {
    size: Size<Working>,
    bytes: usize,
}

impl Picture {
    /// Pixels `rgb` of `size`, reduced from a photo of upright size `photo`.
    ///
    /// # Errors
    /// When `rgb` is not `width × height × 3` bytes.
    pub fn new(size: Size<Working>, photo: Size<Upright>, rgb: Vec<u8>) -> Result<Self, WrongLength> {
        if rgb.len() as u64 == size.pixels() * 3 {
            Ok(Self { size, photo, rgb })
        } else {
            Err(WrongLength { size, bytes: rgb.len() })
        }
    }

    /// A square of mid grey, `side` pixels wide: for warm-ups and self-tests.
    pub fn grey(side: u32) -> Self {
        let bytes = side as usize * side as usize * 3;
        Self { size: Size::new(side, side), photo: Size::new(side, side), rgb: vec![127; bytes] }
    }

    /// The size of the pixels held here.
    pub const fn size(&self) -> Size<Working> {
        self.size
    }

    /// The full upright size of the photo that they came from.
    pub const fn photo(&self) -> Size<Upright> {
        self.photo
    }

    /// The bytes, `height × width × 3`.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// Gives the bytes away.
    pub fn into_rgb(self) -> Vec<u8> {
        self.rgb
    }
}

/// How much of a picture there is when its file is cut off or damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CutOff {
    /// Rows of pixels, as stored, that the file holds. All of them where only their finest detail is missing.
    pub rows: u32,
    /// Rows of pixels that the picture has.
    pub of: u32,
}

impl std::fmt::Display for CutOff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { rows, of } = self;
        if rows < of {
            write!(f, "the file is cut off or damaged: {rows} of {of} rows of pixels are there")
        } else {
            write!(f, "the file is cut off: all rows of pixels are there, their finest detail is not")
        }
    }
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Picture")
            .field("size", &self.size)
            .field("photo", &self.photo)
            .finish_non_exhaustive()
    }
}
