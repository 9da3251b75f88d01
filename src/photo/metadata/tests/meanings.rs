//! What tags and properties mean together.

use super::*;

type Fields = Vec<(Tag, Value)>;

#[test]
fn positions_come_from_xmp_where_exif_has_none() {
    const TEXTS: &str = "exif:GPSLatitude='47,0.0045N' exif:GPSLongitude='19,59.90917W' exif:GPSAltitude='585/10' \
                         exif:GPSAltitudeRef='1' exif:GPSImgDirection='90/1' exif:GPSHPositioningError='5/1'";
    let alone = read(&jpeg(&[(0xE1, xmp(TEXTS))]));
    assert_eq!(place(&alone), Some((47.000_075, -19.998_486)));
    let fix = alone.gps.as_option().expect("known");
    assert_eq!((fix.altitude_m, fix.direction_deg, fix.accuracy_m), (Some(-58.5), Some(90.0), Some(5.0)));
    assert_eq!(alone.origins.gps, Some(Origin::certain(Source::Xmp)));

    let beside = |fields: &[(Tag, Value)]| {
        read(&jpeg(&[(0xE1, app1(&sample::tiff(fields, false))), (0xE1, xmp(TEXTS))]))
    };
    assert_eq!(place(&beside(&position())), Some((52.5, -13.4)), "EXIF comes first");
    assert_eq!(place(&beside(&[(Tag::Make, ascii("Apple"))])), Some((47.000_075, -19.998_486)));
    let mut no_reference = position();
    no_reference.remove(0);
    assert_eq!(place(&beside(&no_reference)), Some((47.000_075, -19.998_486)), "XMP says which hemisphere");
    for void in [(Tag::GPSStatus, ascii("V")), (Tag::GPSMapDatum, ascii("TOKYO"))] {
        let capture = beside(&[position(), vec![void.clone()]].concat());
        assert_eq!(place(&capture), None, "{void:?}: XMP is a copy");
    }
}

#[test]
fn doubtful_texts_of_xmp_give_no_position() {
    for (texts, expected, likely) in [
        ("exif:GPSLatitude='47.000075' exif:GPSLongitude='-19.998486'", true, true),
        ("exif:GPSLatitude='47.000075N' exif:GPSLongitude='19.998486W'", true, false),
        ("exif:GPSLatitude='47,5N' exif:GPSLongitude='19,59.9W'", false, false),
        ("exif:GPSLatitude='47,0.0045N'", false, false),
        ("exif:GPSLatitude='47,0.0045N' exif:GPSLongitude='19,59.9W' exif:GPSStatus='V'", false, false),
        ("exif:GPSLatitude='47,0.0045N' exif:GPSLongitude='19,59.9W' exif:GPSMapDatum='NAD27'", false, false),
        ("exif:GPSLatitude='0,0.0N' exif:GPSLongitude='0,0.0E'", false, false),
    ] {
        let capture = read(&jpeg(&[(0xE1, xmp(texts))]));
        assert_eq!(place(&capture).is_some(), expected, "{texts}");
        assert_eq!(capture.origins.gps.and_then(|origin| origin.likely).is_some(), likely, "{texts}");
    }
}

#[test]
fn times_come_from_the_surest_place() {
    let exif = |tag| vec![(tag, ascii("2026:08:22 10:08:19"))];
    let table: [(Fields, &str, Source, bool); 6] = [
        (exif(Tag::DateTimeOriginal), "xmp:CreateDate='2020-01-01T00:00:00Z'", Source::Exif, false),
        (exif(Tag::DateTimeDigitized), "", Source::Exif, true),
        (exif(Tag::DateTime), "", Source::Exif, true),
        (exif(Tag::Make), "exif:DateTimeOriginal='2026-08-22T10:08:19+02:00'", Source::Xmp, false),
        (exif(Tag::Make), "xmp:CreateDate='2026-08-22T10:08:19+02:00'", Source::Xmp, true),
        (
            vec![(Tag::DateTime, ascii("2027:01:01 10:00:00"))],
            "exif:DateTimeOriginal='2026-08-22T10:08:19'",
            Source::Xmp,
            false,
        ),
    ];
    for (fields, attributes, from, likely) in table {
        let capture = read(&jpeg(&[(0xE1, app1(&sample::tiff(&fields, false))), (0xE1, xmp(attributes))]));
        let taken = capture.taken_at.as_option().unwrap_or_else(|| panic!("{fields:?} {attributes}"));
        assert_eq!(taken.local.to_string(), "2026-08-22T10:08:19", "{fields:?} {attributes}");
        let origin = capture.origins.taken_at.expect("told");
        assert_eq!((origin.from, origin.likely.is_some()), (from, likely), "{fields:?} {attributes}");
    }
}

#[test]
fn gps_time_says_where_the_clock_stood() {
    let fields = [
        (Tag::DateTimeOriginal, ascii("2026:08:22 10:08:19")),
        (Tag::GPSDateStamp, ascii("2026:08:22")),
        (Tag::GPSTimeStamp, ratios(&[(8, 1), (8, 1), (19, 1)])),
    ];
    let capture = of(&fields, true);
    let instant = capture.taken_at.as_option().and_then(|taken| taken.instant).expect("known");
    assert_eq!(instant.to_string(), "2026-08-22T08:08:19Z");
    assert!(capture.origins.taken_at.is_some_and(|origin| origin.likely.is_some()));
}

#[test]
fn coordinates_of_other_types_have_the_same_meaning() {
    let signed = |parts: &[(i32, i32)]| Value::SRational(parts.iter().map(|&pair| pair.into()).collect());
    let cases: [(Value, Value); 4] = [
        (signed(&[(52, 1), (30, 1), (0, 1)]), signed(&[(13, 1), (24, 1), (0, 1)])),
        (Value::Double(vec![52.5]), Value::Double(vec![13.4])),
        (ascii("52.5"), ascii("13.4")),
        (ascii("52,30.0N"), ascii("13,24.0W")),
    ];
    for (latitude, longitude) in cases {
        let fields = [
            (Tag::GPSLatitudeRef, ascii("North")),
            (Tag::GPSLatitude, latitude.clone()),
            (Tag::GPSLongitudeRef, ascii("WEST")),
            (Tag::GPSLongitude, longitude),
        ];
        assert_eq!(place(&of(&fields, true)), Some((52.5, -13.4)), "{latitude:?}");
    }
}

#[test]
fn heights_of_exif_3_are_not_of_another_floor() {
    for (version, reference, expected) in [
        ("0232", 1, Some(-12.0)),
        ("0232", 2, Some(12.0)),
        ("0232", 3, Some(-12.0)),
        ("0300", 3, Some(-12.0)),
        ("0300", 1, None),
    ] {
        let mut fields = position();
        fields.push((Tag::ExifVersion, Value::Undefined(version.as_bytes().to_vec(), 0)));
        fields.push((Tag::GPSAltitudeRef, Value::Byte(vec![reference])));
        fields.push((Tag::GPSAltitude, ratios(&[(12, 1)])));
        let fix = *of(&fields, false).gps.as_option().expect("known");
        assert_eq!(fix.altitude_m, expected, "{version} {reference}");
    }
}

#[test]
fn texts_of_exif_3_are_utf_8() {
    let mut tiff = sample::tiff(&[(Tag::ImageDescription, ascii("Riß im Türsturz"))], false);
    let entry = entry(&tiff, 0x010E);
    tiff[entry + 3] = 129;
    assert_eq!(read(&tiff).description, Known::Known("Riß im Türsturz".into()));
}

#[test]
fn a_description_is_what_a_person_wrote() {
    let wide = |text: &str| Value::Byte(text.encode_utf16().flat_map(u16::to_le_bytes).collect());
    let microsoft = |number| Tag(::exif::Context::Tiff, number);
    let table = [
        (vec![(Tag::ImageDescription, wide("crack"))], "", "crack", Source::Exif),
        (vec![(microsoft(0x9C9C), wide("crack"))], "", "crack", Source::Exif),
        (vec![(microsoft(0x9C9B), wide("crack"))], "", "crack", Source::Exif),
        (vec![(Tag::ImageDescription, ascii("DCIM\\default"))], "", "DCIM\\default", Source::Exif),
        (vec![(Tag::ImageDescription, ascii("SONY DSC"))], "exif:UserComment='crack'", "crack", Source::Xmp),
    ];
    for (fields, attributes, words, from) in table {
        let capture = read(&jpeg(&[(0xE1, app1(&sample::tiff(&fields, false))), (0xE1, xmp(attributes))]));
        assert_eq!(capture.description, Known::Known(words.into()));
        assert_eq!(capture.origins.description.map(|origin| origin.from), Some(from));
    }
}

#[test]
fn xmp_never_turns_a_picture() {
    let capture = read(&jpeg(&[(0xE1, xmp("tiff:Orientation='6' tiff:Model='F2' tiff:Make='Lumen'"))]));
    assert_eq!(capture.orientation_or_normal(), Orientation::Normal);
    assert_eq!(capture.camera, Known::Known("Lumen F2".into()));
    assert_eq!(capture.origins.camera, Some(Origin::certain(Source::Xmp)));
}
