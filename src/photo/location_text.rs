//! The location that people or programs wrote into a photo in words: XMP and IPTC, where they stand in JPEG, PNG, WebP
//! and HEIC. Damaged blocks tell nothing.

use super::Format;
use super::text;

/// What an XMP block begins and ends with, in every container.
const XMP_START: &[u8] = b"<x:xmpmeta";
const XMP_END: &[u8] = b"</x:xmpmeta>";

/// Longest XMP block that is looked at, bytes.
const XMP_MAX: usize = 1 << 20;

/// The place itself in XMP; cities and countries name no room.
const XMP_NAMES: [&str; 2] = ["Iptc4xmpCore:Location", "Iptc4xmpExt:Sublocation"];

/// The same in IPTC's IIM, record 2: Sub-location, Content Location Name.
const IIM_DATASETS: [u8; 2] = [92, 27];

/// The location text of the file `bytes`.
pub(super) fn read(bytes: &[u8]) -> Option<String> {
    match Format::sniff(bytes).ok()? {
        Format::Jpeg => jpeg(bytes),
        Format::Png => chunks(bytes.get(8..)?, u32::from_be_bytes, 4)
            .find_map(|(name, body)| (name == b"iTXt").then(|| xmp_in(body)).flatten()),
        Format::WebP => {
            webp(bytes.get(12..)?).find_map(|(name, body)| (name == b"XMP ").then(|| xmp_in(body)).flatten())
        }
        Format::Heic => xmp_in(bytes),
    }
}

fn jpeg(bytes: &[u8]) -> Option<String> {
    let mut iptc = None;
    for (marker, body) in segments(bytes) {
        match marker {
            0xE1 => {
                if let Some(words) = xmp_in(body) {
                    return Some(words);
                }
            }
            0xED => iptc = iptc.or_else(|| photoshop(body)),
            _ => {}
        }
    }
    iptc
}

/// The segments of a JPEG up to its pixels.
fn segments(bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = bytes.get(2..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (&[lead, marker], after) = rest.split_first_chunk::<2>()?;
        let (length, _) = after.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_be_bytes(*length));
        let body = after.get(2..length).filter(|_| lead == 0xFF && marker != 0xDA)?;
        rest = after.get(length..)?;
        Some((marker, body))
    })
}

/// The chunks of a PNG: length, name, body, `tail` bytes of checksum.
fn chunks(bytes: &[u8], number: fn([u8; 4]) -> u32, tail: usize) -> impl Iterator<Item = (&[u8; 4], &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let (name, after) = after.split_first_chunk::<4>()?;
        let length = number(*length) as usize;
        let body = after.get(..length)?;
        rest = after.get(length + tail..).unwrap_or_default();
        Some((name, body))
    })
}

/// The chunks of a WebP: name, length, body padded to even.
fn webp(bytes: &[u8]) -> impl Iterator<Item = (&[u8; 4], &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (name, after) = rest.split_first_chunk::<4>()?;
        let (length, after) = after.split_first_chunk::<4>()?;
        let length = u32::from_le_bytes(*length) as usize;
        let body = after.get(..length)?;
        rest = after.get(length + length % 2..).unwrap_or_default();
        Some((name, body))
    })
}

/// The IPTC block of a Photoshop segment: resources `8BIM`, of which 0x0404 holds IIM.
fn photoshop(body: &[u8]) -> Option<String> {
    let mut rest = body.strip_prefix(b"Photoshop 3.0\0")?;
    while let Some(after) = rest.strip_prefix(b"8BIM") {
        let (id, after) = after.split_first_chunk::<2>()?;
        // A Pascal string, padded to even with its length byte.
        let name = usize::from(*after.first()?) + 1;
        let after = after.get(name + name % 2..)?;
        let (length, after) = after.split_first_chunk::<4>()?;
        let length = u32::from_be_bytes(*length) as usize;
        let data = after.get(..length)?;
        if *id == [0x04, 0x04] {
            return iim(data);
        }
        rest = after.get(length + length % 2..)?;
    }
    None
}

fn iim(data: &[u8]) -> Option<String> {
    let mut found = [None, None];
    let mut rest = data;
    while let [0x1C, record, dataset, high, low, after @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let value = after.get(..length)?;
        let place = IIM_DATASETS.iter().position(|wanted| *record == 2 && wanted == dataset);
        if let Some(place) = place {
            found[place] = text::plain(value);
        }
        rest = after.get(length..)?;
    }
    found.into_iter().flatten().next()
}

/// The place that the XMP block in `bytes` names.
fn xmp_in(bytes: &[u8]) -> Option<String> {
    let start = find(bytes, XMP_START)?;
    let bytes = &bytes[start..];
    let block = &bytes[..find(bytes, XMP_END)?.min(XMP_MAX)];
    let block = std::str::from_utf8(block).ok()?;
    XMP_NAMES.iter().find_map(|name| property(block, name)).and_then(|words| text::plain(words.as_bytes()))
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let (first, last) = (*wanted.first()?, bytes.len().checked_sub(wanted.len())?);
    let mut from = 0;
    while from <= last {
        from += bytes[from..=last].iter().position(|byte| *byte == first)?;
        if bytes[from..].starts_with(wanted) {
            return Some(from);
        }
        from += 1;
    }
    None
}

/// A property as an attribute or as an element; of an element the text between all tags.
fn property(block: &str, name: &str) -> Option<String> {
    let mut rest = block;
    while let Some((_, after)) = rest.split_once(name) {
        rest = after;
        let after = after.trim_start();
        if let Some(value) = after.strip_prefix('=').map(str::trim_start) {
            let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
            return Some(unescaped(value[1..].split_once(quote)?.0));
        }
        // The rest of the opening tag, up to the closing one.
        if let Some((_, inner)) =
            after.split_once('>').filter(|(tag, _)| !tag.ends_with('/') && !tag.contains('<'))
        {
            let inner = inner.split_once(&format!("</{name}")).map(|(inner, _)| inner)?;
            return Some(unescaped(&without_tags(inner)));
        }
    }
    None
}

fn without_tags(text: &str) -> String {
    let outside = text.split('<').map(|part| part.split_once('>').map_or(part, |(_, outside)| outside));
    outside.collect::<Vec<_>>().join(" ")
}

/// XML's five named entities; numbers stay as they are, as nobody writes rooms with them.
fn unescaped(text: &str) -> String {
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    entities.iter().fold(text.to_owned(), |text, (entity, letter)| text.replace(entity, letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ELEMENT: &str = "<x:xmpmeta><rdf:RDF><Iptc4xmpCore:Location>Building A &amp; yard, \
                           Unit 204</Iptc4xmpCore:Location></rdf:RDF></x:xmpmeta>";
    const ATTRIBUTE: &str = "<x:xmpmeta><rdf:Description Iptc4xmpCore:CountryCode=\"DE\" \
                             Iptc4xmpCore:Location = 'Unit 204'/></x:xmpmeta>";
    const NESTED: &str = "<x:xmpmeta><Iptc4xmpExt:Sublocation><rdf:Alt><rdf:li xml:lang=\"x-default\">Unit 204\
                          </rdf:li></rdf:Alt></Iptc4xmpExt:Sublocation></x:xmpmeta>";
    const ELSEWHERE: &str = "<x:xmpmeta photoshop:City=\"Berlin\"></x:xmpmeta>";

    fn segment(marker: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len() + 2).expect("short").to_be_bytes();
        [&[0xFF, marker], length.as_slice(), body].concat()
    }

    fn jpeg_with(segments: &[Vec<u8>]) -> Vec<u8> {
        [&[0xFF, 0xD8], segments.concat().as_slice(), &[0xFF, 0xDA, 0, 2]].concat()
    }

    fn iptc(dataset: u8, value: &[u8]) -> Vec<u8> {
        let iim = [&[0x1C, 2, 90, 0, 1, b'X', 0x1C, 2, dataset, 0, value.len() as u8], value].concat();
        let head = b"Photoshop 3.0\08BIM\x03\xED\0\0\0\0\0\x02ab8BIM\x04\x04\0\0\0\0\0";
        segment(0xED, &[head.as_slice(), &[iim.len() as u8], &iim].concat())
    }

    fn xmp(block: &str) -> Vec<u8> {
        segment(0xE1, &[b"http://ns.adobe.com/xap/1.0/\0", block.as_bytes()].concat())
    }

    #[test]
    fn every_way_of_writing_a_place_is_read() {
        let table: [(Vec<u8>, Option<&str>); 7] = [
            (jpeg_with(&[xmp(ELEMENT)]), Some("Building A & yard, Unit 204")),
            (jpeg_with(&[iptc(92, b"Unit 204"), xmp(ATTRIBUTE)]), Some("Unit 204")),
            (jpeg_with(&[xmp(NESTED)]), Some("Unit 204")),
            (jpeg_with(&[xmp(ELSEWHERE)]), None),
            (jpeg_with(&[iptc(92, b"Keller Nord")]), Some("Keller Nord")),
            (jpeg_with(&[iptc(27, b"Roof"), xmp(ELSEWHERE)]), Some("Roof")),
            (jpeg_with(&[]), None),
        ];
        for (bytes, expected) in table {
            assert_eq!(read(&bytes).as_deref(), expected);
        }
    }

    #[test]
    fn other_containers_hold_the_same_block() {
        let block = [b"XML:com.adobe.xmp\0\0\0\0\0", ATTRIBUTE.as_bytes()].concat();
        let length = u32::try_from(block.len()).expect("short");
        let png = [
            b"\x89PNG\r\n\x1A\n\0\0\0\x01IHDR.crc_".as_slice(),
            &length.to_be_bytes(),
            b"iTXt",
            &block,
            b"crc_",
        ]
        .concat();
        assert_eq!(read(&png).as_deref(), Some("Unit 204"));
        let length = u32::try_from(NESTED.len()).expect("short").to_le_bytes();
        let webp = [b"RIFF\0\0\0\0WEBPVP8X\x01\0\0\0..XMP ".as_slice(), &length, NESTED.as_bytes()].concat();
        assert_eq!(read(&webp).as_deref(), Some("Unit 204"));
    }

    #[test]
    fn broken_blocks_never_panic() {
        let whole = jpeg_with(&[iptc(92, b"Unit 204"), xmp(NESTED)]);
        for length in 0..whole.len() {
            read(&whole[..length]);
        }
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 0xFF;
            read(&flipped);
        }
    }
}
