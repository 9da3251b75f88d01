//! Blocks made to cost memory and time.

use std::fmt::Write as _;

use super::containers::{Chunk, deflated, png, webp};
use super::*;

/// A directory of `count` entries made by `entry`, big-endian.
fn directory(count: u16, entry: impl Fn(u16) -> [u8; 12]) -> Vec<u8> {
    [&count.to_be_bytes(), (0..count).flat_map(entry).collect::<Vec<u8>>().as_slice(), &[0; 4]].concat()
}

fn pointing(tag: u16, kind: u16, count: u32, value: u32) -> [u8; 12] {
    let mut entry = [0; 12];
    entry[..2].copy_from_slice(&tag.to_be_bytes());
    entry[2..4].copy_from_slice(&kind.to_be_bytes());
    entry[4..8].copy_from_slice(&count.to_be_bytes());
    entry[8..].copy_from_slice(&value.to_be_bytes());
    entry
}

/// Megabytes of zeros that four tags name as text: each zero becomes a string of its own in the parser.
#[test]
fn zeros_named_as_text_cost_no_memory() {
    const ZEROS: u32 = 8 << 20;
    let tags = [0x010E_u16, 0x010F, 0x0110, 0x0131];
    let entries = directory(4, |index| pointing(tags[usize::from(index)], 2, ZEROS - 100, 100));
    let mut block = [b"MM\0\x2A\0\0\0\x08", entries.as_slice()].concat();
    block.resize(ZEROS as usize, 0);
    let file = webp(&[(b"EXIF", block)]);
    let capture = read(&file);
    assert!(matches!(capture.camera, Known::Unknown(_)));
    let blocks = blocks::find(&file);
    assert_eq!(blocks.exif.iter().map(|block| block.len()).collect::<Vec<_>>(), [blocks::EXIF_MAX]);
    let tags = tiff::parse(&blocks.exif[0]).expect("read");
    let text = tags.bytes(Tag::Make).unwrap_or_default();
    assert!(text.len() <= 16 << 10, "{}", text.len());
}

/// Directories that all point at each other: their number is what a parser without a bound multiplies.
#[test]
fn directories_do_not_multiply() {
    for inner in [0x8769_u16, 0xA005, 0x8825] {
        let entries = directory(5_000, |index| {
            pointing(if index % 2 == 0 { 0x8769 } else { inner }, 4, 1, u32::from(index) * 12 + 10)
        });
        let mut block = [b"MM\0\x2A\0\0\0\x08", entries.as_slice()].concat();
        block.truncate(65_000);
        let parsed = tiff::parse(&block);
        assert!(parsed.is_err() || parsed.is_ok_and(|tags| !tags.has(Tag::GPSLatitude)));
    }
    // A chain of directories, and one that is its own successor.
    let mut own = sample::tiff(&position(), false);
    let after = 8 + 2 + usize::from(own[9]) * 12;
    own[after..after + 4].copy_from_slice(&8_u32.to_be_bytes());
    assert_eq!(place(&read(&own)), Some((52.5, -13.4)));
}

#[test]
fn quirks_of_directories_cost_no_fact() {
    let whole = sample::tiff(&whole(), false);
    let pointer = entry(&whole, 0x8825);
    let changed = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut tiff = whole.clone();
        change(&mut tiff);
        tiff
    };
    let table = [
        ("a pointer with a type of its own", changed(&|tiff| tiff[pointer + 3] = 13)),
        ("a pointer of unknown type", changed(&|tiff| tiff[pointer + 3] = 7)),
        ("a pointer that counts wrongly", changed(&|tiff| tiff[pointer + 7] = 9)),
        ("junk behind the block", changed(&|tiff| tiff.extend([0xAA; 500]))),
        (
            "more entries declared than there are",
            changed(&|tiff| {
                // The directory goes to the end of the block: its entries are all there, the count is not true.
                let first = u32::from_be_bytes([tiff[4], tiff[5], tiff[6], tiff[7]]) as usize;
                tiff[first + 1] += 1;
            }),
        ),
    ];
    for (what, tiff) in table {
        assert_eq!(place(&read(&tiff)), Some((52.5, -13.4)), "{what}");
    }
}

#[test]
fn packed_texts_are_not_inflated_beyond_their_cap() {
    let bomb = deflated(&vec![b' '; 24 << 20]);
    let text = |keyword: &str| [keyword.as_bytes(), b"\0\0", &bomb].concat();
    let real = (b"eXIf", sample::tiff(&position(), false));
    let chunks: Vec<Chunk> = (0..200)
        .map(|_| (b"zTXt", text("Raw profile type exif")))
        .chain([(b"zTXt", text("Comment")), real])
        .collect();
    assert_eq!(place(&read(&png(&chunks))), Some((52.5, -13.4)));
    let long: String = (0..100_000).fold(String::new(), |mut text, index| {
        write!(text, "<a{index}/>").expect("writes");
        text
    });
    let file = jpeg(&[(0xE1, app1(&sample::tiff(&position(), false)))]);
    let extended = png(&[(b"iTXt", [b"XML:com.adobe.xmp\0\0\0\0\0", long.as_bytes()].concat())]);
    assert!(place(&read(&file)).is_some() && place(&read(&extended)).is_none());
}

#[test]
fn many_blocks_are_as_cheap_as_a_few() {
    let block = sample::tiff(&[(Tag::Make, ascii("A"))], false);
    let file = webp(&vec![(b"EXIF", block); 5_000]);
    assert!(blocks::find(&file).exif.len() <= 8);
    let packets = webp(&vec![(b"XMP ", packet("tiff:Make='A'").into_bytes()); 1_000]);
    assert!(blocks::find(&packets).xmp.len() <= 8);
}
