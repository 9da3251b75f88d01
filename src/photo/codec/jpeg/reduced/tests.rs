use proptest::prelude::*;
use rusty_jpeg::{ColorType, Encoder, SamplingFactor};

use super::*;
use crate::photo::Error;
use crate::photo::codec::jpeg::headers::Colour;
use crate::photo::codec::jpeg::rusty;
use crate::photo::sample;

/// Reads the headers, then decodes.
fn decode(file: &[u8], size: Size<Stored>, reduction: u32) -> Option<Raster> {
    super::decode(&Headers::read(file).ok()?, size, reduction)
}

fn by_the_library(file: &[u8], size: Size<Stored>, reduction: u32) -> Result<Raster, Error> {
    rusty::decode(file, Colour::YCbCr, size, reduction)
}

const SAMPLINGS: [SamplingFactor; 4] =
    [SamplingFactor::F_1_1, SamplingFactor::F_2_1, SamplingFactor::F_1_2, SamplingFactor::F_2_2];

/// Shades, edges and grain, so that blocks hold few coefficients and many.
fn picture(width: u16, height: u16, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut rgb = sample::scene(width.into(), height.into());
    for (place, value) in rgb.iter_mut().enumerate() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        if place / 96 % 3 > 0 {
            *value = value.wrapping_add((state >> 58) as u8);
        }
    }
    rgb
}

fn encoded(rgb: &[u8], size: (u16, u16), sampling: SamplingFactor, quality: u8, restarts: u16) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, quality);
    encoder.set_sampling_factor(sampling);
    encoder.set_optimized_huffman_tables(restarts % 2 == 1);
    if restarts > 0 {
        encoder.set_restart_interval(restarts);
    }
    encoder.encode(rgb, size.0, size.1, ColorType::Rgb).expect("encodes");
    bytes
}

/// Colours are rounded once here and step by step there.
fn assert_like_the_library(file: &[u8], size: Size<Stored>, reduction: u32) {
    let ours = decode(file, size, reduction).expect("its kind of file");
    let theirs = by_the_library(file, size, reduction).expect("decodes");
    assert_eq!((ours.width, ours.height), (theirs.width, theirs.height));
    let most = ours.rgb.iter().zip(&theirs.rgb).map(|(a, b)| a.abs_diff(*b)).max();
    assert!(most <= Some(1), "{most:?} at {reduction} of {size:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn pixels_are_those_of_the_library(
        width in 1_u16..90, height in 1_u16..90, seed: u64,
        sampling in prop::sample::select(&SAMPLINGS[..]), quality in 5_u8..=100, restarts in 0_u16..4,
    ) {
        // Of a photo this small the library takes an eighth where a quarter is asked for: both are one pixel.
        prop_assume!(width.max(height) > 4);
        let file = encoded(&picture(width, height, seed), (width, height), sampling, quality, restarts);
        for reduction in [4, 8] {
            assert_like_the_library(&file, Size::new(width.into(), height.into()), reduction);
        }
    }

    #[test]
    fn a_damaged_file_gives_no_other_pixels_than_the_library(
        at in 0_usize..4000, byte: u8, reduction in prop::sample::select(&[4_u32, 8][..]),
    ) {
        let mut file = encoded(&picture(64, 48, 7), (64, 48), SamplingFactor::F_2_2, 90, 3);
        let at = at % file.len();
        file[at] = byte;
        let size = Size::new(64, 48);
        if let (Some(ours), Ok(theirs)) = (decode(&file, size, reduction), by_the_library(&file, size, reduction)) {
            let most = ours.rgb.iter().zip(&theirs.rgb).map(|(a, b)| a.abs_diff(*b)).max();
            prop_assert!(ours.rgb.len() == theirs.rgb.len() && most <= Some(1), "{:?}", most);
        }
    }
}

#[test]
fn photos_of_the_fixtures_too() {
    let files = glob::glob(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/photos/*.jpg")).expect("a pattern");
    let mut seen = 0;
    for path in files {
        let bytes = std::fs::read(path.expect("readable")).expect("reads");
        let frame = Headers::read(&bytes).expect("headers").frame;
        let size = Size::new(frame.width.into(), frame.height.into());
        assert_like_the_library(&bytes, size, 4);
        seen += 1;
    }
    assert!(seen >= 16, "{seen} photos");
}

#[test]
fn a_file_cut_off_anywhere_is_left_to_the_library() {
    let file = encoded(&picture(64, 48, 7), (64, 48), SamplingFactor::F_2_2, 90, 3);
    let end_marker = file.len() - 2;
    for length in 0..end_marker {
        for reduction in [4, 8] {
            assert!(decode(&file[..length], Size::new(64, 48), reduction).is_none(), "{length}");
        }
        assert!(Headers::read(&file[..length]).map_or(true, |headers| !is_whole(&headers)), "{length}");
    }
    for length in end_marker..=file.len() {
        assert!(decode(&file[..length], Size::new(64, 48), 4).is_some(), "only the end marker is lacking");
        assert!(is_whole(&Headers::read(&file[..length]).expect("headers")));
    }
}

#[test]
fn other_kinds_are_left_to_the_library() {
    let rgb = picture(64, 48, 7);
    let size = Size::new(64, 48);
    let progressive = sample::jpeg(&rgb, 64, 48, SamplingFactor::F_2_2, true, None);
    assert!(decode(&progressive, size, 4).is_none(), "progressive");
    let quarter = encoded(&rgb, (64, 48), SamplingFactor::F_4_1, 90, 0);
    assert!(decode(&quarter, size, 4).is_none(), "a quarter of the chroma");
    let mut grey = Vec::new();
    Encoder::new(&mut grey, 90).encode(&rgb[..64 * 48], 64, 48, ColorType::Luma).expect("encodes");
    assert!(decode(&grey, size, 4).is_none(), "grey");
    let usual = encoded(&rgb, (64, 48), SamplingFactor::F_2_2, 90, 0);
    for reduction in [1, 2] {
        assert!(decode(&usual, size, reduction).is_none(), "reduced by {reduction}");
    }
    assert!(decode(&usual, Size::new(48, 64), 4).is_none(), "of another size");
}
