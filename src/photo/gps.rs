//! GPS tags to a position, or the reason why there is none (Exif 2.32, 4.6.6).
//!
//! A position that is only probably right sends people to the wrong wall, so every oddity makes it
//! unknown. Altitude, accuracy and direction are extras: an odd one is left out alone.

use crate::domain::capture::{GpsFix, Known};

/// An unsigned EXIF rational.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ratio(pub(super) u32, pub(super) u32);

impl Ratio {
    /// Its value; none where the denominator is zero.
    fn value(self) -> Option<f64> {
        (self.1 != 0).then(|| f64::from(self.0) / f64::from(self.1))
    }
}

/// The GPS tags as read. Letters are the first character of their tag, upper case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct RawGps {
    pub(super) latitude: Option<Vec<Ratio>>,
    pub(super) latitude_ref: Option<char>,
    pub(super) longitude: Option<Vec<Ratio>>,
    pub(super) longitude_ref: Option<char>,
    pub(super) altitude: Option<Ratio>,
    /// `GPSAltitudeRef` 1.
    pub(super) below_sea_level: bool,
    pub(super) accuracy: Option<Ratio>,
    /// `GPSDOP`.
    pub(super) dilution: Option<Ratio>,
    pub(super) direction: Option<Ratio>,
    /// `GPSStatus`: V means that the receiver had no fix.
    pub(super) status: Option<char>,
    /// `GPSMapDatum`.
    pub(super) datum: Option<String>,
}

/// The position that `raw` gives.
pub(super) fn fix(raw: &RawGps) -> Known<GpsFix> {
    match position(raw) {
        Ok((latitude, longitude)) => Known::Known(GpsFix {
            latitude,
            longitude,
            altitude_m: altitude(raw),
            accuracy_m: accuracy(raw),
            direction_deg: raw
                .direction
                .and_then(Ratio::value)
                .filter(|deg| *deg <= 360.0)
                .map(|deg| deg % 360.0),
        }),
        Err(because) => Known::Unknown(because),
    }
}

fn position(raw: &RawGps) -> Result<(f64, f64), String> {
    if raw.latitude.is_none() && raw.longitude.is_none() {
        return Err("the photo carries no GPS position".into());
    }
    if raw.status == Some('V') {
        return Err("the camera had no GPS fix".into());
    }
    if let Some(datum) = raw.datum.as_deref().filter(|datum| !is_wgs84(datum)) {
        return Err(format!("its GPS position is on the map datum '{datum}', not WGS 84"));
    }
    let latitude = signed("latitude", raw.latitude.as_deref(), raw.latitude_ref, ('N', 'S'), 90.0)?;
    let longitude = signed("longitude", raw.longitude.as_deref(), raw.longitude_ref, ('E', 'W'), 180.0)?;
    if latitude.abs() < 1e-9 && longitude.abs() < 1e-9 {
        return Err("its GPS position is 0°, 0°, which cameras write when they have no fix".into());
    }
    Ok((latitude, longitude))
}

fn signed(
    name: &str,
    parts: Option<&[Ratio]>,
    letter: Option<char>,
    (plus, minus): (char, char),
    limit: f64,
) -> Result<f64, String> {
    let parts = parts.ok_or_else(|| format!("its GPS position has no {name}"))?;
    let sign = match letter {
        Some(letter) if letter == plus => 1.0,
        Some(letter) if letter == minus => -1.0,
        Some(letter) => return Err(format!("its GPS {name} is marked '{letter}', not {plus} or {minus}")),
        None => return Err(format!("its GPS {name} is not marked {plus} or {minus}")),
    };
    let degrees = degrees(parts).ok_or_else(|| format!("its GPS {name} is no number of degrees"))?;
    if degrees > limit {
        return Err(format!("its GPS {name} is {degrees}°, out of range"));
    }
    Ok(sign * degrees)
}

/// Degrees, minutes and seconds; cameras may leave out the later ones and use fractions instead.
fn degrees(parts: &[Ratio]) -> Option<f64> {
    if parts.is_empty() || parts.len() > 3 {
        return None;
    }
    let mut sum = 0.0;
    for (part, unit) in parts.iter().zip([1.0, 60.0, 3600.0]) {
        let value = part.value()?;
        if unit > 1.0 && value > 60.0 {
            return None;
        }
        sum += value / unit;
    }
    Some(sum)
}

/// Metres that a receiver errs by for each unit of dilution: what phones reach under an open sky.
const ERROR_PER_DILUTION_M: f64 = 5.0;

/// As the camera claims it; else from the dilution of precision, above 50 of which a fix is none.
fn accuracy(raw: &RawGps) -> Option<f64> {
    let claimed = raw.accuracy.and_then(Ratio::value).filter(|metres| *metres > 0.0);
    let dilution = raw.dilution.and_then(Ratio::value).filter(|dop| *dop > 0.0 && *dop <= 50.0);
    claimed.or_else(|| dilution.map(|dop| dop * ERROR_PER_DILUTION_M))
}

fn altitude(raw: &RawGps) -> Option<f64> {
    let metres = raw.altitude.and_then(Ratio::value)?;
    let metres = if raw.below_sea_level { -metres } else { metres };
    // From below the deepest mine to above the highest summit; all else is a fault.
    (-5_000.0..=10_000.0).contains(&metres).then_some(metres)
}

fn is_wgs84(datum: &str) -> bool {
    let plain: String = datum.chars().filter(char::is_ascii_alphanumeric).collect();
    plain.is_empty() || plain.eq_ignore_ascii_case("WGS84") || plain.eq_ignore_ascii_case("WGS1984")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dms(d: (u32, u32), m: (u32, u32), s: (u32, u32)) -> Vec<Ratio> {
        [d, m, s].map(|(n, d)| Ratio(n, d)).to_vec()
    }

    fn sydney() -> RawGps {
        RawGps {
            latitude: Some(dms((33, 1), (51, 1), (2412, 100))),
            latitude_ref: Some('S'),
            longitude: Some(dms((151, 1), (12, 1), (3420, 100))),
            longitude_ref: Some('E'),
            altitude: Some(Ratio(585, 10)),
            accuracy: Some(Ratio(475, 100)),
            direction: Some(Ratio(36000, 100)),
            status: Some('A'),
            datum: Some("WGS-84".into()),
            ..RawGps::default()
        }
    }

    #[test]
    fn accuracy_is_the_cameras_claim_or_follows_from_dilution() {
        let table = [
            (Some(Ratio(475, 100)), Some(Ratio(9, 1)), Some(4.75)),
            (None, Some(Ratio(3, 1)), Some(15.0)),
            (Some(Ratio(0, 1)), Some(Ratio(3, 1)), Some(15.0)),
            (Some(Ratio(1, 0)), Some(Ratio(99, 1)), None),
            (None, Some(Ratio(0, 0)), None),
        ];
        for (accuracy, dilution, expected) in table {
            let raw = RawGps { accuracy, dilution, ..sydney() };
            assert_eq!(fix(&raw).as_option().and_then(|fix| fix.accuracy_m), expected, "{raw:?}");
        }
    }

    #[test]
    fn a_whole_fix_is_read() {
        let Known::Known(fix) = fix(&sydney()) else { panic!("known") };
        assert!((fix.latitude + 33.8567).abs() < 1e-9 && (fix.longitude - 151.209_5).abs() < 1e-9);
        assert_eq!((fix.altitude_m, fix.accuracy_m, fix.direction_deg), (Some(58.5), Some(4.75), Some(0.0)));
    }

    #[test]
    fn an_odd_position_is_unknown_and_says_why() {
        let zero = Some(dms((0, 1), (0, 1), (0, 1)));
        let table: [(&str, RawGps); 11] = [
            ("no GPS position", RawGps::default()),
            ("no GPS fix", RawGps { status: Some('V'), ..sydney() }),
            ("TOKYO", RawGps { datum: Some("TOKYO".into()), ..sydney() }),
            ("no longitude", RawGps { longitude: None, ..sydney() }),
            ("not marked N or S", RawGps { latitude_ref: None, ..sydney() }),
            ("marked 'Q'", RawGps { longitude_ref: Some('Q'), ..sydney() }),
            ("no number", RawGps { latitude: Some(dms((0, 0), (0, 0), (0, 0))), ..sydney() }),
            ("no number", RawGps { latitude: Some(dms((33, 1), (61, 1), (0, 1))), ..sydney() }),
            ("no number", RawGps { latitude: Some(vec![]), ..sydney() }),
            ("out of range", RawGps { latitude: Some(dms((91, 1), (0, 1), (0, 1))), ..sydney() }),
            ("0°, 0°", RawGps { latitude: zero.clone(), longitude: zero, ..sydney() }),
        ];
        for (words, raw) in table {
            let Known::Unknown(because) = fix(&raw) else { panic!("{words}: known") };
            assert!(because.contains(words), "{because}");
        }
    }

    #[test]
    fn odd_extras_are_left_out_alone() {
        let raw = RawGps {
            altitude: Some(Ratio(7, 0)),
            accuracy: Some(Ratio(0, 1)),
            direction: Some(Ratio(400, 1)),
            datum: Some("  ".into()),
            status: None,
            ..sydney()
        };
        let Known::Known(found) = fix(&raw) else { panic!("known") };
        assert_eq!((found.altitude_m, found.accuracy_m, found.direction_deg), (None, None, None));
        let below = RawGps { below_sea_level: true, ..sydney() };
        assert_eq!(fix(&below).as_option().and_then(|fix| fix.altitude_m), Some(-58.5));
        let decimal = RawGps { latitude: Some(vec![Ratio(338_567, 10_000)]), ..sydney() };
        assert!(fix(&decimal).as_option().is_some_and(|fix| (fix.latitude + 33.8567).abs() < 1e-9));
    }
}
