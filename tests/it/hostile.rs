//! Photos that mean harm, through the whole service: bounded memory, a reason recorded, the next photo unaffected.

use std::io::Write as _;

use punchlens::simulator::{Limits, Options};
use punchlens::store::PhotoState;

use crate::support::detector::{photo, sees};
use crate::support::{Setup, TestApp};

const UNIT: [&str; 3] = ["Building A", "Floor 2", "Unit 204"];

/// More memory than this is never needed at once, whatever a file declares; unbounded, the largest of these would
/// take more than ten times as much.
const MEMORY_MAX: u64 = 1 << 30;

fn segment(marker: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len() + 2).expect("fits a segment");
    [&[0xFF, marker][..], &length.to_be_bytes(), body].concat()
}

/// A grey JPEG that declares `width` by `height` and has `scans` scans of nothing.
fn hollow_jpeg(frame: u8, width: u16, height: u16, scans: usize) -> Vec<u8> {
    let mut size = vec![8];
    size.extend(height.to_be_bytes());
    size.extend(width.to_be_bytes());
    size.extend([1, 1, 0x11, 0]);
    let table = [&[0_u8][..], &[1; 64]].concat();
    let codes = |class: u8| [&[class, 1][..], &[0; 15], &[0]].concat();
    let mut bytes = vec![0xFF, 0xD8];
    for part in
        [segment(0xDB, &table), segment(frame, &size), segment(0xC4, &codes(0)), segment(0xC4, &codes(0x10))]
    {
        bytes.extend(part);
    }
    for _ in 0..scans {
        bytes.extend(segment(0xDA, &[1, 1, 0, 0, 0, 0]));
        bytes.extend([0; 16]);
    }
    bytes.extend([0xFF, 0xD9]);
    bytes
}

fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 })
    };
    !bytes.iter().fold(!0, step)
}

fn chunk(name: [u8; 4], body: &[u8]) -> Vec<u8> {
    let named = [&name[..], body].concat();
    [&(body.len() as u32).to_be_bytes()[..], &named, &crc(&named).to_be_bytes()].concat()
}

/// Stored blocks of zlib: as long as it says, without any compression. Enough for a decoder to begin with.
fn zlib(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("one block");
    let (a, b) = bytes.iter().fold((1_u32, 0_u32), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    let head = [0x78, 0x01, 0x01];
    [&head[..], &length.to_le_bytes(), &(!length).to_le_bytes(), bytes, &(b << 16 | a).to_be_bytes()].concat()
}

/// A PNG of `width` by `height` with `extra` before its few pixels.
fn png(width: u32, height: u32, extra: &[u8]) -> Vec<u8> {
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    let row = vec![0_u8; 1 + 3 * 64];
    let parts = [
        b"\x89PNG\r\n\x1a\n".to_vec(),
        chunk(*b"IHDR", &header),
        extra.to_vec(),
        chunk(*b"IDAT", &zlib(&row)),
        chunk(*b"IEND", &[]),
    ];
    parts.concat()
}

/// A megabyte of zeros for each thousand bytes, as often as wanted: what a text or profile chunk unfolds to.
fn unfolding(megabytes: usize) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive.start_file("zeros", zip::write::SimpleFileOptions::default()).expect("an archive");
    for _ in 0..megabytes {
        archive.write_all(&vec![0; 1 << 20]).expect("written");
    }
    let bytes = archive.finish().expect("an archive").into_inner();
    // The raw deflate stream between the local header and the directory, in zlib's clothes.
    let name = usize::from(u16::from_le_bytes([bytes[26], bytes[27]]));
    let extra = usize::from(u16::from_le_bytes([bytes[28], bytes[29]]));
    let end = bytes.windows(4).rposition(|window| window == b"PK\x01\x02").expect("a directory");
    [&[0x78, 0x9C][..], &bytes[30 + name + extra..end], &[0; 4]].concat()
}

/// Everything with its name. What is none of our formats, or declares too much, or breaks off.
fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    let whole = photo(true, 1);
    let profile = [&b"icc\0\0"[..], &unfolding(300)].concat();
    let text = [&b"Comment\0\0"[..], &unfolding(300)].concat();
    let mut frames = chunk(*b"acTL", &[&100_000_u32.to_be_bytes()[..], &0_u32.to_be_bytes()].concat());
    frames.extend(chunk(*b"fcTL", &[0; 26]));
    let mut much_said = vec![0xFF, 0xD8];
    for _ in 0..500 {
        much_said.extend(segment(0xE1, &[&b"Exif\0\0"[..], &vec![0x4D; 65_000]].concat()));
    }
    much_said.extend(&whole[2..]);
    vec![
        ("declares 65500 x 65500.jpg", hollow_jpeg(0xC0, 65_500, 65_500, 1)),
        ("declares 30000 x 30000.jpg", hollow_jpeg(0xC0, 30_000, 30_000, 1)),
        ("declares 2 billion x 2 billion.png", png(0x7FFF_FFFF, 0x7FFF_FFFF, &[])),
        ("declares 60000 x 60000.png", png(60_000, 60_000, &[])),
        ("ten thousand scans.jpg", hollow_jpeg(0xC2, 8_000, 6_000, 10_000)),
        ("unfolding profile.png", png(64, 2, &chunk(*b"iCCP", &profile))),
        ("unfolding text.png", png(64, 2, &chunk(*b"zTXt", &text))),
        ("a hundred thousand frames.png", png(64, 2, &frames)),
        ("animated.gif", [b"GIF89a".as_slice(), &[0x40, 0, 0x40, 0, 0, 0, 0], &[0x2C; 4000]].concat()),
        (
            "animated.webp",
            [b"RIFF\xFF\xFF\xFF\x7FWEBPVP8X\x0A\0\0\0\x02\0\0\0\xFF\xFF\xFF\xFF\xFF\xFF".as_slice(), b"ANIM"]
                .concat(),
        ),
        ("nothing.jpg", Vec::new()),
        ("half.jpg", whole[..whole.len() / 2].to_vec()),
        ("only a beginning.jpg", vec![0xFF, 0xD8, 0xFF]),
        ("a page.jpg", b"<html><body>Sign in to the site's network</body></html>".to_vec()),
        ("a program.jpg", [b"\x7FELF".as_slice(), &[0; 3000]].concat()),
        ("a document.jpg", b"%PDF-1.7\n%\xE2\xE3\xCF\xD3\n1 0 obj <</Type/Catalog>> endobj".to_vec()),
        ("much said.jpg", much_said),
        ("100 megabytes.jpg", [&whole[..], &vec![0xAB; 100 << 20]].concat()),
    ]
}

/// Names of those that are harmless after all: a picture can be got out of them in bounded memory.
const READABLE: [&str; 3] = ["half.jpg", "much said.jpg", "a hundred thousand frames.png"];

#[cfg(target_os = "linux")]
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("the high-water mark");
    let kilobytes: u64 = line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).expect("a number");
    kilobytes << 10
}

#[cfg(not(target_os = "linux"))]
fn peak_memory() -> u64 {
    0
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_photos_are_settled_with_a_reason_and_hurt_nobody() {
    let options = Options { limits: Limits::generous(), body_limit_bytes: 256 << 20, ..Options::default() };
    let app = TestApp::start(sees(&["crack"]), Setup { options, ..Setup::default() }).await;
    let before = peak_memory();
    let hostile = hostile();
    let count = hostile.len();
    for (name, bytes) in hostile {
        app.upload(name, bytes, &UNIT).await;
    }
    app.upload("good.jpg", photo(true, 2), &UNIT).await;
    app.until_settled(count + 1).await;
    for summary in app.photos().await {
        let (name, state) = (summary.photo.filename.as_str(), &summary.photo.state);
        println!("{name}: {state:?}");
        match state {
            PhotoState::Failed { reason } => assert!(!reason.is_empty() && name != "good.jpg", "{name}"),
            PhotoState::Analysed => {
                assert!(name == "good.jpg" || READABLE.contains(&name), "{name} was read");
            }
            PhotoState::Skipped { reason } => panic!("{name} was passed over: {reason}"),
        }
    }
    assert!(
        app.photos()
            .await
            .iter()
            .any(|summary| summary.photo.filename == "good.jpg" && !summary.cards.is_empty())
    );
    let missing = app.store.unaccounted(jiff::Timestamp::now()).await.expect("store");
    assert_eq!(missing.photos, 0, "every photo is accounted for");
    let grown = peak_memory().saturating_sub(before);
    println!("peak memory grew by {} MiB, the simulator's copies included", grown >> 20);
    assert!(grown < MEMORY_MAX, "{} MiB", grown >> 20);
    app.finish().await;
}
