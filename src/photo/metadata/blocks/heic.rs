//! HEIC: the items `Exif` and XMP of the box `meta` (ISO/IEC 23008-12 annex A, ISO/IEC 14496-12 8.11).

use super::{Blocks, EXIF_MAX};

/// Most items that are looked through. A 200 MP photo has about 1,000 tiles.
const ITEMS_MAX: usize = 8192;

/// Most metadata items among them.
const METADATA_ITEMS_MAX: usize = 64;

/// Most parts that all items together have.
const EXTENTS_MAX: u64 = 65_536;

const XMP_TYPE: &[u8] = b"application/rdf+xml";

/// Reads the metadata items, those that describe the primary picture first.
pub(super) fn find<'a>(bytes: &'a [u8], blocks: &mut Blocks<'a>) {
    let Some(meta) = child(bytes, *b"meta").and_then(|body| body.get(4..)) else { return };
    let primary = child(meta, *b"pitm").and_then(primary);
    let mut items = child(meta, *b"iinf").map(items).unwrap_or_default();
    let described = child(meta, *b"iref").map(descriptions).unwrap_or_default();
    // Of the primary picture, then of none in particular, then of others.
    items.sort_by_key(|item| {
        let mut of = described.iter().filter(|(from, _)| *from == item.id).map(|(_, to)| *to);
        match of.clone().next() {
            None => 1,
            Some(_) if of.any(|to| Some(to) == primary) => 0,
            Some(_) => 2,
        }
    });
    let (Some(places), idat) = (child(meta, *b"iloc"), child(meta, *b"idat")) else { return };
    for item in items {
        let Some(body) = content(places, item.id, bytes, idat.unwrap_or_default(), blocks) else { continue };
        match item.kind {
            // Four bytes tell where the TIFF block begins. Writers get them wrong, so it is looked for instead.
            Kind::Exif => blocks.exif(body),
            Kind::Xmp => blocks.xmp(body),
        }
    }
}

/// The children of a box, up to the first that is damaged; one that overruns its parent ends there.
fn boxes(bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (size, after) = rest.split_first_chunk::<4>()?;
        let (name, mut body) = after.split_first_chunk::<4>()?;
        let length = match u32::from_be_bytes(*size) {
            0 => body.len(),
            1 => {
                let (size, after) = body.split_first_chunk::<8>()?;
                body = after;
                usize::try_from(u64::from_be_bytes(*size)).ok()?.checked_sub(16)?
            }
            size => (size as usize).checked_sub(8)?,
        };
        let length = length.min(body.len());
        rest = &body[length..];
        Some((*name, &body[..length]))
    })
}

fn child(bytes: &[u8], wanted: [u8; 4]) -> Option<&[u8]> {
    boxes(bytes).find_map(|(name, body)| (name == wanted).then_some(body))
}

/// Big-endian numbers taken off the front of a slice.
struct Numbers<'a>(&'a [u8]);

impl<'a> Numbers<'a> {
    /// A number of `size` bytes, at most 8; no bytes are a zero.
    fn next(&mut self, size: usize) -> Option<u64> {
        let bytes = self.slice(size)?;
        Some(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn slice(&mut self, size: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(size)?;
        self.0 = rest;
        Some(head)
    }

    /// The version of a full box; its flags are skipped.
    fn version(&mut self) -> Option<u64> {
        let version = self.next(1)?;
        self.slice(3)?;
        Some(version)
    }
}

fn primary(body: &[u8]) -> Option<u64> {
    let mut numbers = Numbers(body);
    let size = if numbers.version()? == 0 { 2 } else { 4 };
    numbers.next(size)
}

enum Kind {
    Exif,
    Xmp,
}

struct Item {
    id: u64,
    kind: Kind,
}

/// The metadata items that `iinf` lists.
fn items(body: &[u8]) -> Vec<Item> {
    let mut numbers = Numbers(body);
    let Some(version) = numbers.version() else { return Vec::new() };
    if numbers.next(if version == 0 { 2 } else { 4 }).is_none() {
        return Vec::new();
    }
    let entries = boxes(numbers.0).take(ITEMS_MAX).filter(|(name, _)| name == b"infe");
    entries.filter_map(|(_, body)| item(body)).take(METADATA_ITEMS_MAX).collect()
}

fn item(body: &[u8]) -> Option<Item> {
    let mut numbers = Numbers(body);
    let id = match numbers.version()? {
        2 => numbers.next(2)?,
        3 => numbers.next(4)?,
        _ => return None,
    };
    let _protection = numbers.next(2)?;
    match numbers.slice(4)? {
        b"Exif" => Some(Item { id, kind: Kind::Exif }),
        b"mime" => {
            // A name that ends with a zero, then the content type.
            let name = numbers.0.iter().position(|&byte| byte == 0)?;
            numbers.0[name + 1..].starts_with(XMP_TYPE).then_some(Item { id, kind: Kind::Xmp })
        }
        _ => None,
    }
}

/// Which item describes which: the references `cdsc` of `iref`.
fn descriptions(body: &[u8]) -> Vec<(u64, u64)> {
    let mut numbers = Numbers(body);
    let Some(version) = numbers.version() else { return Vec::new() };
    let size = if version == 0 { 2 } else { 4 };
    let mut found = Vec::new();
    for (name, body) in boxes(numbers.0).take(ITEMS_MAX) {
        let mut numbers = Numbers(body);
        let (true, Some(from), Some(_count)) = (name == *b"cdsc", numbers.next(size), numbers.next(2)) else {
            continue;
        };
        while let (true, Some(to)) = (found.len() < ITEMS_MAX, numbers.next(size)) {
            found.push((from, to));
        }
    }
    found
}

/// The bytes of the item `id`, as `iloc` places them in the file or in `idat`.
fn content<'a>(
    places: &[u8],
    id: u64,
    file: &'a [u8],
    idat: &'a [u8],
    blocks: &mut Blocks<'a>,
) -> Option<std::borrow::Cow<'a, [u8]>> {
    let mut numbers = Numbers(places);
    let version = numbers.version()?;
    let sizes = numbers.next(2)?;
    let size = |shift: u32| (sizes >> shift & 15) as usize;
    let (offset, length, base, index) = (size(12), size(8), size(4), size(0));
    let wide = if version < 2 { 2 } else { 4 };
    let count = numbers.next(wide)?;
    let mut extents_left = EXTENTS_MAX;
    for _ in 0..count.min(ITEMS_MAX as u64) {
        let found = numbers.next(wide)?;
        let method = if version == 0 { 0 } else { numbers.next(2)? & 15 };
        let _data_reference = numbers.next(2)?;
        let start = numbers.next(base)?;
        let extents = numbers.next(2)?;
        // Extents may take no bytes at all: their number alone must not cost time.
        extents_left = extents_left.checked_sub(extents)?;
        let source = match method {
            0 => file,
            1 => idat,
            _ => &[],
        };
        let mut parts = Vec::new();
        for _ in 0..extents {
            if version > 0 {
                numbers.next(index)?;
            }
            let from = usize::try_from(start.checked_add(numbers.next(offset)?)?).ok()?;
            let length = usize::try_from(numbers.next(length)?).ok()?;
            if found == id {
                let body = source.get(from..)?;
                // No length stands for all of it.
                parts.push(if length == 0 { body } else { &body[..length.min(body.len())] });
            }
        }
        if found == id {
            return join(&parts, blocks);
        }
    }
    None
}

/// Extents put together, where there are several.
fn join<'a>(parts: &[&'a [u8]], blocks: &mut Blocks<'a>) -> Option<std::borrow::Cow<'a, [u8]>> {
    if let [only] = parts {
        return Some((*only).into());
    }
    let length = parts.iter().map(|part| part.len()).sum::<usize>().min(EXIF_MAX);
    let granted = blocks.take(length)?;
    Some(parts.iter().flat_map(|part| part.iter().copied()).take(granted).collect::<Vec<u8>>().into())
}
