//! Files of the kinds that phones write, made from painted photos (`fixtures/cases`).

use image::metadata::Orientation;
use image::{DynamicImage, RgbImage};

use super::{cases, decode, differences, libheif, limits, pixels, same};
use punchlens::photo;

fn read(name: &str) -> Vec<u8> {
    std::fs::read(cases().join(name)).expect("a fixture")
}

fn turned(picture: &RgbImage, orientation: Orientation) -> RgbImage {
    let mut picture = DynamicImage::ImageRgb8(picture.clone());
    picture.apply_orientation(orientation);
    picture.into_rgb8()
}

#[test]
fn a_ramp_of_greys_stays_as_it_is() {
    let ramp = pixels(&read("heic-colour/ramp-full-range.heic"));
    for x in 0..ramp.width() {
        let grey = ramp.get_pixel(x, ramp.height() / 2).0;
        assert!(grey.iter().all(|value| u32::from(value.abs_diff((x / 4) as u8)) <= 1), "{x}: {grey:?}");
    }
    let (heic, jpeg) = (read("heic-colour/dark-crack.heic"), read("heic-colour/dark-crack.jpg"));
    let (mean, _) = differences(&pixels(&heic), &pixels(&jpeg));
    assert!(mean < 3.0, "the same dark photo: {mean}");
}

#[test]
fn containers_of_the_same_pixels_show_the_same() {
    let plain = pixels(&read("heic-kinds/no-turn.heic"));
    let size = plain.dimensions();
    let table = [
        ("heic-kinds/iphone-portrait.heic", (756, 1008)),
        ("heic-kinds/exif-without-prefix.heic", (756, 1008)),
        ("heic-kinds/meta-last.heic", (756, 1008)),
        ("heic-kinds/mif1-major.heic", (756, 1008)),
        ("heic-samsung-trailer/mpvd-seft.heic", (756, 1008)),
        ("heic-samsung-trailer/sefd-box.heic", (756, 1008)),
        ("heic-samsung-trailer/seft-raw.heic", (756, 1008)),
        ("heic-samsung-trailer/zero-tail.heic", (756, 1008)),
    ];
    assert_eq!(size, (756, 1008));
    let portrait = pixels(&read(table[0].0));
    for (name, expected) in table {
        let seen = pixels(&read(name));
        assert_eq!(seen.dimensions(), expected, "{name}");
        assert!(seen == portrait, "{name}");
    }
    // The turn of the EXIF block is not the container's: phones follow the container.
    let lying = pixels(&read("heic-kinds/exif6-no-irot.heic"));
    assert!(turned(&lying, Orientation::Rotate90) == portrait);
    let upright = [
        ("heic-kinds/irot-imir.heic", turned(&portrait, Orientation::FlipHorizontal)),
        ("heic-kinds/imir-irot.heic", turned(&portrait, Orientation::FlipVertical)),
    ];
    for (name, expected) in upright {
        let seen = pixels(&read(name));
        assert!(seen == expected || seen == turned(&expected, Orientation::Rotate180), "{name}");
    }
}

#[test]
fn every_case_is_what_libheif_sees() {
    if !libheif::there() {
        return;
    }
    for folder in ["heic-colour", "heic-kinds", "heic-samsung-trailer"] {
        for entry in std::fs::read_dir(cases().join(folder)).expect("a folder") {
            let path = entry.expect("an entry").path();
            // 12 megapixels, unoptimised: its kind is among the others.
            let large = path.ends_with("grid48.heic");
            if !large && path.extension().is_some_and(|extension| extension == "heic") {
                let bytes = std::fs::read(&path).expect("a fixture");
                same(&path.display().to_string(), &pixels(&bytes), &libheif::decode(&bytes));
            }
        }
    }
}

#[test]
fn photos_of_current_phones_take_little_memory() {
    let table = [
        ("heic-48mp/iphone-24mp.heic", (4284, 5712)),
        ("heic-48mp/iphone-48mp.heic", (6048, 8064)),
        ("heic-48mp/samsung-50mp.heic", (6120, 8160)),
    ];
    for (name, (width, height)) in table {
        let pixels: u64 = width * height;
        let (bytes, limits) = (read(name), limits());
        let reduced = photo::decoded_bytes(&bytes, &limits, Some(1024)).expect("a header");
        let full = photo::decoded_bytes(&bytes, &limits, None).expect("a header");
        assert!(reduced < 20 << 20, "{name}: {reduced}");
        assert!(full < limits.max_decoded_bytes && full > pixels * 3, "{name}: {full}");
    }
    let tiles = read("heic-kinds/grid48.heic");
    let photo = photo::decode_near(&tiles, &limits(), Some(1024)).expect("decodes");
    assert_eq!((photo.size.width, photo.size.height), (3024, 4032));
    assert_eq!((photo.picture.size().width, photo.picture.size().height), (756, 1008));
}

#[test]
fn what_is_too_large_says_which_key_allows_more() {
    let bytes = read("heic-48mp/samsung-50mp.heic");
    let small = photo::Limits { max_decoded_bytes: 10 << 20, ..limits() };
    let error = photo::decode(&bytes, &small, None).expect_err("too large");
    assert!(error.to_string().contains("photo.max_decoded_bytes"), "{error}");
    let error = photo::decode(&bytes, &photo::Limits { max_pixels: 1 << 20, ..limits() }, None);
    assert!(error.expect_err("too large").to_string().contains("photo.max_pixels"));
    assert!(decode(&bytes[..bytes.len() / 2]).is_err());
}
