//! The files of `fixtures/cases`, and what each must tell; held against `exiftool` where it is installed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use punchlens::domain::capture::{CaptureInfo, Source};
use punchlens::photo::{self, metadata};
use serde::Deserialize;
use serde_json::Value;

/// What a file of [`CASES`] must tell; what is left out must be unknown.
struct Right {
    /// Upright.
    size: (u32, u32),
    place: bool,
    local: Option<&'static str>,
    instant: Option<&'static str>,
    /// Whether time or offset are only likely.
    likely: bool,
    description: Option<&'static str>,
    location: Option<&'static str>,
}

const PLACE: (f64, f64) = (47.000_075, -19.998_486);
/// The painted photo of most cases, without metadata.
const BARE: Right = Right {
    size: (768, 1024),
    place: false,
    local: None,
    instant: None,
    likely: false,
    description: None,
    location: None,
};
const TURNED: Right = Right { place: true, local: Some("2026-09-01T10:00:00"), ..BARE };
const SMALL: Right = Right { size: (320, 240), ..TURNED };
const COMMENTED: Right = Right { description: Some("Crack at unit 204, north stair"), ..BARE };
const LOCATED: Right = Right { location: Some("Building A, Floor 2, Unit 204"), ..BARE };
const TEN: Option<&str> = Some("2026-08-22T10:08:19");
const EIGHT: Option<&str> = Some("2026-08-22T08:08:19Z");

const CASES: [(&str, Right); 30] = [
    ("exif-segments/empty-exif-first.jpg", TURNED),
    ("exif-segments/exif-after-sof.jpg", TURNED),
    ("exif-segments/exif-pad-ff.jpg", TURNED),
    ("exif-segments/xmp-first.jpg", Right { location: Some("Building A, Floor 2, Unit 204"), ..TURNED }),
    ("exif-times/gps-utc.jpg", Right { place: true, local: TEN, instant: EIGHT, likely: true, ..BARE }),
    ("exif-times/nosec.jpg", Right { local: Some("2026-08-22T10:08:00"), ..BARE }),
    ("exif-times/offset-nocolon.jpg", Right { local: TEN, instant: EIGHT, ..BARE }),
    ("exif-times/offsettime-only.jpg", Right { local: TEN, instant: EIGHT, likely: true, ..BARE }),
    ("exif-times/spaces.jpg", Right { local: Some("2026-08-02T09:08:09"), ..BARE }),
    ("exif-times/suffix-ms.jpg", Right { local: Some("2026-08-22T10:08:19.25"), ..BARE }),
    ("exif-times/suffix-z.jpg", Right { local: TEN, instant: Some("2026-08-22T10:08:19Z"), ..BARE }),
    ("exif-times/suffix.jpg", Right { local: TEN, instant: EIGHT, ..BARE }),
    ("exif-times/utc-offset.jpg", Right { local: TEN, instant: EIGHT, ..BARE }),
    ("png-kinds/exif-after-idat.png", SMALL),
    ("png-kinds/exif-before.png", SMALL),
    ("png-kinds/exif-prefix.png", SMALL),
    ("png-kinds/raw-profile-exif.png", SMALL),
    ("usercomment-order/ascii-type.jpg", COMMENTED),
    ("usercomment-order/be-text-in-ii.jpg", COMMENTED),
    ("usercomment-order/le-text-in-mm.jpg", COMMENTED),
    ("usercomment-order/noprefix.jpg", COMMENTED),
    ("usercomment-order/ok-le.jpg", COMMENTED),
    ("webp-exif-prefix/plain.webp", TURNED),
    ("webp-exif-prefix/prefixed.webp", TURNED),
    ("xmp-only/gps.jpg", Right { place: true, local: TEN, instant: EIGHT, ..BARE }),
    ("xmp-only/location-microsoft-wrapper.jpg", LOCATED),
    ("xmp-only/location-no-wrapper.jpg", LOCATED),
    ("xmp-only/location-numeric-entity.jpg", Right { location: Some("Treppenhaus Süd"), ..BARE }),
    ("xmp-only/location-ok.jpg", LOCATED),
    ("xmp-only/location-other-prefix.jpg", Right { location: Some("Unit 204"), ..BARE }),
];

/// The kinds of cases that [`CASES`] lists completely.
const KINDS: [&str; 6] =
    ["exif-segments", "exif-times", "png-kinds", "usercomment-order", "webp-exif-prefix", "xmp-only"];

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/cases")
}

fn limits() -> photo::Limits {
    #[derive(Deserialize)]
    struct Fragment {
        photo: photo::Limits,
    }
    toml::from_str::<Fragment>(photo::DEFAULT_CONFIG).expect("the shipped fragment parses").photo
}

#[test]
fn every_case_tells_what_is_right() {
    let limits = limits();
    for (name, right) in CASES {
        let bytes = std::fs::read(cases().join(name)).expect(name);
        let photo = photo::decode(&bytes, &limits, Some(64)).expect(name);
        assert_eq!((photo.size.width, photo.size.height), right.size, "{name}");
        let capture = photo.capture;
        let fix = capture.gps.as_option();
        assert_eq!(fix.is_some(), right.place, "{name}: {:?}", capture.gps);
        if let Some(fix) = fix {
            let apart = (fix.latitude - PLACE.0).hypot(fix.longitude - PLACE.1);
            assert!(apart < 1e-5, "{name}: {fix:?}");
        }
        let taken = capture.taken_at.as_option();
        assert_eq!(taken.map(|taken| taken.local.to_string()).as_deref(), right.local, "{name}");
        let instant = taken.and_then(|taken| taken.instant).map(|instant| instant.to_string());
        assert_eq!(instant.as_deref(), right.instant, "{name}");
        let likely = capture.origins.taken_at.is_some_and(|origin| origin.likely.is_some());
        assert_eq!(likely, right.likely, "{name}");
        assert_eq!(capture.description.as_option().map(String::as_str), right.description, "{name}");
        assert_eq!(capture.location_text.as_deref(), right.location, "{name}");
        let of_xmp = capture.origins.location_text.map(|origin| origin.from);
        assert_eq!(of_xmp, right.location.map(|_| Source::Xmp), "{name}");
    }
}

#[test]
fn no_case_is_forgotten() {
    let listed: BTreeSet<String> = CASES.iter().map(|(name, _)| (*name).to_owned()).collect();
    let there = KINDS.iter().flat_map(|kind| {
        let entries = std::fs::read_dir(cases().join(kind)).expect("there");
        entries.map(move |entry| format!("{kind}/{}", entry.expect("readable").file_name().display()))
    });
    assert_eq!(listed, there.collect());
}

/// Positions and turns by a reader that nobody here wrote. `PUNCHLENS_METADATA_CORPUS=DIR` holds the photos of a
/// folder against it as well.
#[test]
fn exiftool_reads_no_other_place() {
    if Command::new("exiftool").arg("-ver").output().is_err() {
        println!("skipped: exiftool is not installed (apt-get install libimage-exiftool-perl)");
        return;
    }
    let mut folders = vec![cases()];
    folders.extend(std::env::var_os("PUNCHLENS_METADATA_CORPUS").map(PathBuf::from));
    for folder in folders {
        let output = Command::new("exiftool")
            .args(["-json", "-n", "-r", "-G0", "-GPSLatitude", "-GPSLongitude", "-Orientation"])
            .args([
                "-DateTimeOriginal",
                "-ext",
                "jpg",
                "-ext",
                "jpeg",
                "-ext",
                "png",
                "-ext",
                "webp",
                "-ext",
                "heic",
            ])
            .arg(&folder)
            .output()
            .expect("runs");
        let files: Vec<Value> = serde_json::from_slice(&output.stdout).expect("a list");
        assert!(!files.is_empty(), "{}", folder.display());
        let mut placed = 0;
        for file in &files {
            let name = file["SourceFile"].as_str().expect("named");
            let capture = metadata::read(&std::fs::read(name).expect("readable"));
            placed += usize::from(capture.gps.as_option().is_some());
            agrees(name, &capture, file);
        }
        println!("{}: {} files, {placed} with a position", folder.display(), files.len());
    }
}

/// Where both know a fact, they know the same.
fn agrees(name: &str, capture: &CaptureInfo, file: &Value) {
    let number = |group: &str, tag: &str| file[format!("{group}:{tag}")].as_f64();
    let position = ["Composite", "EXIF", "XMP"]
        .iter()
        .find_map(|group| Some((number(group, "GPSLatitude")?, number(group, "GPSLongitude")?)));
    if let (Some(fix), Some((latitude, longitude))) = (capture.gps.as_option(), position) {
        let apart = (fix.latitude - latitude).hypot(fix.longitude - longitude);
        assert!(apart < 1e-5, "{name}: {fix:?} instead of {latitude}, {longitude}");
    }
    let turn = number("EXIF", "Orientation").or_else(|| number("PNG", "Orientation"));
    if let (Some(orientation), Some(turn)) = (capture.orientation.as_option(), turn) {
        assert!(
            (f64::from(u8::from(*orientation)) - turn).abs() < 1e-9,
            "{name}: {orientation:?}, not {turn}"
        );
    }
}
