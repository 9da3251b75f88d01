//! HEIC against libheif: `heif-enc` makes the files, `heif-convert` says what they show, and the boxes between them are
//! written here.
//!
//! Debian 12 has libheif 1.15. What is particular about it: it knows no tiles when it encodes, so grids are put together
//! here; its `heif-convert` writes 16-bit PNG for deeper pictures.
#![expect(
    clippy::print_stdout,
    clippy::trivially_copy_pass_by_ref,
    reason = "a skipped check is named and peaks are told; kinds of boxes are byte strings"
)]

mod boxes;
mod cases;
mod conformance;
mod damage;
mod libheif;
mod matrix;
mod scores;

use std::path::{Path, PathBuf};

use image::RgbImage;
use punchlens::config::load_from;
use punchlens::photo::{self, Limits, Photo};

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/cases")
}

/// The limits of a box on which nothing is configured.
fn limits() -> Limits {
    load_from(None, std::iter::empty()).expect("the defaults are sound").config.photo
}

fn decode(bytes: &[u8]) -> Result<Photo, photo::Error> {
    photo::decode(bytes, &limits(), None)
}

/// Its pixels as this service sees them.
fn pixels(bytes: &[u8]) -> RgbImage {
    let picture = decode(bytes).expect("decodes").picture;
    let size = picture.size();
    RgbImage::from_raw(size.width, size.height, picture.into_rgb()).expect("as long as its size")
}

/// A picture with fine detail, flat areas and strong colours, of any size.
fn scene(width: u32, height: u32) -> RgbImage {
    let photo = image::open(cases().join("heic-colour/dark-crack.jpg")).expect("a photo").into_rgb8();
    let (own_width, own_height) = photo.dimensions();
    RgbImage::from_fn(width, height, |x, y| {
        let ramp = |side: u32, at: u32| (at * 255 / side.max(2).saturating_sub(1)).min(255) as u8;
        match (x * 3 / width, y * 2 / height) {
            (0, _) => *photo.get_pixel(x * 2 % own_width, y * 2 % own_height),
            (1, _) => image::Rgb([ramp(width, x), ramp(height, y), 128]),
            (_, 0) => image::Rgb([ramp(height, y * 2); 3]),
            _ => image::Rgb([220, 40, ramp(width, x)]),
        }
    })
}

/// Mean difference of the channels, and the largest difference of the means of blocks of 8 by 8 pixels.
fn differences(ours: &RgbImage, theirs: &RgbImage) -> (f64, f64) {
    assert_eq!(ours.dimensions(), theirs.dimensions());
    let total: u64 = ours.iter().zip(theirs.iter()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    let (width, height) = ours.dimensions();
    let mut worst = 0.0_f64;
    for (top, left) in (0..height / 8).flat_map(|y| (0..width / 8).map(move |x| (y * 8, x * 8))) {
        for channel in 0..3 {
            let difference = |at: u32| {
                let (x, y) = (left + at % 8, top + at / 8);
                f64::from(ours.get_pixel(x, y).0[channel]) - f64::from(theirs.get_pixel(x, y).0[channel])
            };
            worst = worst.max(((0..64).map(difference).sum::<f64>() / 64.0).abs());
        }
    }
    (total as f64 / ours.len() as f64, worst)
}

/// Fails unless `ours` is what `theirs` is, but for rounding.
fn same(name: &str, ours: &RgbImage, theirs: &RgbImage) {
    assert_eq!(ours.dimensions(), theirs.dimensions(), "{name}");
    let (mean, block) = differences(ours, theirs);
    println!("{name}: mean {mean:.3}, worst block {block:.2}");
    assert!(mean <= 1.0 && block <= 6.0, "{name}: mean {mean:.3}, worst block {block:.2}");
}
