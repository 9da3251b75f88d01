//! EXIF metadata of any container to [`CaptureInfo`]. Reads tags; what they mean is decided by the
//! pure functions in `gps`, `taken_at` and `text`.

use std::io::Cursor;
use std::panic::catch_unwind;

use ::exif::{Context, Error as ExifError, Exif, In, Rational, Reader, Tag, Value};

use super::gps::{self, Ratio, RawGps};
use super::{location_text, taken_at, text};
use crate::domain::capture::{CaptureInfo, Known, TakenAt};
use crate::domain::geometry::Orientation;

/// Microsoft's comment tag, UTF-16 little-endian whatever the file's byte order.
const XP_COMMENT: Tag = Tag(Context::Tiff, 0x9C9C);

/// What the file `bytes` says of its own making. Never fails: each fact that is not there, or that
/// cannot be right, is unknown with its reason.
pub fn read(bytes: &[u8]) -> CaptureInfo {
    // The reader is given bytes from strangers; a panic in it must cost no more than the metadata.
    let parsed =
        catch_unwind(|| parse(bytes)).unwrap_or_else(|_| Err("its EXIF data could not be read".into()));
    let capture = match parsed {
        Ok(exif) => interpret(&exif),
        Err(because) => CaptureInfo::silent(&because),
    };
    CaptureInfo { location_text: location_text::read(bytes), ..capture }
}

fn parse(bytes: &[u8]) -> Result<Exif, String> {
    let mut reader = Reader::new();
    reader.continue_on_error(true);
    let parsed = reader.read_from_container(&mut Cursor::new(bytes));
    parsed.or_else(|error| error.distill_partial_result(|_| {})).map_err(|error| match error {
        ExifError::NotFound(_) => "the photo carries no EXIF data".into(),
        other => format!("its EXIF data is damaged ({other})"),
    })
}

fn interpret(exif: &Exif) -> CaptureInfo {
    CaptureInfo {
        taken_at: time(exif),
        gps: gps::fix(&raw_gps(exif)),
        orientation: orientation(exif),
        camera: camera(exif),
        description: description(exif),
        location_text: None,
        lens: ascii(exif, Tag::LensModel).or_else(|| ascii(exif, Tag::LensMake)),
        focal_length_mm: focal_length(exif),
        cut_off: None,
    }
}

/// In millimetres; 0 stands for unknown, and nothing longer than a telescope is believed.
fn focal_length(exif: &Exif) -> Option<f64> {
    let Value::Rational(values) = &exif.get_field(Tag::FocalLength, In::PRIMARY)?.value else { return None };
    let first = values.first().filter(|ratio| ratio.denom != 0)?;
    Some(first.to_f64()).filter(|mm| *mm > 0.0 && *mm < 10_000.0)
}

/// The shutter's time, else the sensor's, else the file's: many phones write only the last.
fn time(exif: &Exif) -> Known<TakenAt> {
    let tags = [
        (Tag::DateTimeOriginal, Tag::SubSecTimeOriginal, Tag::OffsetTimeOriginal),
        (Tag::DateTimeDigitized, Tag::SubSecTimeDigitized, Tag::OffsetTimeDigitized),
        (Tag::DateTime, Tag::SubSecTime, Tag::OffsetTime),
    ];
    let mut first_reason = None;
    for (date_time, subsec, offset) in tags {
        let Some(date_time) = ascii(exif, date_time) else { continue };
        match taken_at::read(&date_time, ascii(exif, subsec).as_deref(), ascii(exif, offset).as_deref()) {
            Known::Unknown(because) => first_reason = first_reason.or(Some(because)),
            known @ Known::Known(_) => return known,
        }
    }
    Known::Unknown(first_reason.unwrap_or_else(|| "the camera wrote no time of capture".into()))
}

fn orientation(exif: &Exif) -> Known<Orientation> {
    let Some(field) = exif.get_field(Tag::Orientation, In::PRIMARY) else {
        return Known::unknown("the camera wrote no orientation");
    };
    let value = field.value.get_uint(0).and_then(|value| u8::try_from(value).ok());
    match value.map(Orientation::try_from) {
        Some(Ok(orientation)) => Known::Known(orientation),
        Some(Err(error)) => Known::Unknown(error.to_string()),
        None => Known::unknown("its orientation is not a number from 1 to 8"),
    }
}

fn camera(exif: &Exif) -> Known<String> {
    match (ascii(exif, Tag::Make), ascii(exif, Tag::Model)) {
        (Some(make), Some(model)) if model.to_lowercase().starts_with(&make.to_lowercase()) => {
            Known::Known(model)
        }
        (Some(make), Some(model)) => Known::Known(format!("{make} {model}")),
        (Some(name), None) | (None, Some(name)) => Known::Known(name),
        (None, None) => Known::unknown("the camera did not name itself"),
    }
}

fn description(exif: &Exif) -> Known<String> {
    let bytes = |tag| match exif.get_field(tag, In::PRIMARY).map(|field| &field.value) {
        Some(Value::Undefined(bytes, _) | Value::Byte(bytes)) => Some(bytes.as_slice()),
        _ => None,
    };
    let comment = || bytes(Tag::UserComment).and_then(|raw| text::user_comment(raw, exif.little_endian()));
    let microsoft = || bytes(XP_COMMENT).and_then(|raw| text::utf16(raw, true));
    let written = [ascii(exif, Tag::ImageDescription), comment(), microsoft()];
    match written.into_iter().flatten().find(|words| !text::is_placeholder(words)) {
        Some(words) => Known::Known(words),
        None => Known::unknown("nobody wrote a description into the photo"),
    }
}

fn raw_gps(exif: &Exif) -> RawGps {
    let rationals = |tag| match exif.get_field(tag, In::PRIMARY).map(|field| &field.value) {
        Some(Value::Rational(values)) => {
            Some(values.iter().map(|&Rational { num, denom }| Ratio(num, denom)).collect())
        }
        _ => None,
    };
    let one = |tag| rationals(tag).and_then(|values: Vec<Ratio>| values.first().copied());
    let letter = |tag| ascii(exif, tag).and_then(|text| text.chars().next()).map(|c| c.to_ascii_uppercase());
    let altitude_ref = exif.get_field(Tag::GPSAltitudeRef, In::PRIMARY);
    RawGps {
        latitude: rationals(Tag::GPSLatitude),
        latitude_ref: letter(Tag::GPSLatitudeRef),
        longitude: rationals(Tag::GPSLongitude),
        longitude_ref: letter(Tag::GPSLongitudeRef),
        altitude: one(Tag::GPSAltitude),
        below_sea_level: altitude_ref.and_then(|field| field.value.get_uint(0)) == Some(1),
        accuracy: one(Tag::GPSHPositioningError),
        dilution: one(Tag::GPSDOP),
        direction: one(Tag::GPSImgDirection),
        status: letter(Tag::GPSStatus),
        datum: ascii(exif, Tag::GPSMapDatum),
    }
}

fn ascii(exif: &Exif, tag: Tag) -> Option<String> {
    match &exif.get_field(tag, In::PRIMARY)?.value {
        Value::Ascii(lines) => lines.iter().find_map(|line| text::plain(line)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::photo::sample;

    fn ascii(text: &str) -> Value {
        Value::Ascii(vec![text.as_bytes().to_vec()])
    }

    fn ratios(values: &[(u32, u32)]) -> Value {
        Value::Rational(values.iter().map(|&pair| pair.into()).collect())
    }

    fn of(fields: &[(Tag, Value)], little_endian: bool) -> CaptureInfo {
        // A bare TIFF block is a container of its own.
        read(&sample::tiff(fields, little_endian))
    }

    fn whole() -> Vec<(Tag, Value)> {
        vec![
            (Tag::Make, ascii("Apple")),
            (Tag::Model, ascii("iPhone 15")),
            (Tag::Orientation, Value::Short(vec![6])),
            (Tag::ImageDescription, ascii("SONY DSC")),
            (Tag::UserComment, Value::Undefined(b"ASCII\0\0\0north stair".to_vec(), 0)),
            (Tag::DateTimeOriginal, ascii("2026:11:24 09:15:30")),
            (Tag::OffsetTimeOriginal, ascii("+01:00")),
            (Tag::SubSecTimeOriginal, ascii("5")),
            (Tag::GPSLatitudeRef, ascii("N")),
            (Tag::GPSLatitude, ratios(&[(52, 1), (30, 1), (0, 1)])),
            (Tag::GPSLongitudeRef, ascii("w")),
            (Tag::GPSLongitude, ratios(&[(13, 1), (24, 1), (0, 1)])),
            (Tag::GPSAltitudeRef, Value::Byte(vec![1])),
            (Tag::GPSAltitude, ratios(&[(25, 10)])),
            (Tag::GPSHPositioningError, ratios(&[(48, 10)])),
            (Tag::GPSDOP, ratios(&[(9, 1)])),
            (Tag::LensModel, ascii("back camera 6.765mm f/1.78")),
            (Tag::FocalLength, ratios(&[(6765, 1000)])),
        ]
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
        let reasons = [
            (capture.orientation_or_normal() == Orientation::Normal, format!("{:?}", capture.orientation)),
            (true, format!("{:?} {:?}", capture.taken_at, capture.gps)),
            (true, format!("{:?} {:?}", capture.camera, capture.description)),
        ];
        for (fine, reason) in reasons {
            assert!(fine && reason.contains("Unknown") && !reason.contains("Known::Known"), "{reason}");
        }
        assert!(matches!(&capture.taken_at, Known::Unknown(because) if because.contains("no date")));
        assert!(matches!(&capture.gps, Known::Unknown(because) if because.contains("no latitude")));
    }

    #[test]
    fn broken_blocks_never_panic() {
        let block = sample::tiff(&whole(), true);
        for length in 0..block.len() {
            read(&block[..length]);
        }
        for at in 0..block.len() {
            let mut flipped = block.clone();
            flipped[at] ^= 0xFF;
            read(&flipped);
        }
        let silent = read(b"\xFF\xD8\xFF\xDA\0\x04\0\0\xFF\xD9");
        assert_eq!(silent.camera, Known::unknown("the photo carries no EXIF data"));
    }
}
