//! What kind of file it is, by its first bytes. Names and content types are not trusted.

use serde::Serialize;

use super::Error;

/// The formats that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// JPEG, baseline or progressive.
    Jpeg,
    /// PNG, still.
    Png,
    /// WebP, still.
    WebP,
    /// HEIF with HEVC pictures, as iPhones write it.
    Heic,
}

/// Brands of ISO base media files that hold HEVC stills (ISO/IEC 23008-12, annex B, and Nokia's
/// and Apple's practice of the generic `mif1`/`msf1` with `heic` among the compatible ones).
const HEIC_BRANDS: [&[u8]; 6] = [b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1"];

/// Most bytes of an `ftyp` box that are looked at.
const MAX_FTYP_BYTES: usize = 256;

impl Format {
    /// The stable name for output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "jpeg",
            Self::Png => "png",
            Self::WebP => "webp",
            Self::Heic => "heic",
        }
    }

    /// Names the format of `bytes`.
    ///
    /// # Errors
    /// [`Error::Broken`] when there is nothing, [`Error::Unsupported`] naming other formats that
    /// are recognised, and those that are not.
    pub fn sniff(bytes: &[u8]) -> Result<Self, Error> {
        match bytes {
            [] => Err(Error::broken("the file is empty")),
            [0xFF, 0xD8, 0xFF, ..] => Ok(Self::Jpeg),
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => Ok(Self::Png),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Ok(Self::WebP),
            [a, b, c, d, b'f', b't', b'y', b'p', brands @ ..]
                if is_heic(u32::from_be_bytes([*a, *b, *c, *d]), brands) =>
            {
                Ok(Self::Heic)
            }
            _ => Err(Error::unsupported(stranger(bytes))),
        }
    }
}

/// Whether the brands of an `ftyp` box of `length` bytes are those of a HEIC file: the major one, or for makers with a
/// brand of their own one of those that it says it is compatible with.
fn is_heic(length: u32, brands: &[u8]) -> bool {
    let inside = (length as usize).saturating_sub(8).min(brands.len()).min(MAX_FTYP_BYTES);
    let (major, compatible) = match brands.split_first_chunk::<4>() {
        Some((major, _)) => (major, brands.get(8..inside).unwrap_or_default()),
        None => return false,
    };
    let hevc = compatible.chunks_exact(4).any(|brand| HEIC_BRANDS[..4].contains(&brand));
    HEIC_BRANDS.contains(&major.as_slice()) || hevc && !major.starts_with(b"avi")
}

fn stranger(bytes: &[u8]) -> &'static str {
    match bytes {
        [b'G', b'I', b'F', b'8', ..] => "a GIF picture",
        [b'B', b'M', ..] => "a BMP picture",
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => "a TIFF or camera raw file",
        [b'%', b'P', b'D', b'F', ..] => "a PDF document",
        [b'P', b'K', 3, 4, ..] => "a ZIP archive",
        [b'<', ..] => "a text or web page",
        // Decoders as of 2026-12: zenavif and rav1d-safe (safe Rust) are AGPL; avif-decode builds libaom with CMake; rav1d
        // needs nasm, and without its assembly still offers nothing but dav1d's C interface.
        [_, _, _, _, b'f', b't', b'y', b'p', b'a', b'v', b'i', ..] => "an AVIF picture",
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => "a video",
        _ => "a file that is no known picture format",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_by_their_bytes() {
        let table: [(&[u8], Format); 5] = [
            (b"\xFF\xD8\xFF\xE0rest", Format::Jpeg),
            (b"\x89PNG\r\n\x1a\nrest", Format::Png),
            (b"RIFF\x10\0\0\0WEBPVP8 ", Format::WebP),
            (b"\0\0\0\x18ftypheic\0\0\0\0", Format::Heic),
            (b"\0\0\0\x18ftypMiHE\0\0\0\0mif1heic", Format::Heic),
        ];
        for (bytes, format) in table {
            assert_eq!(Format::sniff(bytes), Ok(format));
        }
    }

    #[test]
    fn strangers_are_named() {
        let table: [(&[u8], &str); 7] = [
            (b"GIF89a", "GIF"),
            (b"%PDF-1.7", "PDF"),
            (b"<html>", "web page"),
            (b"\0\0\0\x18ftypavif", "AVIF"),
            (b"\0\0\0\x18ftypmp42", "video"),
            (b"\0\0\0\x14ftypmp42\0\0\0\0isomheic", "video"),
            (b"\xFF\xD8", "no known"),
        ];
        for (bytes, word) in table {
            let message = Format::sniff(bytes).expect_err("not read").to_string();
            assert!(message.contains(word), "{message}");
        }
        assert_eq!(Format::sniff(b"").expect_err("empty").code(), "broken");
    }
}
