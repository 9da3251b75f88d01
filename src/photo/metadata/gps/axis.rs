//! One coordinate, as tags and texts write it.

use crate::photo::metadata::tiff::Number;

/// Metres to which a position is written that has whole minutes only, and whole degrees only: half a unit of latitude.
const MINUTE_M: f64 = 926.0;
const DEGREE_M: f64 = MINUTE_M * 60.0;

/// Latitude or longitude.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::photo::metadata) struct Axis {
    name: &'static str,
    /// Letters and words; those of other languages where they have one meaning in all.
    plus: &'static [&'static str],
    minus: &'static [&'static str],
    limit: f64,
}

/// North and south.
pub(in crate::photo::metadata) const LATITUDE: Axis = Axis {
    name: "latitude",
    plus: &["N", "NORTH", "NORD", "NORTE"],
    minus: &["S", "SOUTH", "SUD", "SÜD", "SUR", "SUL"],
    limit: 90.0,
};

/// East and west.
pub(in crate::photo::metadata) const LONGITUDE: Axis = Axis {
    name: "longitude",
    plus: &["E", "EAST", "EST", "ESTE", "OST"],
    minus: &["W", "WEST", "OUEST", "OVEST", "OESTE"],
    limit: 180.0,
};

/// A coordinate as it is written.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::photo::metadata) struct Degrees {
    /// Degrees, minutes and seconds; later ones may be left out.
    parts: Vec<Number>,
    /// The side of the equator or of Greenwich, a letter or a word.
    reference: Option<String>,
    /// Whether a number without a side is signed: decimal degrees are.
    signed: bool,
}

/// A coordinate as it is meant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Coordinate {
    pub(super) degrees: f64,
    /// Metres to which it is written, where that is coarse; else 0.
    pub(super) resolution_m: f64,
    /// Why it is only likely.
    pub(super) likely: Option<&'static str>,
}

impl Degrees {
    /// The numbers of EXIF's tag and its reference.
    pub(in crate::photo::metadata) fn of_tags(parts: Vec<Number>, reference: Option<&str>) -> Self {
        let reference = reference
            .map(|text| text.trim_matches([' ', '.', ',']).to_uppercase())
            .filter(|text| !text.is_empty());
        Self { parts, reference, signed: false }
    }

    /// A text of XMP: `47,0.0045N`, `47,0,16.2N`, `47.000075` with `reference` or a sign.
    pub(in crate::photo::metadata) fn of_text(text: &str, reference: Option<&str>) -> Option<Self> {
        let text = text.trim().to_ascii_uppercase();
        let end = text.trim_end_matches(char::is_alphabetic).len();
        let (numbers, side) = text.split_at(end);
        let numbers = numbers.trim();
        let parts: Vec<&str> = numbers.split(',').map(str::trim).collect();
        // A comma could stand for a decimal point unless a point or two commas say otherwise.
        if parts.len() == 2 && !numbers.contains('.') {
            return None;
        }
        let plain = |part: &str| {
            let digits = part.trim_start_matches(['+', '-']);
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        };
        let number = |part: &&str| plain(part).then(|| part.parse::<f64>().ok()).flatten();
        let decimal = parts.len() == 1;
        let parts: Option<Vec<f64>> = parts.iter().map(number).collect();
        let side = Some(side).filter(|side| !side.is_empty()).or(reference);
        let degrees = Self::of_tags(parts?.into_iter().map(Some).collect(), side);
        Some(Self { signed: decimal, ..degrees })
    }

    pub(super) fn read(&self, axis: Axis) -> Result<Coordinate, String> {
        let name = axis.name;
        let no_number = || format!("its GPS {name} is no number of degrees");
        let (degrees, resolution_m) = self.magnitude().ok_or_else(no_number)?;
        let negative = self.parts.iter().flatten().any(|part| *part < 0.0);
        let (sign, likely) = match (self.side(axis)?, negative) {
            (Some(Side::Plus), false) => (1.0, None),
            (Some(Side::Minus), _) => (-1.0, None),
            (Some(Side::Plus), true) => {
                return Err(format!("its GPS {name} is negative and marked {}", axis.plus[0]));
            }
            (None, true) => (-1.0, Some("its GPS position has a sign for a reference")),
            (None, false) if self.signed => (1.0, Some("its GPS position has no reference")),
            (None, false) => {
                return Err(format!("its GPS {name} is not marked {} or {}", axis.plus[0], axis.minus[0]));
            }
        };
        if degrees > axis.limit {
            return Err(format!("its GPS {name} is {degrees}°, out of range"));
        }
        Ok(Coordinate { degrees: sign * degrees, resolution_m, likely })
    }

    fn side(&self, axis: Axis) -> Result<Option<Side>, String> {
        let Some(reference) = self.reference.as_deref() else { return Ok(None) };
        if axis.plus.contains(&reference) {
            Ok(Some(Side::Plus))
        } else if axis.minus.contains(&reference) {
            Ok(Some(Side::Minus))
        } else {
            let [plus, minus] = [axis.plus[0], axis.minus[0]];
            Err(format!("its GPS {} is marked '{reference}', not {plus} or {minus}", axis.name))
        }
    }

    /// Degrees without sign, and the metres to which they are written where that is coarse. None where they are no
    /// number, or could be several: degrees with a fraction and minutes beside it.
    fn magnitude(&self) -> Option<(f64, f64)> {
        if self.parts.is_empty() || self.parts.len() > 3 {
            return None;
        }
        // 0/0 stands for a part that is not known: then the later ones are not either.
        let known: Vec<f64> = self.parts.iter().map_while(|part| part.map(f64::abs)).collect();
        let rest = self.parts.iter().skip(known.len()).flatten();
        if known.is_empty() || rest.into_iter().any(|part| *part != 0.0) {
            return None;
        }
        let signs = self.parts.iter().flatten().filter(|part| **part != 0.0).map(|part| part.signum());
        if signs.clone().any(|sign| sign > 0.0) && signs.clone().skip(1).any(|sign| sign < 0.0) {
            return None;
        }
        let mut sum = 0.0;
        for (index, (part, unit)) in known.iter().zip([1.0, 60.0, 3600.0]).enumerate() {
            let later = known.iter().skip(index + 1).any(|later| *later != 0.0);
            if index > 0 && *part > 60.0 || part.fract() != 0.0 && later {
                return None;
            }
            sum += part / unit;
        }
        let cut = known.len() < self.parts.len() && known.iter().all(|part| part.fract() == 0.0);
        let resolution_m = match known.len() {
            1 if cut => DEGREE_M,
            2 if cut => MINUTE_M,
            _ => 0.0,
        };
        Some((sum, resolution_m))
    }
}

enum Side {
    Plus,
    Minus,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(parts: &[Number], reference: Option<&str>) -> Degrees {
        Degrees::of_tags(parts.to_vec(), reference)
    }

    /// Degrees, and whether they are only likely; none where they are unknown.
    type Expected = Option<(f64, bool)>;

    fn degrees(coordinate: &Degrees, axis: Axis) -> Expected {
        coordinate.read(axis).ok().map(|read| ((read.degrees * 1e6).round() / 1e6, read.likely.is_some()))
    }

    #[test]
    fn tags_are_read_where_they_have_one_meaning() {
        let (d, m, s) = (Some(33.0), Some(51.0), Some(24.12));
        let table: [(&[Number], Option<&str>, Expected); 22] = [
            (&[d, m, s], Some("N"), Some((33.8567, false))),
            (&[d, m, s], Some("n "), Some((33.8567, false))),
            (&[d, m, s], Some("North"), Some((33.8567, false))),
            (&[d, m, s], Some("SOUTH"), Some((-33.8567, false))),
            (&[d, m, s], Some("Süd"), Some((-33.8567, false))),
            (&[d, m, s], Some("Q"), None),
            (&[d, m, s], Some("E"), None),
            (&[d, m, s], Some(" "), None),
            (&[d, m, s], None, None),
            (&[d, Some(51.402), None], Some("N"), Some((33.8567, false))),
            (&[d, Some(51.402)], Some("N"), Some((33.8567, false))),
            (&[Some(33.8567), None, None], Some("N"), Some((33.8567, false))),
            (&[Some(33.8567), Some(0.0), Some(0.0)], Some("S"), Some((-33.8567, false))),
            (&[Some(33.5), Some(30.0), Some(0.0)], Some("N"), None),
            (&[d, None, s], Some("N"), None),
            (&[None, None, None], Some("N"), None),
            (&[], Some("N"), None),
            (&[d, Some(61.0), s], Some("N"), None),
            (&[Some(-33.8567)], Some("S"), Some((-33.8567, false))),
            (&[Some(-33.0), Some(-51.0), Some(-24.12)], None, Some((-33.8567, true))),
            (&[Some(-33.8567)], Some("N"), None),
            (&[Some(33.0), Some(-51.0), Some(0.0)], Some("N"), None),
        ];
        for (parts, reference, expected) in table {
            assert_eq!(degrees(&tags(parts, reference), LATITUDE), expected, "{parts:?} {reference:?}");
        }
        assert_eq!(degrees(&tags(&[Some(19.0), m, s], Some("West")), LONGITUDE), Some((-19.8567, false)));
    }

    #[test]
    fn texts_are_read_where_they_have_one_meaning() {
        let table: [(&str, Option<&str>, Expected); 14] = [
            ("47,0.0045N", None, Some((47.000_075, false))),
            ("47,0.0045S", None, Some((-47.000_075, false))),
            (" 47, 0, 0.27n", None, Some((47.000_075, false))),
            ("47,0,27S", None, Some((-47.0075, false))),
            ("47.000075N", None, Some((47.000_075, false))),
            ("47.000075", Some("N"), Some((47.000_075, false))),
            ("-47.000075", None, Some((-47.000_075, true))),
            ("47.000075", None, Some((47.000_075, true))),
            ("47,5N", None, None),
            ("47,0.0045", None, None),
            ("47,0.0045E", None, None),
            ("north", None, None),
            ("NaN", None, None),
            ("", None, None),
        ];
        for (text, reference, expected) in table {
            let read = Degrees::of_text(text, reference).and_then(|read| degrees(&read, LATITUDE));
            assert_eq!(read, expected, "{text}");
        }
    }
}
