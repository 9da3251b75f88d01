//! JPEG: APP1 for EXIF and XMP, APP13 for IPTC (Exif 2.32 4.7, XMP part 3 1.1.3, IIM 4.2).

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{Blocks, IPTC_MAX, XMP_MAX, position};
use crate::photo::jpeg_header::{next_marker, segment};
use crate::photo::metadata::{iptc, tiff};

const XMP_HEADER: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
const EXTENDED_HEADER: &[u8] = b"http://ns.adobe.com/xmp/extension/\0";
const PHOTOSHOP_HEADER: &[u8] = b"Photoshop 3.0\0";

/// Bytes of a segment in which its packet must begin where it has no known header.
const PREFIX_MAX: usize = 64;

/// Reads the segments up to the first scan, as browsers do: what follows belongs to other pictures.
pub(super) fn find<'a>(bytes: &'a [u8], blocks: &mut Blocks<'a>) {
    let mut rest = bytes.get(2..).unwrap_or_default();
    let mut extended = Extended::default();
    let mut resources = Vec::new();
    while let Some((marker, after)) = next_marker(rest) {
        rest = after;
        if matches!(marker, 0xDA | 0xD9) {
            break;
        }
        let Ok(Some(body)) = segment(marker, &mut rest) else {
            if matches!(marker, 0x01 | 0xD0..=0xD8) {
                continue;
            }
            break;
        };
        match marker {
            0xE1 => app1(body, blocks, &mut extended),
            0xED => {
                // One block may go on over several segments.
                let part = body.strip_prefix(PHOTOSHOP_HEADER).unwrap_or_default();
                resources.extend_from_slice(&part[..part.len().min(IPTC_MAX - resources.len())]);
            }
            _ => {}
        }
    }
    if let Some(records) = iptc::in_resources(&resources) {
        blocks.iptc(records.to_vec().into());
    }
    extended.packets.into_values().for_each(|packet| blocks.xmp(packet.bytes.into()));
}

fn app1<'a>(body: &'a [u8], blocks: &mut Blocks<'a>, extended: &mut Extended) {
    match body {
        [b'E' | b'e', b'X' | b'x', b'I' | b'i', b'F' | b'f', 0, rest @ ..] => {
            if tiff::start(rest).is_some() {
                blocks.exif(rest.into());
            } else {
                // Writers spread a long block over segments, each with the prefix of six bytes.
                blocks.exif_goes_on(rest.get(1..).unwrap_or_default());
            }
        }
        _ if body.starts_with(EXTENDED_HEADER) => {
            extended.add(&body[EXTENDED_HEADER.len()..], blocks);
        }
        _ => {
            let packet = body.strip_prefix(XMP_HEADER).or_else(|| {
                let start = position(&body[..body.len().min(PREFIX_MAX)], b"<")?;
                Some(&body[start..])
            });
            if let Some(packet) = packet {
                blocks.xmp(packet.into());
            }
        }
    }
}

/// What an APP1-like profile of another container holds: EXIF or XMP.
pub(super) fn profile(body: Vec<u8>, blocks: &mut Blocks<'_>) {
    if let Some(packet) = body.strip_prefix(XMP_HEADER) {
        blocks.xmp(Cow::Owned(packet.to_vec()));
    } else {
        blocks.exif(body.into());
    }
}

/// XMP packets that are spread over several segments: 32 characters of digest, the whole length, the offset of the
/// part, the part.
#[derive(Default)]
struct Extended {
    packets: BTreeMap<[u8; 32], Packet>,
}

struct Packet {
    bytes: Vec<u8>,
}

impl Extended {
    /// Adds one part. Packets too long to be read are left out from their first part on.
    fn add(&mut self, part: &[u8], blocks: &mut Blocks<'_>) {
        let Some((digest, part)) = part.split_first_chunk::<32>() else { return };
        let Some((length, part)) = part.split_first_chunk::<4>() else { return };
        let Some((offset, part)) = part.split_first_chunk::<4>() else { return };
        let (length, offset) = (u32::from_be_bytes(*length) as usize, u32::from_be_bytes(*offset) as usize);
        if length > XMP_MAX {
            return;
        }
        if !self.packets.contains_key(digest) {
            match blocks.take(length) {
                Some(granted) if granted == length => {}
                _ => return,
            }
            // Spaces where a part is missing: the packet is then damaged, and says so when it is parsed.
            self.packets.insert(*digest, Packet { bytes: vec![b' '; length] });
        }
        let Some(packet) = self.packets.get_mut(digest) else { return };
        if let Some(room) = packet.bytes.get_mut(offset..offset.saturating_add(part.len())) {
            room.copy_from_slice(part);
        }
    }
}
