//! Where, when and which way up a photo was taken: what its metadata says, already validated.

use jiff::Timestamp;
use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

use super::geometry::Orientation;
use super::picture::CutOff;

/// A fact, or the reason why it is not known. "No GPS" is the normal case, not an error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Known<T> {
    /// The fact.
    Known(T),
    /// Why there is none, in words that follow "unknown, because".
    Unknown(String),
}

impl<T> Known<T> {
    /// The fact if there is one.
    pub const fn as_option(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown(_) => None,
        }
    }

    /// An absent fact with its reason.
    pub fn unknown(because: impl Into<String>) -> Self {
        Self::Unknown(because.into())
    }
}

/// Where a fact was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The file's EXIF block.
    Exif,
    /// The file's XMP packet.
    Xmp,
    /// The file's IPTC records.
    Iptc,
    /// What Procore knows of the photo.
    Procore,
}

/// Where a fact was read, and how sure it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Where it stands.
    pub from: Source,
    /// Why it is only likely; none where it is certain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub likely: Option<String>,
}

impl Origin {
    /// A fact that stands in `from` as it is.
    pub const fn certain(from: Source) -> Self {
        Self { from, likely: None }
    }
}

/// The origins of the facts that are known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Origins {
    /// Of the time of capture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken_at: Option<Origin>,
    /// Of the position.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gps: Option<Origin>,
    /// Of the camera's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub camera: Option<Origin>,
    /// Of the orientation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orientation: Option<Origin>,
    /// Of the description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<Origin>,
    /// Of the location in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location_text: Option<Origin>,
}

impl Origins {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A position on the WGS 84 ellipsoid.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GpsFix {
    /// Degrees north, −90..=90.
    pub latitude: f64,
    /// Degrees east, −180..=180.
    pub longitude: f64,
    /// Metres above sea level.
    pub altitude_m: Option<f64>,
    /// Radius in metres within which the position is claimed to lie (`GPSHPositioningError`, else from `GPSDOP`).
    pub accuracy_m: Option<f64>,
    /// Direction in which the camera pointed, degrees clockwise from north.
    pub direction_deg: Option<f64>,
}

/// When the shutter fell. Cameras write local time; only some say which offset it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenAt {
    /// Wall-clock time at the camera.
    pub local: DateTime,
    /// The instant, where the offset is known.
    pub instant: Option<Timestamp>,
}

/// What the file says about its own making.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CaptureInfo {
    /// Time of capture.
    pub taken_at: Known<TakenAt>,
    /// Position of the camera.
    pub gps: Known<GpsFix>,
    /// How the stored pixels must be turned.
    pub orientation: Known<Orientation>,
    /// Maker and model of the camera, e.g. `Apple iPhone 15`.
    pub camera: Known<String>,
    /// The description or comment that a person wrote into the file.
    pub description: Known<String>,
    /// The location that somebody wrote into the file in words (XMP, IPTC), where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location_text: Option<String>,
    /// The lens, where it is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lens: Option<String>,
    /// Its focal length, millimetres.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub focal_length_mm: Option<f64>,
    /// What is missing of the picture, where something is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_off: Option<CutOff>,
    /// Where each of the facts was read.
    #[serde(default, skip_serializing_if = "Origins::is_empty")]
    pub origins: Origins,
}

impl CaptureInfo {
    /// A photo that says nothing of itself, all for the same reason.
    pub fn silent(because: &str) -> Self {
        Self {
            taken_at: Known::unknown(because),
            gps: Known::unknown(because),
            orientation: Known::unknown(because),
            camera: Known::unknown(because),
            description: Known::unknown(because),
            location_text: None,
            lens: None,
            focal_length_mm: None,
            cut_off: None,
            origins: Origins::default(),
        }
    }

    /// The orientation to apply: as stored where none is known.
    pub fn orientation_or_normal(&self) -> Orientation {
        self.orientation.as_option().copied().unwrap_or_default()
    }
}
