//! What a photo's metadata says of its making: EXIF, XMP and IPTC of any container to one [`CaptureInfo`].
//!
//! Every fact is taken from where it is most certain: EXIF before XMP before IPTC, as the Metadata Working Group has
//! it; of several blocks of one kind the first that tells the fact, as browsers do. Its origin is kept with it.

mod blocks;
mod exif;
mod gps;
mod iptc;
mod text;
mod tiff;
mod time;
mod xmp;

use ::exif::Tag;
pub(in crate::photo) use blocks::MEMORY_MAX;
use exif::Block;
use gps::{Degrees, Height, Position, RawGps};
use iptc::Iptc;
use time::{OffsetHints, Stamp};
use xmp::Xmp;

use crate::domain::capture::{CaptureInfo, GpsFix, Known, Origin, Origins, Source, TakenAt};
use crate::domain::geometry::Orientation;

/// What the file `bytes` says of its own making. Never fails: each fact that is not there, or that cannot be right, is
/// unknown with its reason. Takes no more than `MEMORY_MAX` bytes, and a time that does not grow with the
/// blocks beyond their caps.
pub fn read(bytes: &[u8]) -> CaptureInfo {
    let blocks = blocks::find(bytes);
    let mut because = None;
    let mut exif = Vec::new();
    for block in &blocks.exif {
        match tiff::parse(block) {
            Ok(tags) => exif.push(Block(tags)),
            Err(reason) => because = because.or(Some(reason)),
        }
    }
    let mut properties = Xmp::default();
    blocks.xmp.iter().for_each(|packet| properties.extend(xmp::read(packet)));
    let iptc = blocks.iptc.iter().map(|records| iptc::read(records)).collect();
    let missing = match because {
        _ if !exif.is_empty() => None,
        Some(because) => Some(because),
        None => Some("the photo carries no EXIF data".into()),
    };
    Metadata { exif, xmp: properties, iptc, missing }.capture()
}

/// The parsed blocks of one photo.
struct Metadata {
    exif: Vec<Block>,
    xmp: Xmp,
    iptc: Vec<Iptc>,
    /// Why there are no EXIF tags at all.
    missing: Option<String>,
}

/// A fact and its origin.
type WithOrigin<T> = (Known<T>, Option<Origin>);

impl Metadata {
    fn capture(&self) -> CaptureInfo {
        let (taken_at, time_origin) = self.taken_at();
        let (gps, gps_origin) = self.position();
        let (camera, camera_origin) = self.camera();
        let (orientation, orientation_origin) = self.orientation();
        let (description, description_origin) = self.description();
        let (location_text, location_origin) = self.location().unzip();
        CaptureInfo {
            taken_at,
            gps,
            orientation,
            camera,
            description,
            location_text,
            lens: self.exif.iter().find_map(Block::lens),
            focal_length_mm: self.exif.iter().find_map(Block::focal_length),
            cut_off: None,
            origins: Origins {
                taken_at: time_origin,
                gps: gps_origin,
                camera: camera_origin,
                orientation: orientation_origin,
                description: description_origin,
                location_text: location_origin,
            },
        }
    }

    /// Why a fact is unknown: there is nothing that could tell it, or `because`.
    fn unknown<T>(&self, because: &str) -> WithOrigin<T> {
        (Known::unknown(self.missing.as_deref().unwrap_or(because)), None)
    }

    fn taken_at(&self) -> WithOrigin<TakenAt> {
        let (mut original, mut digitised, mut changed) = (Vec::new(), Vec::new(), Vec::new());
        for [shutter, sensor, file] in self.exif.iter().map(Block::stamps) {
            original.push(shutter);
            digitised.push(sensor);
            changed.push(file);
        }
        let of_xmp = |likely, namespace, name| stamp(Source::Xmp, likely, self.xmp.get(namespace, name));
        original.push(of_xmp(None, xmp::EXIF, "DateTimeOriginal"));
        original.push(of_xmp(None, xmp::PHOTOSHOP, "DateCreated"));
        original.extend(self.iptc.iter().map(|iptc| stamp(Source::Iptc, None, iptc.created.as_deref())));
        digitised.push(of_xmp(Some(exif::DIGITISED), xmp::EXIF, "DateTimeDigitized"));
        digitised.push(of_xmp(Some(exif::DIGITISED), xmp::BASIC, "CreateDate"));
        let stamps = [original, digitised, changed].concat();
        let beside = OffsetHints {
            zone_hours: self.exif.iter().find_map(Block::zone_hours),
            gps: self.exif.iter().find_map(Block::gps_time),
        };
        let told = time::taken_at(&stamps, &beside);
        if stamps.iter().all(|stamp| stamp.text.is_none()) {
            return self.unknown("the camera wrote no time of capture");
        }
        told
    }

    fn position(&self) -> WithOrigin<GpsFix> {
        let mut position = Position::Missing(gps::NO_POSITION.into());
        let mut from = Source::Exif;
        for block in &self.exif {
            let found = gps::position(&block.gps());
            position = match (position, found) {
                // The reason of a block that has some of it says more.
                (Position::Missing(because), Position::Missing(other)) if because == gps::NO_POSITION => {
                    Position::Missing(other)
                }
                (position, found) => position.or(|| found),
            };
        }
        if matches!(position, Position::Missing(_)) {
            position = position.or(|| gps::position(&self.xmp_gps()));
            from = Source::Xmp;
        }
        match position {
            Position::Fix(fix, likely) => {
                (Known::Known(fix), Some(Origin { from, likely: likely.map(Into::into) }))
            }
            Position::Missing(because) if because == gps::NO_POSITION => self.unknown(&because),
            Position::Missing(because) | Position::Void(because) => (Known::Unknown(because), None),
        }
    }

    fn xmp_gps(&self) -> RawGps {
        let text = |name| self.xmp.get(xmp::EXIF, name);
        let number = |name| ratio(text(name)?);
        let axis = |name, reference| Degrees::of_text(text(name)?, text(reference));
        RawGps {
            latitude: axis("GPSLatitude", "GPSLatitudeRef"),
            longitude: axis("GPSLongitude", "GPSLongitudeRef"),
            height: Height {
                metres: number("GPSAltitude"),
                reference: text("GPSAltitudeRef").map(|reference| ratio(reference).unwrap_or(f64::NAN)),
                ellipsoidal: text("ExifVersion").is_some_and(|version| version >= "0300"),
            },
            accuracy: number("GPSHPositioningError"),
            dilution: number("GPSDOP"),
            direction: number("GPSImgDirection"),
            status: text("GPSStatus").map(Into::into),
            datum: text("GPSMapDatum").map(Into::into),
        }
    }

    fn orientation(&self) -> WithOrigin<Orientation> {
        let mut told: Vec<Known<Orientation>> = self.exif.iter().filter_map(Block::orientation).collect();
        if told.is_empty() {
            // XMP's copy of it does not turn the picture in any browser, and outlives a turning of the pixels.
            return self.unknown("the camera wrote no orientation");
        }
        match told.swap_remove(0) {
            known @ Known::Known(_) => (known, Some(Origin::certain(Source::Exif))),
            unknown @ Known::Unknown(_) => (unknown, None),
        }
    }

    fn camera(&self) -> WithOrigin<String> {
        let of_exif = |tag| self.exif.iter().find_map(|block| block.text(tag));
        let of_xmp = |name| self.xmp.get(xmp::TIFF, name).map(ToOwned::to_owned);
        let named = |make: Option<String>, model: Option<String>| match (make, model) {
            (Some(make), Some(model)) if model.to_lowercase().starts_with(&make.to_lowercase()) => {
                Some(model)
            }
            (Some(make), Some(model)) => Some(format!("{make} {model}")),
            (Some(name), None) | (None, Some(name)) => Some(name),
            (None, None) => None,
        };
        let exif = named(of_exif(Tag::Make), of_exif(Tag::Model)).map(|name| (name, Source::Exif));
        let found = exif.or_else(|| named(of_xmp("Make"), of_xmp("Model")).map(|name| (name, Source::Xmp)));
        self.told(found, "the camera did not name itself")
    }

    fn description(&self) -> WithOrigin<String> {
        let exif = self.exif.iter().flat_map(Block::descriptions).map(|words| (words, Source::Exif));
        let xmp = self.xmp.descriptions().map(|words| (words.to_owned(), Source::Xmp));
        let iptc =
            self.iptc.iter().filter_map(|iptc| iptc.caption.clone()).map(|words| (words, Source::Iptc));
        let found = exif.chain(xmp).chain(iptc).find(|(words, _)| !text::is_placeholder(words));
        self.told(found, "the photo has no description")
    }

    fn location(&self) -> Option<(String, Origin)> {
        let xmp = self.xmp.location().map(|words| (words.to_owned(), Source::Xmp));
        let mut iptc = self.iptc.iter();
        let found = xmp.or_else(|| iptc.find_map(|iptc| Some((iptc.location.clone()?, Source::Iptc))));
        found.map(|(words, from)| (words, Origin::certain(from)))
    }

    fn told(&self, found: Option<(String, Source)>, because: &str) -> WithOrigin<String> {
        match found {
            Some((words, from)) => (Known::Known(words), Some(Origin::certain(from))),
            None => self.unknown(because),
        }
    }
}

fn stamp(from: Source, likely: Option<&'static str>, text: Option<&str>) -> Stamp {
    Stamp { from, likely, text: text.map(Into::into), fraction: None, offset: None }
}

/// A number of XMP: `585/10` or `58.5`.
fn ratio(text: &str) -> Option<f64> {
    let (num, denom) = text.split_once('/').unwrap_or((text, "1"));
    let (num, denom): (f64, f64) = (num.trim().parse().ok()?, denom.trim().parse().ok()?);
    Some(num / denom).filter(|number| number.is_finite())
}

#[cfg(test)]
mod tests;
