//! PNG: `eXIf`, XMP in `iTXt`, and the raw profiles of `ImageMagick` and `ExifTool` in text chunks
//! (PNG 3 11.3, XMP part 3 1.1.5).

use std::borrow::Cow;
use std::io::Read;

use flate2::read::ZlibDecoder;

use super::{Blocks, EXIF_MAX, jpeg};
use crate::photo::metadata::iptc;

/// Longest text that is inflated: two hexadecimal digits a byte, line ends, and a header.
const TEXT_MAX: usize = EXIF_MAX * 2 + EXIF_MAX / 8;

const XMP_KEYWORD: &[u8] = b"XML:com.adobe.xmp";
const PROFILE_KEYWORD: &[u8] = b"Raw profile type ";

/// Reads all chunks, before and after the pixels.
pub(super) fn find<'a>(bytes: &'a [u8], blocks: &mut Blocks<'a>) {
    let mut rest = bytes.get(8..).unwrap_or_default();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let Some((name, after)) = after.split_first_chunk::<4>() else { return };
        let length = u32::from_be_bytes(*length) as usize;
        let Some(body) = after.get(..length) else { return };
        match name {
            b"eXIf" | b"exIf" => blocks.exif(body.into()),
            b"iTXt" | b"tEXt" | b"zTXt" => text(*name, body, blocks),
            b"IEND" => return,
            _ => {}
        }
        // The checksum follows.
        rest = after.get(length + 4..).unwrap_or_default();
    }
}

/// One text chunk, where its keyword is of interest.
fn text<'a>(kind: [u8; 4], body: &'a [u8], blocks: &mut Blocks<'a>) {
    let Some((keyword, body)) = split_at_zero(body) else { return };
    let profile = keyword.strip_prefix(PROFILE_KEYWORD);
    if keyword != XMP_KEYWORD && profile.is_none() {
        return;
    }
    let Some(text) = content(kind, body, blocks) else { return };
    let Some(profile) = profile else { return blocks.xmp(text) };
    let Some(content) = raw_profile(&text) else { return };
    match profile.to_ascii_lowercase().as_slice() {
        b"exif" | b"app1" => jpeg::profile(content, blocks),
        b"xmp" => blocks.xmp(content.into()),
        b"iptc" | b"8bim" => {
            let records = iptc::in_resources(&content).unwrap_or(&content);
            blocks.iptc(records.to_vec().into());
        }
        _ => {}
    }
}

/// The text behind the keyword, inflated where it is compressed.
fn content<'a>(kind: [u8; 4], body: &'a [u8], blocks: &mut Blocks<'a>) -> Option<Cow<'a, [u8]>> {
    match (&kind, body) {
        (b"tEXt", body) => Some(body.into()),
        (b"zTXt", [0, packed @ ..]) => inflate(packed, blocks).map(Cow::Owned),
        (b"iTXt", [compressed, 0, body @ ..]) => {
            let (_language, body) = split_at_zero(body)?;
            let (_translated, body) = split_at_zero(body)?;
            if *compressed == 0 { Some(body.into()) } else { inflate(body, blocks).map(Cow::Owned) }
        }
        _ => None,
    }
}

/// Inflates `packed`; none where it is damaged or longer than may be read.
fn inflate(packed: &[u8], blocks: &mut Blocks<'_>) -> Option<Vec<u8>> {
    let granted = blocks.take(TEXT_MAX)?;
    let mut text = Vec::new();
    let read = ZlibDecoder::new(packed).take(granted as u64).read_to_end(&mut text);
    // A damaged one costs what it was granted, so that many of them cost no more than one.
    if read.is_err() || text.len() == granted {
        return None;
    }
    blocks.give_back(granted - text.len());
    Some(text)
}

/// A line with a name, a line with the length in bytes, then hexadecimal digits.
fn raw_profile(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.trim_ascii_start();
    let name_end = text.iter().position(|&byte| byte == b'\n')?;
    let text = text[name_end..].trim_ascii_start();
    let digits = text.iter().position(|byte| !byte.is_ascii_digit())?;
    let length: usize = std::str::from_utf8(&text[..digits]).ok()?.parse().ok()?;
    if length > EXIF_MAX {
        return None;
    }
    let mut content = Vec::with_capacity(length);
    let mut nibbles = text[digits..].iter().filter(|byte| !byte.is_ascii_whitespace());
    while content.len() < length {
        let mut nibble = || char::from(*nibbles.next()?).to_digit(16);
        content.push((nibble()? << 4 | nibble()?) as u8);
    }
    Some(content)
}

fn split_at_zero(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let zero = bytes.iter().position(|&byte| byte == 0)?;
    Some((&bytes[..zero], &bytes[zero + 1..]))
}
