//! The GPS tags of EXIF and XMP to a position, or the reason why there is none (Exif 3.0 4.6.7, XMP part 2 3.3).
//!
//! A position that is only probably right sends people to the wrong wall, so what could be read in two ways makes it
//! unknown. Altitude, accuracy and direction are extras: an odd one is left out alone.

mod axis;
mod height;

use axis::{LATITUDE, LONGITUDE};

pub(super) use axis::Degrees;
pub(super) use height::Height;

use super::tiff::Number;
use crate::domain::capture::GpsFix;

/// The GPS tags as read.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct RawGps {
    pub(super) latitude: Option<Degrees>,
    pub(super) longitude: Option<Degrees>,
    pub(super) height: Height,
    /// `GPSHPositioningError`, metres.
    pub(super) accuracy: Number,
    /// `GPSDOP`.
    pub(super) dilution: Number,
    /// `GPSImgDirection`, degrees.
    pub(super) direction: Number,
    /// `GPSStatus`: V means that the receiver had no fix.
    pub(super) status: Option<String>,
    /// `GPSMapDatum`.
    pub(super) datum: Option<String>,
}

/// What GPS tags give.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Position {
    /// A position, and why it is only likely.
    Fix(GpsFix, Option<&'static str>),
    /// None, but other tags may have it: why.
    Missing(String),
    /// None, and whoever copied these tags has none either: why.
    Void(String),
}

impl Position {
    /// What `other` says where this is missing.
    pub(super) fn or(self, other: impl FnOnce() -> Self) -> Self {
        let Self::Missing(because) = self else { return self };
        match other() {
            Self::Missing(_) => Self::Missing(because),
            found => found,
        }
    }
}

/// The position that `raw` gives.
pub(super) fn position(raw: &RawGps) -> Position {
    let (latitude, longitude) = match (&raw.latitude, &raw.longitude) {
        (None, None) => return Position::Missing(NO_POSITION.into()),
        (None, Some(_)) => return Position::Missing("its GPS position has no latitude".into()),
        (Some(_), None) => return Position::Missing("its GPS position has no longitude".into()),
        (Some(latitude), Some(longitude)) => (latitude, longitude),
    };
    if is_void(raw.status.as_deref()) {
        return Position::Void("the camera had no GPS fix".into());
    }
    if let Some(datum) = raw.datum.as_deref().filter(|datum| !is_wgs84(datum)) {
        return Position::Void(format!("its GPS position is on the map datum '{datum}', not WGS 84"));
    }
    let (latitude, longitude) = match (latitude.read(LATITUDE), longitude.read(LONGITUDE)) {
        (Ok(latitude), Ok(longitude)) => (latitude, longitude),
        (Err(because), _) | (_, Err(because)) => return Position::Missing(because),
    };
    if latitude.degrees.abs() < 1e-9 && longitude.degrees.abs() < 1e-9 {
        let because = "its GPS position is 0°, 0°, which cameras write when they have no fix";
        return Position::Void(because.into());
    }
    let fix = GpsFix {
        latitude: latitude.degrees,
        longitude: longitude.degrees,
        altitude_m: raw.height.metres(),
        accuracy_m: accuracy(raw, latitude.resolution_m.max(longitude.resolution_m)),
        direction_deg: raw.direction.filter(|deg| (0.0..=360.0).contains(deg)).map(|deg| deg % 360.0),
    };
    Position::Fix(fix, latitude.likely.or(longitude.likely))
}

/// What is said of a photo without any.
pub(super) const NO_POSITION: &str = "the photo carries no GPS position";

/// Metres that a receiver errs by for each unit of dilution: what phones reach under an open sky.
const ERROR_PER_DILUTION_M: f64 = 5.0;

/// As the camera claims it; else from the dilution of precision, above 50 of which a fix is none. Never better than
/// `resolution_m`, to which the position is written.
fn accuracy(raw: &RawGps, resolution_m: f64) -> Option<f64> {
    let claimed = raw.accuracy.filter(|metres| *metres > 0.0);
    let dilution = raw.dilution.filter(|dop| *dop > 0.0 && *dop <= 50.0);
    let accuracy = claimed.or_else(|| dilution.map(|dop| dop * ERROR_PER_DILUTION_M));
    if resolution_m > 0.0 { Some(accuracy.unwrap_or(0.0).max(resolution_m)) } else { accuracy }
}

fn is_void(status: Option<&str>) -> bool {
    status.is_some_and(|status| matches!(status.trim().to_ascii_uppercase().as_str(), "V" | "VOID"))
}

/// Whether `datum` names WGS 84, in any of its realizations: they differ by centimetres.
fn is_wgs84(datum: &str) -> bool {
    let plain: String =
        datum.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_uppercase();
    let names = ["WGS1984", "WGS84", "WORLDGEODETICSYSTEM1984", "EPSG4326", "EPSG4979"];
    let realization = names.iter().find_map(|name| plain.strip_prefix(name));
    let is_week =
        |week: &str| (3..=4).contains(&week.len()) && week.bytes().all(|byte| byte.is_ascii_digit());
    plain.is_empty()
        || realization.is_some_and(|rest| {
            matches!(rest, "" | "TRANSIT" | "ENSEMBLE") || rest.strip_prefix('G').is_some_and(is_week)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::capture::Known;

    fn parts(numbers: &[f64], reference: &str) -> Degrees {
        Degrees::of_tags(numbers.iter().copied().map(Some).collect(), Some(reference))
    }

    fn sydney() -> RawGps {
        RawGps {
            latitude: Some(parts(&[33.0, 51.0, 24.12], "S")),
            longitude: Some(parts(&[151.0, 12.0, 34.2], "E")),
            height: Height { metres: Some(58.5), reference: Some(0.0), ellipsoidal: false },
            accuracy: Some(4.75),
            direction: Some(360.0),
            status: Some("A".into()),
            datum: Some("WGS-84".into()),
            dilution: None,
        }
    }

    fn fix(raw: &RawGps) -> Known<GpsFix> {
        match position(raw) {
            Position::Fix(fix, _) => Known::Known(fix),
            Position::Missing(because) | Position::Void(because) => Known::Unknown(because),
        }
    }

    #[test]
    fn accuracy_is_the_cameras_claim_or_follows_from_dilution() {
        let table = [
            (Some(4.75), Some(9.0), Some(4.75)),
            (None, Some(3.0), Some(15.0)),
            (Some(0.0), Some(3.0), Some(15.0)),
            (None, Some(99.0), None),
            (None, None, None),
        ];
        for (accuracy, dilution, expected) in table {
            let raw = RawGps { accuracy, dilution, ..sydney() };
            assert_eq!(fix(&raw).as_option().and_then(|fix| fix.accuracy_m), expected, "{raw:?}");
        }
        let minutes = Degrees::of_tags(vec![Some(33.0), Some(51.0), None], Some("S"));
        let raw = RawGps { latitude: Some(minutes), ..sydney() };
        let coarse = fix(&raw).as_option().and_then(|fix| fix.accuracy_m).expect("known");
        assert!((900.0..1900.0).contains(&coarse), "whole minutes are no better than that: {coarse}");
    }

    #[test]
    fn a_whole_fix_is_read() {
        let Known::Known(fix) = fix(&sydney()) else { panic!("known") };
        assert!((fix.latitude + 33.8567).abs() < 1e-9 && (fix.longitude - 151.209_5).abs() < 1e-9);
        assert_eq!((fix.altitude_m, fix.accuracy_m, fix.direction_deg), (Some(58.5), Some(4.75), Some(0.0)));
    }

    #[test]
    fn an_odd_position_is_unknown_and_says_why() {
        let table: [(&str, RawGps); 8] = [
            ("no GPS position", RawGps::default()),
            ("no GPS fix", RawGps { status: Some("V".into()), ..sydney() }),
            ("no GPS fix", RawGps { status: Some("void ".into()), ..sydney() }),
            ("TOKYO", RawGps { datum: Some("TOKYO".into()), ..sydney() }),
            ("no longitude", RawGps { longitude: None, ..sydney() }),
            ("no latitude", RawGps { latitude: None, ..sydney() }),
            ("out of range", RawGps { latitude: Some(parts(&[91.0, 0.0, 0.0], "N")), ..sydney() }),
            (
                "0°, 0°",
                RawGps {
                    latitude: Some(parts(&[0.0; 3], "N")),
                    longitude: Some(parts(&[0.0; 3], "E")),
                    ..sydney()
                },
            ),
        ];
        for (words, raw) in table {
            let Known::Unknown(because) = fix(&raw) else { panic!("{words}: known") };
            assert!(because.contains(words), "{because}");
        }
    }

    #[test]
    fn datums_are_told_apart() {
        let same = [
            "WGS-84",
            "WGS84",
            "WGS 84",
            "wgs 84 ",
            "WGS-84\0",
            "  ",
            "WGS 1984",
            "WGS 84 (G1762)",
            "WGS84(G730)",
            "WGS 84 (Transit)",
            "World Geodetic System 1984",
            "EPSG:4326",
        ];
        for datum in same {
            assert!(is_wgs84(datum), "{datum}");
        }
        for datum in
            ["TOKYO", "NAD27", "NAD83", "ED50", "WGS-72", "WGS 84 / UTM", "WGS84 EGM96", "GCJ-02", "OSGB36"]
        {
            assert!(!is_wgs84(datum), "{datum}");
        }
    }

    #[test]
    fn odd_extras_are_left_out_alone() {
        let height = Height { metres: None, ..sydney().height };
        let raw = RawGps { height, accuracy: Some(0.0), direction: Some(400.0), status: None, ..sydney() };
        let Known::Known(found) = fix(&raw) else { panic!("known") };
        assert_eq!((found.altitude_m, found.accuracy_m, found.direction_deg), (None, None, None));
    }
}
