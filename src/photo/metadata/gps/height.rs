//! The altitude and its reference.

use crate::photo::metadata::tiff::Number;

/// What the tags say of the height.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(in crate::photo::metadata) struct Height {
    /// `GPSAltitude`.
    pub(in crate::photo::metadata) metres: Number,
    /// `GPSAltitudeRef`: 0 above and 1 below sea level, of the ellipsoid since Exif 3.0, which has 2 above and 3 below
    /// sea level.
    pub(in crate::photo::metadata) reference: Number,
    /// Whether 0 and 1 mean the ellipsoid: the file says that it follows Exif 3.0 or later.
    pub(in crate::photo::metadata) ellipsoidal: bool,
}

impl Height {
    /// Metres above sea level. None where the reference is unknown, contradicts a sign, or is the ellipsoid, which
    /// lies up to 100 m from the sea: each could be another floor.
    pub(super) fn metres(self) -> Number {
        let metres = self.metres?;
        let signed = match self.reference {
            // A sign of its own; without one, above sea level is the default of the tag.
            None => metres,
            Some(_) if self.is_ellipsoidal() => return None,
            Some(0.0 | 2.0) if metres >= 0.0 => metres,
            Some(1.0 | 3.0) => -metres.abs(),
            Some(_) => return None,
        };
        // From below the deepest mine to above the highest summit; all else is a fault.
        (-5_000.0..=10_000.0).contains(&signed).then_some(signed)
    }

    fn is_ellipsoidal(self) -> bool {
        self.ellipsoidal && matches!(self.reference, Some(0.0 | 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_height_has_the_wrong_sign() {
        let table = [
            (12.0, None, false, Some(12.0)),
            (12.0, Some(0.0), false, Some(12.0)),
            (12.0, Some(1.0), false, Some(-12.0)),
            (12.0, Some(2.0), false, Some(12.0)),
            (12.0, Some(3.0), false, Some(-12.0)),
            (12.0, Some(2.0), true, Some(12.0)),
            (12.0, Some(3.0), true, Some(-12.0)),
            (12.0, Some(0.0), true, None),
            (12.0, Some(1.0), true, None),
            (-12.0, None, false, Some(-12.0)),
            (-12.0, Some(1.0), false, Some(-12.0)),
            (-12.0, Some(0.0), false, None),
            (12.0, Some(7.0), false, None),
            (20_000.0, Some(0.0), false, None),
        ];
        for (metres, reference, ellipsoidal, expected) in table {
            let height = Height { metres: Some(metres), reference, ellipsoidal };
            assert_eq!(height.metres(), expected, "{height:?}");
        }
        assert_eq!(Height::default().metres(), None);
    }
}
