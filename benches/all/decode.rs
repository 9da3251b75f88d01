//! Bytes to upright pixels: one 12 MP photo a call, by every JPEG library of this build.

use std::sync::LazyLock;

use divan::Bencher;
use punchlens::domain::geometry::Size;
use punchlens::domain::picture::Picture;
use punchlens::photo::{self, JpegLibrary, Limits, encode};
use rusty_jpeg::{ColorType, Encoder, SamplingFactor};

/// Upright size of the benchmark photo, that of most phones.
pub(crate) const SIZE: (u32, u32) = (4000, 3000);

/// A seeded wall: slow shades, grain and a dark crooked line, so that entropy coding has work to do.
pub(crate) static JPEG: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let size = Size::new(SIZE.0, SIZE.1);
    let picture = Picture::new(Size::new(SIZE.0, SIZE.1), size, wall(SIZE.0, SIZE.1)).expect("sized");
    encode::review_jpeg(&picture, 90).expect("encodes")
});

/// The pixels of the wall.
pub(crate) fn wall(width: u32, height: u32) -> Vec<u8> {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut rgb = Vec::with_capacity((width * height * 3) as usize);
    for y in 0..height {
        let line = width / 2 + (f64::from(y) / 90.0).sin().mul_add(120.0, f64::from(y % 37)) as u32;
        for x in 0..width {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let grain = (state >> 59) as u8;
            let shade = 150 + (x / 97 % 20) as u8 + (y / 71 % 30) as u8;
            let dark = if x.abs_diff(line) < 5 { 90 } else { 0 };
            rgb.extend([shade - dark + grain, shade - dark, shade.saturating_sub(dark + 12)]);
        }
    }
    rgb
}

/// The shipped limits.
pub(crate) fn limits() -> Limits {
    let fragment: toml::Table = toml::from_str(photo::DEFAULT_CONFIG).expect("the shipped fragment parses");
    fragment["photo"].clone().try_into().expect("it is the section")
}

/// How the file is written: as phones do, in progressive scans, or with a restart marker in every row.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Baseline,
    Progressive,
    Restarts,
}

const KINDS: [Kind; 3] = [Kind::Baseline, Kind::Progressive, Kind::Restarts];

/// The wall of a seed in each kind, 4:2:0 as phones write it.
static FILES: LazyLock<[Vec<u8>; 3]> = LazyLock::new(|| {
    let wall = wall(SIZE.0, SIZE.1);
    KINDS.map(|kind| {
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, 90);
        encoder.set_sampling_factor(SamplingFactor::F_2_2);
        encoder.set_progressive(matches!(kind, Kind::Progressive));
        if matches!(kind, Kind::Restarts) {
            encoder.set_restart_interval(SIZE.0.div_ceil(16) as u16);
        }
        encoder.encode(&wall, SIZE.0 as u16, SIZE.1 as u16, ColorType::Rgb).expect("encodes");
        bytes
    })
});

/// Every library with every reduction of a baseline file.
fn reductions() -> impl Iterator<Item = (JpegLibrary, &'static str)> {
    let sizes = ["1/8", "1/4", "1/2", "full"];
    JpegLibrary::ALL.iter().flat_map(move |&library| sizes.map(|size| (library, size)))
}

fn side(size: &str) -> Option<u32> {
    Some(SIZE.0 / size.strip_prefix("1/")?.parse::<u32>().ok()?)
}

#[divan::bench(args = reductions())]
fn jpeg_12mp(bencher: Bencher<'_, '_>, (library, size): (JpegLibrary, &'static str)) {
    let (limits, file) = (limits(), &FILES[0]);
    bencher.bench(|| photo::decode_with(library, file, &limits, side(size)).expect("decodes"));
}

fn kinds() -> impl Iterator<Item = (JpegLibrary, usize)> {
    JpegLibrary::ALL.iter().flat_map(|&library| (0..KINDS.len()).map(move |kind| (library, kind)))
}

/// At a quarter of the size: 0 baseline, 1 progressive, 2 with restart markers.
#[divan::bench(args = kinds())]
fn jpeg_12mp_by_kind(bencher: Bencher<'_, '_>, (library, kind): (JpegLibrary, usize)) {
    let (limits, file) = (limits(), &FILES[kind]);
    bencher.bench(|| photo::decode_with(library, file, &limits, side("1/4")).expect("decodes"));
}

#[divan::bench]
fn exif_alone(bencher: Bencher<'_, '_>) {
    bencher.bench(|| photo::metadata::read(&JPEG));
}

#[divan::bench]
fn review_jpeg_1600(bencher: Bencher<'_, '_>) {
    let picture = photo::decode(&JPEG, &limits(), Some(1600)).expect("decodes").picture;
    bencher.bench(|| encode::review_jpeg(&picture, 85).expect("encodes"));
}
