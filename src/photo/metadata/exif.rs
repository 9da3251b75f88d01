//! EXIF's tags to what they tell; what that means is decided by `gps`, `time` and `text`.

use ::exif::{Context, Tag};
use jiff::Timestamp;
use jiff::civil::DateTime;

use super::gps::{Degrees, Height, RawGps};
use super::text;
use super::tiff::Tags;
use super::time::{Stamp, at};
use crate::domain::capture::{Known, Source};
use crate::domain::geometry::Orientation;

/// Microsoft's tags, UTF-16 little-endian whatever the file's byte order: title, comment, subject.
const MICROSOFT: [Tag; 3] =
    [Tag(Context::Tiff, 0x9C9B), Tag(Context::Tiff, 0x9C9C), Tag(Context::Tiff, 0x9C9F)];

/// TIFF/EP's offset from UTC in hours.
const TIME_ZONE_OFFSET: Tag = Tag(Context::Exif, 0x882A);

/// Which of a block's times it is, and why that may not be the time of capture.
pub(super) const DIGITISED: &str = "the time is when the picture was digitised";
pub(super) const CHANGED: &str = "the time is when the file was last changed";

/// The tags of one block.
pub(super) struct Block(pub(super) Tags);

impl Block {
    /// A text of a tag that should be ASCII.
    pub(super) fn text(&self, tag: Tag) -> Option<String> {
        text::plain(&self.0.bytes(tag)?)
    }

    /// The lens, by its model else by its maker.
    pub(super) fn lens(&self) -> Option<String> {
        self.text(Tag::LensModel).or_else(|| self.text(Tag::LensMake))
    }

    /// In millimetres; 0 stands for unknown, and nothing longer than a telescope is believed.
    pub(super) fn focal_length(&self) -> Option<f64> {
        self.0.number(Tag::FocalLength).filter(|mm| *mm > 0.0 && *mm < 10_000.0)
    }

    /// The times: the shutter's, the sensor's, the file's.
    pub(super) fn stamps(&self) -> [Stamp; 3] {
        let stamp = |likely, text, fraction, offset| Stamp {
            from: Source::Exif,
            likely,
            text: self.text(text),
            fraction: self.text(fraction),
            offset: self.text(offset),
        };
        [
            stamp(None, Tag::DateTimeOriginal, Tag::SubSecTimeOriginal, Tag::OffsetTimeOriginal),
            stamp(
                Some(DIGITISED),
                Tag::DateTimeDigitized,
                Tag::SubSecTimeDigitized,
                Tag::OffsetTimeDigitized,
            ),
            stamp(Some(CHANGED), Tag::DateTime, Tag::SubSecTime, Tag::OffsetTime),
        ]
    }

    /// TIFF/EP's offset of the time of capture, hours.
    pub(super) fn zone_hours(&self) -> Option<f64> {
        self.0.number(TIME_ZONE_OFFSET)
    }

    /// The moment of the GPS fix, which is in UTC.
    pub(super) fn gps_time(&self) -> Option<Timestamp> {
        let date = self.text(Tag::GPSDateStamp)?;
        let mut date = date.splitn(3, [':', '-', '/']).map(|part| part.trim().parse::<i16>().ok());
        let (year, month, day) = (date.next()??, date.next()??, date.next()??);
        let [Some(hour), Some(minute), Some(second)] = self.0.numbers(Tag::GPSTimeStamp)?[..] else {
            return None;
        };
        let whole = |number: f64| (0.0..60.0).contains(&number).then_some(number as i8);
        let time = DateTime::new(
            year,
            month.try_into().ok()?,
            day.try_into().ok()?,
            whole(hour)?,
            whole(minute)?,
            whole(second)?,
            0,
        );
        at(time.ok()?, 0)
    }

    /// How the stored pixels must be turned; none where the block does not say.
    pub(super) fn orientation(&self) -> Option<Known<Orientation>> {
        if !self.0.has(Tag::Orientation) {
            return None;
        }
        let value = self
            .0
            .number(Tag::Orientation)
            .filter(|value| value.fract() == 0.0 && (0.0..256.0).contains(value));
        Some(match value.map(|value| Orientation::try_from(value as u8)) {
            Some(Ok(orientation)) => Known::Known(orientation),
            Some(Err(error)) => Known::Unknown(error.to_string()),
            None => Known::unknown("its orientation is not a number from 1 to 8"),
        })
    }

    /// What a person wrote, or a program: description, comment, Microsoft's texts.
    pub(super) fn descriptions(&self) -> impl Iterator<Item = String> {
        let comment = self.0.bytes(Tag::UserComment);
        let comment = comment.and_then(|raw| text::user_comment(&raw, self.0.little_endian()));
        let microsoft = MICROSOFT.map(|tag| self.0.bytes(tag).and_then(|raw| text::utf16(&raw, true)));
        let [title, remark, subject] = microsoft;
        let description = self.0.bytes(Tag::ImageDescription);
        let description = description.and_then(|raw| text::guess(&raw, self.0.little_endian()));
        [description, comment, remark, title, subject].into_iter().flatten()
    }

    /// The GPS tags.
    pub(super) fn gps(&self) -> RawGps {
        let side = |tag| self.text(tag);
        let axis = |tag, reference: Option<String>| {
            let numbers = self.0.numbers(tag).map(|parts| Degrees::of_tags(parts, reference.as_deref()));
            // Programs write the text of XMP here.
            numbers.or_else(|| Degrees::of_text(&self.text(tag)?, reference.as_deref()))
        };
        let reference =
            self.0.number(Tag::GPSAltitudeRef).or_else(|| self.text(Tag::GPSAltitudeRef)?.parse().ok());
        RawGps {
            latitude: axis(Tag::GPSLatitude, side(Tag::GPSLatitudeRef)),
            longitude: axis(Tag::GPSLongitude, side(Tag::GPSLongitudeRef)),
            height: Height {
                metres: self.0.number(Tag::GPSAltitude),
                reference: reference.filter(|_| self.0.has(Tag::GPSAltitudeRef)),
                ellipsoidal: self.text(Tag::ExifVersion).is_some_and(|version| version.as_str() >= "0300"),
            },
            accuracy: self.0.number(Tag::GPSHPositioningError),
            dilution: self.0.number(Tag::GPSDOP),
            direction: self.0.number(Tag::GPSImgDirection),
            status: self.text(Tag::GPSStatus),
            datum: self.text(Tag::GPSMapDatum),
        }
    }
}
