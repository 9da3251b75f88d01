//! Finds the metadata blocks of a photo in its container, and caps them before anything is parsed.

mod heic;
mod jpeg;
mod png;
mod webp;

use std::borrow::Cow;

use super::tiff;
use crate::photo::Format;

/// Longest EXIF block that is read, in bytes; of a longer one the beginning, where the tags are. A JPEG segment holds
/// 64 KiB; other containers have no bound of their own.
pub(super) const EXIF_MAX: usize = 1 << 20;

/// Longest XMP packet that is read, in bytes; a longer one is left out, as half an XML document says nothing.
pub(super) const XMP_MAX: usize = 1 << 20;

/// Longest IPTC block that is read, in bytes.
const IPTC_MAX: usize = 256 << 10;

/// Most blocks of one kind that are read.
const BLOCKS_MAX: usize = 8;

/// Most bytes that are copied or inflated for all blocks of one photo together.
const OWNED_MAX: usize = 4 << 20;

/// The most memory that reading the metadata of one photo takes, in bytes: the blocks, a copy of one of them, and what
/// its parser makes of it.
pub(in crate::photo) const MEMORY_MAX: u64 = 16 << 20;

/// The blocks of one photo, each within its cap, in the order of the file.
#[derive(Debug, Default)]
pub(super) struct Blocks<'a> {
    /// TIFF blocks, starting at their byte order mark.
    pub(super) exif: Vec<Cow<'a, [u8]>>,
    /// XMP packets.
    pub(super) xmp: Vec<Cow<'a, [u8]>>,
    /// IPTC records (IIM).
    pub(super) iptc: Vec<Cow<'a, [u8]>>,
    /// Bytes of `OWNED_MAX` that are spent.
    spent: usize,
}

/// The metadata blocks of the file `bytes`. A bare TIFF block counts as a container of its own.
pub(super) fn find(bytes: &[u8]) -> Blocks<'_> {
    let mut blocks = Blocks::default();
    match Format::sniff(bytes) {
        Ok(Format::Jpeg) => jpeg::find(bytes, &mut blocks),
        Ok(Format::Png) => png::find(bytes, &mut blocks),
        Ok(Format::WebP) => webp::find(bytes, &mut blocks),
        Ok(Format::Heic) => heic::find(bytes, &mut blocks),
        Err(_) => {
            if tiff::start(bytes) == Some(0) {
                blocks.exif(bytes.into());
            }
        }
    }
    blocks
}

impl<'a> Blocks<'a> {
    /// Adds the TIFF block in `body`, behind whatever prefix it has; nothing where there is none.
    fn exif(&mut self, body: Cow<'a, [u8]>) {
        let Some(start) = tiff::start(&body) else { return };
        if self.exif.len() < BLOCKS_MAX {
            self.exif.push(part(body, start, EXIF_MAX));
        }
    }

    /// Adds `more` to the last TIFF block, if there is one.
    fn exif_goes_on(&mut self, more: &[u8]) {
        let Some(room) = self.exif.last().map(|block| EXIF_MAX - block.len()) else { return };
        if let Some(granted) = self.take(more.len().min(room))
            && let Some(block) = self.exif.last_mut()
        {
            block.to_mut().extend_from_slice(&more[..granted]);
        }
    }

    /// Adds the XMP packet that begins at the first `<` of `body`.
    fn xmp(&mut self, body: Cow<'a, [u8]>) {
        if self.xmp.len() < BLOCKS_MAX && body.len() <= XMP_MAX {
            self.xmp.push(body);
        }
    }

    fn iptc(&mut self, records: Cow<'a, [u8]>) {
        if self.iptc.len() < BLOCKS_MAX {
            self.iptc.push(part(records, 0, IPTC_MAX));
        }
    }

    /// Takes up to `wanted` bytes of what may still be copied or inflated; none where too little is left.
    fn take(&mut self, wanted: usize) -> Option<usize> {
        let granted = wanted.min(OWNED_MAX - self.spent);
        self.spent += granted;
        (granted > 0).then_some(granted)
    }

    /// Gives back what was taken and not used.
    fn give_back(&mut self, bytes: usize) {
        self.spent -= bytes.min(self.spent);
    }
}

/// `body` from `start`, no longer than `max`.
fn part(body: Cow<'_, [u8]>, start: usize, max: usize) -> Cow<'_, [u8]> {
    let end = body.len().min(start + max);
    match body {
        Cow::Borrowed(bytes) => Cow::Borrowed(&bytes[start..end]),
        Cow::Owned(mut bytes) => {
            bytes.truncate(end);
            bytes.drain(..start);
            Cow::Owned(bytes)
        }
    }
}

/// Where `wanted` stands first in `bytes`.
fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
