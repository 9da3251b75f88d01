//! Whole files of every container, held against what they must tell.

mod containers;
mod limits;
mod meanings;

use ::exif::{Tag, Value};

use super::*;
use crate::photo::sample;

pub(super) fn ascii(text: &str) -> Value {
    Value::Ascii(vec![text.as_bytes().to_vec()])
}

pub(super) fn ratios(values: &[(u32, u32)]) -> Value {
    Value::Rational(values.iter().map(|&pair| pair.into()).collect())
}

/// A position at 52.5° N, 13.4° W.
pub(super) fn position() -> Vec<(Tag, Value)> {
    vec![
        (Tag::GPSLatitudeRef, ascii("N")),
        (Tag::GPSLatitude, ratios(&[(52, 1), (30, 1), (0, 1)])),
        (Tag::GPSLongitudeRef, ascii("w")),
        (Tag::GPSLongitude, ratios(&[(13, 1), (24, 1), (0, 1)])),
    ]
}

/// What a phone writes.
pub(super) fn whole() -> Vec<(Tag, Value)> {
    let mut fields = vec![
        (Tag::Make, ascii("Apple")),
        (Tag::Model, ascii("iPhone 15")),
        (Tag::Orientation, Value::Short(vec![6])),
        (Tag::ImageDescription, ascii("SONY DSC")),
        (Tag::UserComment, Value::Undefined(b"ASCII\0\0\0north stair".to_vec(), 0)),
        (Tag::DateTimeOriginal, ascii("2026:11:24 09:15:30")),
        (Tag::OffsetTimeOriginal, ascii("+01:00")),
        (Tag::SubSecTimeOriginal, ascii("5")),
        (Tag::GPSAltitudeRef, Value::Byte(vec![1])),
        (Tag::GPSAltitude, ratios(&[(25, 10)])),
        (Tag::GPSHPositioningError, ratios(&[(48, 10)])),
        (Tag::GPSDOP, ratios(&[(9, 1)])),
        (Tag::LensModel, ascii("back camera 6.765mm f/1.78")),
        (Tag::FocalLength, ratios(&[(6765, 1000)])),
    ];
    fields.extend(position());
    fields
}

/// A JPEG of nothing but `segments`: marker and body.
pub(super) fn jpeg(segments: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut file = vec![0xFF, 0xD8];
    for (marker, body) in segments {
        file.extend([0xFF, *marker]);
        file.extend(u16::try_from(body.len() + 2).expect("short").to_be_bytes());
        file.extend(body);
    }
    file.extend([0xFF, 0xDA, 0, 2]);
    file
}

/// The body of an APP1 segment with a TIFF block.
pub(super) fn app1(tiff: &[u8]) -> Vec<u8> {
    [b"Exif\0\0", tiff].concat()
}

/// The body of an APP1 segment with a description of `attributes` in XMP.
pub(super) fn xmp(attributes: &str) -> Vec<u8> {
    [b"http://ns.adobe.com/xap/1.0/\0".as_slice(), packet(attributes).as_bytes()].concat()
}

pub(super) fn packet(attributes: &str) -> String {
    format!(
        r#"<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
        <rdf:Description rdf:about="" xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"
        xmlns:xmp="http://ns.adobe.com/xap/1.0/" {attributes}/></rdf:RDF></x:xmpmeta>"#
    )
}

pub(super) fn of(fields: &[(Tag, Value)], little_endian: bool) -> CaptureInfo {
    read(&sample::tiff(fields, little_endian))
}

pub(super) fn place(capture: &CaptureInfo) -> Option<(f64, f64)> {
    let round = |degrees: f64| (degrees * 1e6).round() / 1e6;
    capture.gps.as_option().map(|fix| (round(fix.latitude), round(fix.longitude)))
}

/// The offset of the value of the entry `tag` in the primary directory of a big-endian block.
pub(super) fn entry(tiff: &[u8], tag: u16) -> usize {
    let at = |offset: usize| u16::from_be_bytes([tiff[offset], tiff[offset + 1]]);
    let first = u32::from_be_bytes([tiff[4], tiff[5], tiff[6], tiff[7]]) as usize;
    let entries = (0..usize::from(at(first))).map(|index| first + 2 + index * 12);
    entries.into_iter().find(|&entry| at(entry) == tag).expect("there")
}

#[test]
fn everything_is_read_in_both_byte_orders() {
    for little_endian in [false, true] {
        let capture = of(&whole(), little_endian);
        assert_eq!(capture.camera, Known::Known("Apple iPhone 15".into()));
        assert_eq!(capture.orientation, Known::Known(Orientation::Rotate90));
        assert_eq!(capture.description, Known::Known("north stair".into()));
        let taken = capture.taken_at.as_option().expect("known");
        assert_eq!(taken.local.to_string(), "2026-11-24T09:15:30.5");
        assert_eq!(taken.instant.expect("offset known").to_string(), "2026-11-24T08:15:30.5Z");
        let gps = capture.gps.as_option().expect("known");
        assert!((gps.latitude - 52.5).abs() < 1e-9 && (gps.longitude + 13.4).abs() < 1e-9);
        assert_eq!((gps.altitude_m, gps.accuracy_m), (Some(-2.5), Some(4.8)));
        assert_eq!(capture.lens.as_deref(), Some("back camera 6.765mm f/1.78"));
        assert_eq!(capture.focal_length_mm, Some(6.765));
        let Origins { taken_at, gps, camera, orientation, description, location_text } = capture.origins;
        for origin in [taken_at, gps, camera, orientation, description] {
            assert_eq!(origin, Some(Origin::certain(Source::Exif)));
        }
        assert_eq!(location_text, None);
    }
}

#[test]
fn wrong_types_and_values_are_unknown() {
    let capture = of(
        &[
            (Tag::Orientation, Value::Short(vec![9])),
            (Tag::DateTimeOriginal, Value::Short(vec![1])),
            (Tag::DateTimeDigitized, ascii("not a date at all..")),
            (Tag::GPSLatitude, Value::Short(vec![52])),
            (Tag::GPSLongitude, ratios(&[(13, 0)])),
            (Tag::Make, Value::Long(vec![1])),
            (Tag::FocalLength, ratios(&[(50, 0)])),
            (Tag::LensModel, Value::Short(vec![50])),
        ],
        true,
    );
    assert_eq!((&capture.lens, capture.focal_length_mm), (&None, None));
    assert_eq!(capture.orientation_or_normal(), Orientation::Normal);
    assert!(matches!(&capture.orientation, Known::Unknown(_)));
    assert!(matches!(&capture.taken_at, Known::Unknown(because) if because.contains("no date")));
    assert!(matches!(&capture.gps, Known::Unknown(because) if because.contains("latitude")));
    assert!(
        matches!(&capture.camera, Known::Unknown(_)) && matches!(&capture.description, Known::Unknown(_))
    );
    assert_eq!(capture.origins, Origins::default());
}

#[test]
fn broken_blocks_never_panic() {
    let mut records = b"8BIM\x04\x04\0\0\0\0\0\x0D".to_vec();
    records.extend(b"\x1C\x02\x5C\0\x08Unit 204");
    let segments = [
        (0xE1, app1(&sample::tiff(&whole(), true))),
        (0xE1, xmp("exif:GPSLatitude='47,0.0045N' exif:GPSLongitude='19,59.9W'")),
        (0xED, [b"Photoshop 3.0\0".as_slice(), &records].concat()),
    ];
    for file in [jpeg(&segments), sample::tiff(&whole(), false)] {
        for length in 0..file.len() {
            read(&file[..length]);
        }
        for at in 0..file.len() {
            let mut flipped = file.clone();
            flipped[at] ^= 0xFF;
            read(&flipped);
        }
    }
    let silent = read(b"\xFF\xD8\xFF\xDA\0\x04\0\0\xFF\xD9");
    assert_eq!(silent.camera, Known::unknown("the photo carries no EXIF data"));
}
