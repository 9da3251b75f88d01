//! Bytes to upright pixels: one 12 MP photo a call.

use std::sync::LazyLock;

use divan::Bencher;
use punchlens::domain::geometry::Size;
use punchlens::domain::picture::Picture;
use punchlens::photo::{self, Limits, encode};

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

#[divan::bench(args = [512, 1024, 2048])]
fn jpeg_12mp_to_long_side(bencher: Bencher<'_, '_>, long_side: u32) {
    let limits = limits();
    bencher.bench(|| photo::decode(&JPEG, &limits, Some(long_side)).expect("decodes"));
}

#[divan::bench]
fn jpeg_12mp_full(bencher: Bencher<'_, '_>) {
    let limits = limits();
    bencher.bench(|| photo::decode(&JPEG, &limits, None).expect("decodes"));
}

#[divan::bench]
fn exif_alone(bencher: Bencher<'_, '_>) {
    bencher.bench(|| photo::exif::read(&JPEG));
}

#[divan::bench]
fn review_jpeg_1600(bencher: Bencher<'_, '_>) {
    let picture = photo::decode(&JPEG, &limits(), Some(1600)).expect("decodes").picture;
    bencher.bench(|| encode::review_jpeg(&picture, 85).expect("encodes"));
}
