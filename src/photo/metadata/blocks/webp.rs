//! WebP: the chunks `EXIF` and `XMP ` (RFC 9649, 2.7.1.5).

use super::Blocks;

/// Reads all chunks: name, length, body padded to even.
pub(super) fn find<'a>(bytes: &'a [u8], blocks: &mut Blocks<'a>) {
    let mut rest = bytes.get(12..).unwrap_or_default();
    while let Some((name, after)) = rest.split_first_chunk::<4>() {
        let Some((length, after)) = after.split_first_chunk::<4>() else { return };
        let length = u32::from_le_bytes(*length) as usize;
        // What is last may be cut off.
        let body = after.get(..length).unwrap_or(after);
        match name {
            b"EXIF" | b"Exif" => blocks.exif(body.into()),
            b"XMP " | b"XMP\0" => blocks.xmp(body.into()),
            _ => {}
        }
        rest = after.get(length + length % 2..).unwrap_or_default();
    }
}
