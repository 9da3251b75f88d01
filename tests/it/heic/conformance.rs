//! The axes of the format, each held against libheif.

use image::{DynamicImage, ImageBuffer, Rgb, RgbImage, Rgba};

use super::boxes::{Item, boxed, clap, coded, colr, file, grid, imir, irot, ispe};
use super::{libheif, pixels, same, scene};

/// Even: of an odd picture libheif shows what was coded and not what `ispe` says.
const WIDTH: u32 = 132;
const HEIGHT: u32 = 98;

fn held_against_libheif(name: &str, bytes: &[u8]) {
    same(name, &pixels(bytes), &libheif::decode(bytes));
}

fn picture() -> DynamicImage {
    DynamicImage::ImageRgb8(scene(WIDTH, HEIGHT))
}

#[test]
fn samplings_ranges_and_matrices() {
    if !libheif::there() {
        return;
    }
    for chroma in ["chroma=420", "chroma=422", "chroma=444"] {
        for range in ["full", "limited"] {
            let range = format!("x265:range={range}");
            for (matrix, number) in [("bt709", 1), ("smpte170m", 6), ("bt2020nc", 9), ("YCgCo", 8)] {
                let name = format!("{chroma} {range} {matrix}");
                let matrix = format!("x265:colormatrix={matrix}");
                let bytes = libheif::encode(&picture(), &["-p", chroma, "-p", &range, "-p", &matrix]);
                // libheif 1.15 does not know the limited range of YCgCo.
                if number != 8 || range.ends_with("full") {
                    held_against_libheif(&format!("{name}, by the stream"), &bytes);
                }
                // The container goes before the stream.
                let mut item = coded(&bytes, WIDTH, HEIGHT);
                item.properties.push(colr(10 - number, range.ends_with("limited")));
                if number != 8 && number != 6 {
                    held_against_libheif(&format!("{name}, otherwise by the container"), &file(&[item], 1));
                }
            }
        }
    }
    let as_rgb = ["-p", "chroma=444", "-p", "x265:colormatrix=gbr"];
    held_against_libheif("coded as RGB", &libheif::encode(&picture(), &as_rgb));
}

#[test]
fn deep_grey_and_transparent_pictures() {
    if !libheif::there() {
        return;
    }
    let deep: ImageBuffer<Rgb<u16>, Vec<u16>> =
        ImageBuffer::from_fn(WIDTH, HEIGHT, |x, y| Rgb(scene_16(x, y)));
    for chroma in ["chroma=420", "chroma=422", "chroma=444"] {
        let bytes = libheif::encode(&DynamicImage::ImageRgb16(deep.clone()), &["-b", "10", "-p", chroma]);
        held_against_libheif(&format!("10 bit {chroma}"), &bytes);
    }
    let grey = DynamicImage::ImageLuma8(picture().into_luma8());
    for range in ["1", "0"] {
        held_against_libheif(
            &format!("grey range {range}"),
            &libheif::encode(&grey, &["--full_range_flag", range]),
        );
    }
    let plain = scene(WIDTH, HEIGHT);
    let alpha = |x: u32| if x < 40 { 255 } else { (x * 255 / WIDTH) as u8 };
    let transparent = ImageBuffer::from_fn(WIDTH, HEIGHT, |x, y| {
        let [red, green, blue] = plain.get_pixel(x, y).0;
        Rgba([red, green, blue, alpha(x)])
    });
    held_against_libheif("transparent", &libheif::encode(&DynamicImage::ImageRgba8(transparent), &[]));
}

fn scene_16(x: u32, y: u32) -> [u16; 3] {
    [x * 65_535 / WIDTH, y * 65_535 / HEIGHT, (x + y) * 65_535 / (WIDTH + HEIGHT)].map(|value| value as u16)
}

#[test]
fn cutting_turning_and_mirroring_in_any_order() {
    if !libheif::there() {
        return;
    }
    let plain = coded(&libheif::encode(&picture(), &[]), WIDTH, HEIGHT);
    let cut = || clap(80, 60, (-7, 1), (5, 1));
    let odd = || clap(71, 43, (1, 2), (-3, 2));
    let orders: Vec<(&str, Vec<Vec<u8>>)> = vec![
        ("as it is", vec![]),
        ("irot 1", vec![irot(1)]),
        ("irot 2", vec![irot(2)]),
        ("irot 3", vec![irot(3)]),
        ("imir 0", vec![imir(0)]),
        ("imir 1", vec![imir(1)]),
        ("irot 1, imir 0", vec![irot(1), imir(0)]),
        ("irot 3, imir 1", vec![irot(3), imir(1)]),
        ("imir 0, irot 1", vec![imir(0), irot(1)]),
        ("imir 1, irot 3", vec![imir(1), irot(3)]),
        ("imir 1, irot 2", vec![imir(1), irot(2)]),
        ("clap", vec![cut()]),
        ("clap, odd", vec![odd()]),
        ("clap, irot 1", vec![cut(), irot(1)]),
        ("clap, irot 3, imir 0", vec![cut(), irot(3), imir(0)]),
        ("irot 1, clap", vec![irot(1), cut()]),
        ("imir 1, clap", vec![imir(1), cut()]),
        ("irot 2, imir 0, clap, odd", vec![irot(2), imir(0), odd()]),
    ];
    for (name, transformations) in orders {
        let mut item = plain.clone();
        item.properties.extend(transformations);
        held_against_libheif(name, &file(&[item], 1));
    }
}

/// Tiles of 128 by 64 pixels, 3 by 2.
fn tiles(of: &RgbImage, options: &[&str]) -> Vec<Item> {
    let corners = (0..2).flat_map(|row| (0..3).map(move |column| (column * 128, row * 64)));
    let tile = |(x, y): (u32, u32)| {
        let part = image::imageops::crop_imm(of, x, y, 128, 64).to_image();
        coded(&libheif::encode(&DynamicImage::ImageRgb8(part), options), 128, 64)
    };
    corners.map(tile).collect()
}

#[test]
fn grids_overlays_and_identities() {
    if !libheif::there() {
        return;
    }
    let whole = scene(384, 128);
    let mut items = tiles(&whole, &[]);
    items.push(Item {
        kind: b"grid",
        data: grid(3, 2, 341, 117),
        properties: vec![ispe(341, 117), irot(1)],
        references: vec![(b"dimg", (1..=6).collect())],
    });
    held_against_libheif("a grid, turned", &file(&items, 7));
    let identity = Item {
        kind: b"iden",
        data: Vec::new(),
        properties: vec![ispe(117, 341), imir(1)],
        references: vec![(b"dimg", vec![7])],
    };
    items.push(identity);
    held_against_libheif("another view of that grid", &file(&items, 8));

    let fill = [0x30_u16, 0x60, 0x90, 0xFF].map(|value| (value * 257).to_be_bytes()).concat();
    // To the left of the canvas, libheif 1.15 draws amiss.
    let places = [(20_i16, 10_i16), (40, 60), (170, 70)];
    let places: Vec<u8> =
        places.iter().flat_map(|(x, y)| [x.to_be_bytes(), y.to_be_bytes()].concat()).collect();
    let canvas = [&[0, 0][..], &fill, &300_u16.to_be_bytes(), &140_u16.to_be_bytes(), &places].concat();
    let mut layers = items[..3].to_vec();
    layers.push(Item {
        kind: b"iovl",
        data: canvas,
        properties: vec![ispe(300, 140)],
        references: vec![(b"dimg", vec![1, 2, 3])],
    });
    held_against_libheif("layers on a canvas", &file(&layers, 4));
}

#[test]
fn what_is_no_hevc_picture_is_named_and_refused() {
    let jpeg = Item {
        kind: b"jpeg",
        data: vec![0xFF, 0xD8],
        properties: vec![ispe(8, 8), boxed(b"free", &[])],
        references: Vec::new(),
    };
    let error = super::decode(&file(std::slice::from_ref(&jpeg), 1)).expect_err("refused");
    assert!(
        error.to_string().starts_with("a HEIF picture coded as \"jpeg\" cannot be read: save it"),
        "{error}"
    );
    let error = super::decode(&file(&[Item { kind: b"av01", ..jpeg }], 1)).expect_err("refused");
    assert!(error.to_string().starts_with("an AVIF picture cannot be read: save it"), "{error}");
}
