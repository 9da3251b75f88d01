//! Every orientation in every container at three sizes, pixel by pixel, and the memory that each file takes.

use std::io::Cursor;
use std::process::Command;

use image::codecs::{jpeg::JpegEncoder, png::PngEncoder, webp::WebPEncoder};
use image::metadata::Orientation;
use image::{DynamicImage, ExtendedColorType, ImageEncoder, RgbImage};
use punchlens::photo;
use tempfile::TempDir;

use super::boxes::{Item, coded, file, imir, irot};
use super::{cases, libheif, limits, pixels, same, scene};

const SIZES: [(u32, u32); 3] = [(72, 64), (640, 482), (1538, 1026)];

/// What a decoder may take beside what is counted: tables, the stack, the allocator's own.
const BESIDE: u64 = 12 << 20;

/// The file whose memory the child measures.
const CHILD: &str = "PUNCHLENS_TEST_PEAK_OF";

fn exif(orientation: u8) -> Vec<u8> {
    // One field: Orientation (0x0112), one SHORT.
    let field = [0x12, 0x01, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0];
    [b"II*\0\x08\0\0\0\x01\0".as_slice(), &field, &[0; 4]].concat()
}

fn written(encoder: impl ImageEncoder, picture: &RgbImage, orientation: u8) {
    let mut encoder = encoder;
    encoder.set_exif_metadata(exif(orientation)).expect("a format with EXIF");
    let (width, height) = picture.dimensions();
    encoder.write_image(picture, width, height, ExtendedColorType::Rgb8).expect("encodes");
}

/// What a phone writes beside a picture that is to be turned so.
fn transformations(orientation: u8) -> Vec<Vec<u8>> {
    match orientation {
        2 => vec![imir(1)],
        3 => vec![irot(2)],
        4 => vec![imir(0)],
        5 => vec![irot(1), imir(0)],
        6 => vec![irot(3)],
        7 => vec![irot(1), imir(1)],
        8 => vec![irot(1)],
        _ => vec![],
    }
}

fn turned(picture: &RgbImage, orientation: u8) -> RgbImage {
    let mut picture = DynamicImage::ImageRgb8(picture.clone());
    picture.apply_orientation(Orientation::from_exif(orientation).expect("1 to 8"));
    picture.into_rgb8()
}

#[test]
fn jpeg_png_and_webp_in_every_orientation_and_size() {
    let folder = TempDir::new().expect("a folder");
    for (width, height) in SIZES {
        let stored = scene(width, height);
        for orientation in 1..=8 {
            for name in ["jpeg", "png", "webp"] {
                let mut bytes = Cursor::new(Vec::new());
                match name {
                    "jpeg" => written(JpegEncoder::new_with_quality(&mut bytes, 95), &stored, orientation),
                    "png" => written(PngEncoder::new(&mut bytes), &stored, orientation),
                    _ => written(WebPEncoder::new_lossless(&mut bytes), &stored, orientation),
                }
                let bytes = bytes.into_inner();
                let reference = image::load_from_memory(&bytes).expect("decodes").into_rgb8();
                let expected = turned(&reference, orientation);
                let title = format!("{name} {width}×{height}, orientation {orientation}");
                if name == "jpeg" {
                    same(&title, &pixels(&bytes), &expected);
                } else {
                    assert!(pixels(&bytes) == expected, "{title}");
                }
                bounded(&folder, &title, &bytes, None);
            }
        }
    }
}

#[test]
fn heic_in_every_orientation_and_size() {
    if !libheif::there() {
        return;
    }
    let folder = TempDir::new().expect("a folder");
    for (width, height) in SIZES {
        let plain =
            coded(&libheif::encode(&DynamicImage::ImageRgb8(scene(width, height)), &[]), width, height);
        let stored = libheif::decode(&file(std::slice::from_ref(&plain), 1));
        for orientation in 1..=8 {
            let mut properties = plain.properties.clone();
            properties.extend(transformations(orientation));
            let bytes = file(&[Item { properties, ..plain.clone() }], 1);
            let title = format!("heic {width}×{height}, orientation {orientation}");
            let expected = turned(&stored, orientation);
            if width < 100 {
                assert!(libheif::decode(&bytes) == expected, "libheif turns {title} as we think it does");
            }
            same(&title, &pixels(&bytes), &expected);
            bounded(&folder, &title, &bytes, None);
        }
    }
}

#[test]
fn a_photo_in_tiles_takes_what_is_counted() {
    let folder = TempDir::new().expect("a folder");
    let bytes = std::fs::read(cases().join("heic-kinds/grid48.heic")).expect("a fixture");
    bounded(&folder, "12 megapixels for the model", &bytes, Some(1024));
}

#[test]
#[ignore = "unoptimised, 50 megapixels take half a minute each"]
fn photos_of_current_phones_take_what_is_counted() {
    let folder = TempDir::new().expect("a folder");
    for name in ["iphone-48mp", "samsung-50mp"] {
        let bytes = std::fs::read(cases().join(format!("heic-48mp/{name}.heic"))).expect("a fixture");
        for side in [Some(1024), None] {
            bounded(&folder, &format!("{name} for {side:?}"), &bytes, side);
        }
    }
}

/// Decodes `bytes` in a process of its own and holds its peak against what is counted.
fn bounded(folder: &TempDir, title: &str, bytes: &[u8], long_side: Option<u32>) {
    if !cfg!(target_os = "linux") {
        return println!("SKIPPED: the peak is read from /proc");
    }
    let counted = photo::decoded_bytes(bytes, &limits(), long_side).expect("a header");
    let path = folder.path().join("photo");
    std::fs::write(&path, bytes).expect("written");
    let side = long_side.map_or_else(String::new, |side| side.to_string());
    let output = Command::new(std::env::current_exe().expect("this test"))
        .args(["heic::matrix::peak_of_one", "--exact", "--ignored", "--nocapture"])
        .env(CHILD, &path)
        .env("PUNCHLENS_TEST_LONG_SIDE", side)
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let peak = said.split_once("peak=").and_then(|(_, rest)| rest.split_whitespace().next());
    let peak: u64 = peak.and_then(|peak| peak.parse().ok()).unwrap_or_else(|| panic!("{said}"));
    println!("{title}: counted {} kB, taken {} kB", counted >> 10, peak >> 10);
    assert!(peak <= counted + BESIDE, "{title}: {peak} bytes taken, {counted} counted");
}

#[test]
#[ignore = "the child of `bounded`"]
fn peak_of_one() {
    let path = std::env::var(CHILD).expect("told which file");
    let side = std::env::var("PUNCHLENS_TEST_LONG_SIDE").expect("told how large").parse().ok();
    let bytes = std::fs::read(path).expect("a file");
    let limits = limits();
    let memory = |field: &str| {
        let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
        let line = status.lines().find(|line| line.starts_with(field)).expect("a field").to_owned();
        line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).expect("kB") << 10
    };
    let before = memory("VmHWM");
    photo::decode_near(&bytes, &limits, side).expect("decodes");
    println!("peak={}", memory("VmHWM") - before);
}
