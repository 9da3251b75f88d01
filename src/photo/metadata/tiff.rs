//! One TIFF block to its tags, in bounded time and memory.
//!
//! The parser takes a block as it is: directories that point at each other, millions of entries, or megabytes of zeros
//! declared as text cost it gigabytes. So a block is trimmed first, in a copy: the primary directory with one EXIF and
//! one GPS directory, so many entries, values so long. In the same pass, types are mended that have one meaning.

use std::collections::HashSet;
use std::ops::Range;
use std::panic::catch_unwind;

use ::exif::{Context, Exif, In, Reader, Tag, Value};

/// Bytes before the TIFF header that are skipped: `Exif\0\0` twice over, the offset of HEIC, or a writer's own mark.
const PREFIX_MAX: usize = 64;

/// Most entries of one directory that are read. Cameras write about 60.
const ENTRIES_MAX: usize = 512;

/// Longest value that is read, in bytes. Descriptions are cut far below it.
const VALUE_MAX: usize = 16 << 10;

const EXIF_DIRECTORY: u16 = 0x8769;
const GPS_DIRECTORY: u16 = 0x8825;
const INTEROP_DIRECTORY: u16 = 0xA005;

const ASCII: u16 = 2;
const SHORT: u16 = 3;
const LONG: u16 = 4;
/// A directory pointer by its own type (TIFF supplement 1).
const IFD: u16 = 13;
/// UTF-8 text (Exif 3.0, 4.6.2).
const UTF8: u16 = 129;

/// Where the TIFF header is in `bytes`, behind a short prefix; none where there is none.
pub(super) fn start(bytes: &[u8]) -> Option<usize> {
    let room = &bytes[..bytes.len().min(PREFIX_MAX + 4)];
    room.windows(4).position(|window| matches!(window, b"II\x2A\0" | b"MM\0\x2A"))
}

/// The tags of one block.
pub(super) struct Tags(Exif);

/// A number of a tag: none where its denominator is zero.
pub(super) type Number = Option<f64>;

/// Parses `block`.
///
/// # Errors
/// Why it holds no tags.
pub(super) fn parse(block: &[u8]) -> Result<Tags, String> {
    let mut block = block.to_vec();
    trim(&mut block);
    // The parser is given bytes from strangers; a panic in it must cost no more than the metadata.
    let parsed = catch_unwind(|| {
        let mut reader = Reader::new();
        reader.continue_on_error(true);
        reader.read_raw(block).or_else(|error| error.distill_partial_result(|_| {}))
    });
    let exif = parsed
        .map_err(|_| "its EXIF data could not be read".to_owned())?
        .map_err(|error| format!("its EXIF data is damaged ({error})"))?;
    if exif.fields().len() == 0 { Err("its EXIF data is empty".into()) } else { Ok(Tags(exif)) }
}

impl Tags {
    pub(super) fn little_endian(&self) -> bool {
        self.0.little_endian()
    }

    fn value(&self, tag: Tag) -> Option<&Value> {
        let field = self.0.get_field(tag, In::PRIMARY);
        // Scanners and raw converters write EXIF's tags into the primary directory (TIFF/EP).
        let field = field.or_else(|| match tag {
            Tag(Context::Exif, number) => self.0.get_field(Tag(Context::Tiff, number), In::PRIMARY),
            _ => None,
        });
        field.map(|field| &field.value)
    }

    /// The bytes of a text, of whichever type it is.
    pub(super) fn bytes(&self, tag: Tag) -> Option<Vec<u8>> {
        match self.value(tag)? {
            Value::Ascii(lines) => Some(lines.join(&0)),
            Value::Byte(bytes) | Value::Undefined(bytes, _) => Some(bytes.clone()),
            _ => None,
        }
    }

    /// The numbers of a tag, of whichever type they are.
    pub(super) fn numbers(&self, tag: Tag) -> Option<Vec<Number>> {
        let ratio = |num: f64, denom: f64| (denom != 0.0).then(|| num / denom);
        let numbers = match self.value(tag)? {
            Value::Rational(ratios) => {
                ratios.iter().map(|r| ratio(r.num.into(), r.denom.into())).collect::<Vec<_>>()
            }
            Value::SRational(ratios) => ratios.iter().map(|r| ratio(r.num.into(), r.denom.into())).collect(),
            Value::Byte(values) => values.iter().map(|&value| Some(value.into())).collect(),
            Value::Short(values) => values.iter().map(|&value| Some(value.into())).collect(),
            Value::Long(values) => values.iter().map(|&value| Some(value.into())).collect(),
            Value::SShort(values) => values.iter().map(|&value| Some(value.into())).collect(),
            Value::SLong(values) => values.iter().map(|&value| Some(value.into())).collect(),
            Value::SByte(values) => values.iter().map(|&value| Some(value.into())).collect(),
            Value::Float(values) => values.iter().map(|&value| finite(value.into())).collect(),
            Value::Double(values) => values.iter().map(|&value| finite(value)).collect(),
            _ => return None,
        };
        Some(numbers)
    }

    /// The first number of a tag.
    pub(super) fn number(&self, tag: Tag) -> Number {
        self.numbers(tag)?.first().copied().flatten()
    }

    /// Whether the block has the tag at all.
    pub(super) fn has(&self, tag: Tag) -> bool {
        self.value(tag).is_some()
    }
}

fn finite(value: f64) -> Number {
    value.is_finite().then_some(value)
}

/// Makes `block` cheap to parse.
fn trim(block: &mut [u8]) {
    let little_endian = block.starts_with(b"II");
    let mut trimmer = Trimmer { block, little_endian, seen: Vec::new() };
    let Some(primary) = trimmer.long(4) else { return };
    let children = trimmer.directory(primary as usize, true);
    for child in children.into_iter().flatten() {
        if trimmer.directory(child.directory, false).is_none() {
            trimmer.erase(child.entry);
        }
    }
}

/// An entry that points at a directory.
struct Child {
    entry: usize,
    directory: usize,
}

struct Trimmer<'a> {
    block: &'a mut [u8],
    little_endian: bool,
    /// Where the directories that were trimmed lie. They may not overlap, so that none changes another.
    seen: Vec<Range<usize>>,
}

impl Trimmer<'_> {
    /// Trims the directory at `start`; none where there is no directory, or one that overlaps another.
    fn directory(&mut self, start: usize, primary: bool) -> Option<Vec<Child>> {
        let declared = self.short(start)?.into();
        let first = start + 2;
        let count = (self.block.len() - first) / 12;
        let count = count.min(declared).min(ENTRIES_MAX);
        let mut end = first + count * 12;
        if primary && self.long(end).is_some_and(|next| (next as usize) < self.block.len()) {
            // No further directories: they describe the thumbnail.
            self.set_long(end, 0);
            end += 4;
        }
        if self.seen.iter().any(|other| start < other.end && other.start < end) {
            return None;
        }
        self.seen.push(start..end);
        if count < declared {
            self.set_short(start, count as u16);
        }
        let mut children = Vec::new();
        let mut tags = HashSet::new();
        for entry in (first..).step_by(12).take(count) {
            let tag = self.short(entry)?;
            // Of a tag that is there twice, the first counts, as in browsers.
            if !tags.insert(tag) || (tag == INTEROP_DIRECTORY && !primary) {
                self.erase(entry);
                continue;
            }
            if self.short(entry + 2)? == IFD {
                self.set_short(entry + 2, LONG);
            }
            if primary && matches!(tag, EXIF_DIRECTORY | GPS_DIRECTORY) {
                children.push(Child { entry, directory: self.pointer(entry)? });
            } else {
                self.value(entry)?;
            }
        }
        Some(children)
    }

    /// The offset that the pointer at `entry` holds; its type and count are put right.
    fn pointer(&mut self, entry: usize) -> Option<usize> {
        if self.short(entry + 2)? == SHORT {
            let offset = self.short(entry + 8)?;
            self.set_long(entry + 8, offset.into());
        }
        self.set_short(entry + 2, LONG);
        self.set_long(entry + 4, 1);
        Some(self.long(entry + 8)? as usize)
    }

    /// Gives UTF-8 text the type of ASCII, which it extends, and cuts what is too long.
    fn value(&mut self, entry: usize) -> Option<()> {
        if self.short(entry + 2)? == UTF8 {
            self.set_short(entry + 2, ASCII);
        }
        let unit = match self.short(entry + 2)? {
            1 | 2 | 6 | 7 => 1,
            3 | 8 => 2,
            4 | 9 | 11 => 4,
            _ => 8,
        };
        if self.long(entry + 4)? as usize > VALUE_MAX / unit {
            self.set_long(entry + 4, (VALUE_MAX / unit) as u32);
        }
        Some(())
    }

    /// Makes an entry one of no type, which the parser does not look into.
    fn erase(&mut self, entry: usize) {
        self.block[entry..entry + 12].fill(0);
    }

    fn short(&self, at: usize) -> Option<u16> {
        let bytes = *self.block.get(at..)?.first_chunk::<2>()?;
        Some(if self.little_endian { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    }

    fn long(&self, at: usize) -> Option<u32> {
        let bytes = *self.block.get(at..)?.first_chunk::<4>()?;
        Some(if self.little_endian { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }

    fn set_short(&mut self, at: usize, value: u16) {
        let bytes = if self.little_endian { value.to_le_bytes() } else { value.to_be_bytes() };
        self.block[at..at + 2].copy_from_slice(&bytes);
    }

    fn set_long(&mut self, at: usize, value: u32) {
        let bytes = if self.little_endian { value.to_le_bytes() } else { value.to_be_bytes() };
        self.block[at..at + 4].copy_from_slice(&bytes);
    }
}
