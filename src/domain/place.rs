//! Where a photo was taken, as a place of the project's own location tree, with the evidence.

mod neighbour;
mod position;
pub mod resolve;
pub mod text;
pub mod tree;

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::domain::capture::GpsFix;
use crate::domain::ids::LocationId;

pub use resolve::{Neighbour, PlaceQuery, PlaceRules, resolve};
pub use tree::LocationTree;

/// A node of the project's location tree as Procore lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// Procore's id.
    pub id: LocationId,
    /// Names from the root to the node, e.g. `["Building A", "Floor 2", "Unit 204"]`.
    pub path: Vec<String>,
}

impl Location {
    /// A location by the name that Procore gives it, e.g. `Building A>Floor 2>Unit 204`.
    pub fn from_name(id: LocationId, name: &str) -> Self {
        Self { id, path: tree::parse_path(name) }
    }

    /// Whether Procore does not have it: see [`LocationTree::with_missing`].
    pub const fn is_missing(&self) -> bool {
        self.id.value() < 0
    }

    /// How a person would say it: `Building A, Floor 2, Unit 204`.
    pub fn words(&self) -> String {
        self.path.join(", ")
    }
}

/// Which of the photo's texts named the place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextSource {
    /// The location that was written into the file in words.
    FileLocation,
    /// The description in Procore or in the file.
    Description,
    /// The file's name.
    FileName,
    /// The album in Procore.
    Album,
}

impl TextSource {
    /// Words that follow "from".
    pub const fn words(self) -> &'static str {
        match self {
            Self::FileLocation => "the location written into the file",
            Self::Description => "the photo's description",
            Self::FileName => "the file name",
            Self::Album => "the album",
        }
    }
}

/// What speaks for a place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "evidence", rename_all = "snake_case")]
pub enum Evidence {
    /// The photo carries this location in Procore.
    PhotoLocation,
    /// The position lies in an outline of the site file.
    SiteOutline {
        /// The position.
        fix: GpsFix,
        /// The radius in metres that was reckoned with.
        radius_m: f64,
        /// Share of the circle of that radius, of the part on the site, that the place covers.
        share: f64,
    },
    /// A text that came with the photo names the place.
    Text {
        /// Which text.
        source: TextSource,
        /// The words that matched.
        matched: String,
    },
    /// The same person took a located photo close by in time.
    Neighbour {
        /// Seconds between the two.
        apart_s: i64,
        /// Metres between the two, where both have a position.
        apart_m: Option<f64>,
    },
    /// Only a position is known; it is told in the text, no location is chosen.
    GpsOnly {
        /// The position.
        fix: GpsFix,
    },
    /// Nothing is known, and why.
    Unknown {
        /// The reason, in words that follow "unknown, because".
        because: String,
    },
}

impl Evidence {
    /// The evidence in words that stand after a dash or alone in brackets.
    pub fn words(&self) -> String {
        match self {
            Self::PhotoLocation => "from the photo's location in Procore".into(),
            Self::SiteOutline { radius_m, fix, .. } => {
                let assumed = if fix.accuracy_m.is_some() { "" } else { " (assumed)" };
                format!("from GPS ±{radius_m:.0} m{assumed} and the site's outlines")
            }
            Self::Text { source, matched } => format!("from {}: “{matched}”", source.words()),
            Self::Neighbour { apart_s, apart_m } => {
                let distance = apart_m.map(|m| format!(" and {m:.0} m")).unwrap_or_default();
                format!("from a photo by the same person, {}{distance} away", duration_words(*apart_s))
            }
            Self::GpsOnly { fix } => fix_words(fix),
            Self::Unknown { because } => format!("unknown, because {because}"),
        }
    }
}

/// How far a place may be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// No location was chosen.
    #[default]
    None,
    /// Plausible: look before you walk there.
    Low,
    /// Probably right.
    Medium,
    /// A person said so, or nothing else is possible.
    High,
}

/// A place and why it is believed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// The location to put on the punch item, chosen from Procore's tree and never invented.
    pub location: Option<Location>,
    /// What speaks for it.
    #[serde(flatten)]
    pub evidence: Evidence,
    /// How far it may be relied on.
    #[serde(default)]
    pub confidence: Confidence,
    /// Places that could be meant as well, best first. After a tie `location` is what the tied
    /// places have in common, if anything.
    #[serde(default)]
    pub runner_ups: Vec<Location>,
    /// Why better evidence was not there or did not decide, one sentence each.
    #[serde(default)]
    pub notes: Vec<String>,
}

impl Default for Place {
    fn default() -> Self {
        Self::unknown("nobody looked")
    }
}

impl Place {
    /// No place; `because` follows "unknown, because".
    pub fn unknown(because: impl Into<String>) -> Self {
        Self::bare(None, Evidence::Unknown { because: because.into() }, Confidence::None)
    }

    /// The place that the photo carries in Procore.
    pub fn of_photo(location: Location) -> Self {
        Self::bare(Some(location), Evidence::PhotoLocation, Confidence::High)
    }

    /// A position without a location.
    pub fn gps_only(fix: GpsFix) -> Self {
        Self::bare(None, Evidence::GpsOnly { fix }, Confidence::None)
    }

    /// A place without rivals and remarks.
    pub const fn bare(location: Option<Location>, evidence: Evidence, confidence: Confidence) -> Self {
        Self { location, evidence, confidence, runner_ups: Vec::new(), notes: Vec::new() }
    }

    /// The id to put on the punch item.
    pub fn id(&self) -> Option<LocationId> {
        self.location.as_ref().map(|location| location.id)
    }

    /// The place as it stands in a title: `Building A, Floor 2, Unit 204`. `None` where none is known.
    pub fn name(&self) -> Option<String> {
        self.location.as_ref().map(Location::words)
    }

    /// The place with its evidence, e.g.
    /// `Building A, Floor 2, Unit 204 – from the photo's location in Procore`.
    pub fn words(&self) -> String {
        let evidence = self.evidence.words();
        let mut words = match (&self.location, &self.evidence) {
            (Some(location), _) => format!("{} – {evidence}", location.words()),
            (None, Evidence::GpsOnly { .. } | Evidence::Unknown { .. }) => evidence,
            (None, _) => format!("no location chosen – {evidence}"),
        };
        let rivals: Vec<String> = self.runner_ups.iter().take(3).map(Location::words).collect();
        if !rivals.is_empty() {
            let also = if self.location.is_some() { "; could be " } else { "; either " };
            let _ = write!(words, "{also}{}", rivals.join(" or "));
        }
        words
    }
}

/// A position as people note it: `GPS 51.50013, -0.12612 ±8 m`.
pub fn fix_words(fix: &GpsFix) -> String {
    let accuracy = fix.accuracy_m.map_or_else(String::new, |metres| format!(" ±{:.0} m", metres.ceil()));
    format!("GPS {:.5}, {:.5}{accuracy}", fix.latitude, fix.longitude)
}

fn duration_words(seconds: i64) -> String {
    match seconds.abs() {
        s @ 0..=90 => format!("{s} s"),
        s => format!("{} min", (s + 30) / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit() -> Location {
        Location::from_name(LocationId::new(204), "Building A>Floor 2>Unit 204")
    }

    fn fix(accuracy_m: Option<f64>) -> GpsFix {
        GpsFix {
            latitude: 51.500_13,
            longitude: -0.126_12,
            altitude_m: None,
            accuracy_m,
            direction_deg: None,
        }
    }

    #[test]
    fn places_read_like_a_persons_note() {
        let outline = Evidence::SiteOutline { fix: fix(Some(25.0)), radius_m: 25.0, share: 1.0 };
        let text = Evidence::Text { source: TextSource::FileName, matched: "unit 204".into() };
        let neighbour = Evidence::Neighbour { apart_s: 240, apart_m: Some(5.2) };
        let either = Place { runner_ups: vec![unit()], ..Place::unknown("two places are named") };
        let cases = [
            (Place::of_photo(unit()), "Building A, Floor 2, Unit 204 – from the photo's location in Procore"),
            (
                Place::bare(Some(unit()), outline, Confidence::Medium),
                "Building A, Floor 2, Unit 204 – from GPS ±25 m and the site's outlines",
            ),
            (
                Place::bare(Some(unit()), text, Confidence::Medium),
                "Building A, Floor 2, Unit 204 – from the file name: “unit 204”",
            ),
            (
                Place::bare(Some(unit()), neighbour, Confidence::Low),
                "Building A, Floor 2, Unit 204 – from a photo by the same person, 4 min and 5 m away",
            ),
            (Place::gps_only(fix(Some(8.0))), "GPS 51.50013, -0.12612 ±8 m"),
            (Place::gps_only(fix(None)), "GPS 51.50013, -0.12612"),
            (either, "unknown, because two places are named; either Building A, Floor 2, Unit 204"),
        ];
        for (place, words) in cases {
            assert_eq!(place.words(), words);
        }
    }

    #[test]
    fn what_was_stored_before_confidence_existed_still_reads() {
        let old = r#"{"location":{"id":204,"path":["Unit 204"]},"evidence":"photo_location"}"#;
        let place: Place = serde_json::from_str(old).expect("readable");
        assert_eq!((place.evidence, place.confidence), (Evidence::PhotoLocation, Confidence::None));
        let place = Place::of_photo(unit());
        let text = serde_json::to_string(&place).expect("JSON");
        assert_eq!(serde_json::from_str::<Place>(&text).expect("readable"), place);
    }
}
