//! Photos, which Procore's API calls images.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::gate::PhotoFacts;
use crate::domain::ids::{ImageId, LocationId, ProjectKey, TradeId, UserId};
use crate::procore::call::Call;
use crate::procore::client::Client;
use crate::procore::error::Error;
use crate::procore::lenient;
use crate::procore::paging::HEAVY_ROWS;

/// A link to a file. It works for a while for whoever holds it, so its query never shows.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct FileLink(String);

impl FileLink {
    /// Wraps a link as Procore gave it.
    pub fn new(link: impl Into<String>) -> Self {
        Self(link.into())
    }

    /// The whole link.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for FileLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (open, signed) = self.0.split_once('?').map_or((self.0.as_str(), ""), |(open, _)| (open, "?…"));
        write!(f, "{open}{signed}")
    }
}

/// A photo as Procore describes it. Almost everything may be missing.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Image {
    #[serde(deserialize_with = "lenient::id")]
    pub id: ImageId,
    /// Where the bytes are, for a short while.
    #[serde(default, deserialize_with = "lenient::opt_object")]
    pub url: Option<FileLink>,
    /// The name of the file; empty when unknown.
    #[serde(default, deserialize_with = "lenient::text")]
    pub filename: String,
    #[serde(default, deserialize_with = "lenient::opt_count")]
    pub size: Option<u64>,
    #[serde(default, deserialize_with = "lenient::opt_count")]
    pub width: Option<u64>,
    #[serde(default, deserialize_with = "lenient::opt_count")]
    pub height: Option<u64>,
    /// What the uploader wrote.
    #[serde(default, deserialize_with = "lenient::opt_text")]
    pub description: Option<String>,
    /// When it was taken, as Procore read it.
    #[serde(default, deserialize_with = "lenient::opt_time")]
    pub taken_at: Option<Timestamp>,
    /// When it was uploaded.
    #[serde(default, deserialize_with = "lenient::opt_time")]
    pub created_at: Option<Timestamp>,
    /// When it or its description changed last.
    #[serde(default, deserialize_with = "lenient::opt_time")]
    pub updated_at: Option<Timestamp>,
    /// The location that somebody gave it.
    #[serde(default, deserialize_with = "lenient::opt_object")]
    pub location: Option<ImageLocation>,
    #[serde(default, deserialize_with = "lenient::opt_text")]
    pub image_category_name: Option<String>,
    /// Whether only some may see it.
    #[serde(default, deserialize_with = "lenient::flag")]
    pub private: bool,
    /// Whether it is gone for good.
    #[serde(default, deserialize_with = "lenient::flag")]
    pub permanently_deleted: bool,
    /// `regular`, `360` or `unknown`.
    #[serde(default, deserialize_with = "lenient::opt_text")]
    pub projection: Option<String>,
    /// Degrees north, as text.
    #[serde(default, deserialize_with = "lenient::opt_text")]
    pub gps_lat: Option<String>,
    /// Degrees east, as text.
    #[serde(default, deserialize_with = "lenient::opt_text")]
    pub gps_long: Option<String>,
    #[serde(default, deserialize_with = "lenient::opt_object")]
    pub uploader: Option<Person>,
    /// The trades that somebody gave it.
    #[serde(default, deserialize_with = "lenient::side_list")]
    pub trades: Vec<ImageTrade>,
    /// Where it is in the API.
    #[serde(default, deserialize_with = "lenient::opt_object")]
    pub links: Option<ImageLinks>,
}

/// The location of a photo.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ImageLocation {
    #[serde(deserialize_with = "lenient::id")]
    pub id: LocationId,
    /// The names from the root, joined by `>`.
    #[serde(default, deserialize_with = "lenient::opt_text")]
    pub name: Option<String>,
}

/// Somebody in the Directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    #[serde(deserialize_with = "lenient::id")]
    pub id: UserId,
    /// Their name, where it is told.
    #[serde(default, deserialize_with = "lenient::opt_text")]
    pub name: Option<String>,
    /// Their login, usually an e-mail address.
    #[serde(default, deserialize_with = "lenient::opt_text")]
    pub login: Option<String>,
}

/// A trade of a photo.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ImageTrade {
    #[serde(deserialize_with = "lenient::id")]
    pub id: TradeId,
    #[serde(default, deserialize_with = "lenient::text")]
    pub name: String,
}

/// Links of a photo, relative to the API.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ImageLinks {
    #[serde(default, rename = "self", deserialize_with = "lenient::opt_text")]
    pub own: Option<String>,
}

impl Image {
    /// What decides whether it is looked at.
    pub fn facts(&self) -> PhotoFacts {
        PhotoFacts {
            permanently_deleted: self.permanently_deleted,
            panorama: self.projection.as_deref() == Some("360"),
            uploader: self.uploader.as_ref().map(|uploader| uploader.id),
            album: self.image_category_name.clone(),
        }
    }

    /// Everything that findings follow from, in one text: another look is due only when it changes.
    pub fn told(&self) -> String {
        serde_json::json!({
            "filename": self.filename,
            "description": self.description,
            "album": self.image_category_name,
            "location": self.location.as_ref().map(|location| location.id),
            "taken_at": self.taken_at,
            "gps": [&self.gps_lat, &self.gps_long],
            "uploader": self.uploader.as_ref().map(|uploader| uploader.id),
        })
        .to_string()
    }

    /// The position that Procore tells, as (degrees north, degrees east), if both are on the globe.
    pub fn gps(&self) -> Option<(f64, f64)> {
        let degrees = |text: &Option<String>| text.as_deref()?.trim().parse::<f64>().ok();
        let (north, east) = degrees(&self.gps_lat).zip(degrees(&self.gps_long))?;
        ((-90.0..=90.0).contains(&north) && (-180.0..=180.0).contains(&east)).then_some((north, east))
    }
}

/// Which photos to list. Both conditions hold together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageFilter {
    /// These alone; empty for all.
    pub ids: Vec<ImageId>,
    /// Changed from the first instant to the second.
    pub updated_between: Option<(Timestamp, Timestamp)>,
}

impl Client {
    /// One photo.
    ///
    /// # Errors
    /// [`Error::NotFound`] also stands for a private photo that this service may not see.
    pub async fn image(&self, project: ProjectKey, id: ImageId) -> Result<Image, Error> {
        self.permit(project)?;
        let path = format!("/rest/v1.0/images/{id}");
        self.one("a photo", &Call::get(project.company, path).query("project_id", project.project)).await
    }

    /// The photos that `filter` names, oldest first; ids that are gone or invisible are left out by Procore.
    ///
    /// # Errors
    /// When any page cannot be had.
    pub async fn images(&self, project: ProjectKey, filter: &ImageFilter) -> Result<Vec<Image>, Error> {
        self.permit(project)?;
        if filter.ids.is_empty() {
            return self.list("photos", listing(project, filter, &[]), HEAVY_ROWS).await;
        }
        let mut images = Vec::new();
        for ids in filter.ids.chunks(self.config().ids_per_call.max(1)) {
            images.extend(self.list::<Image>("photos", listing(project, filter, ids), HEAVY_ROWS).await?);
        }
        Ok(images)
    }
}

fn listing(project: ProjectKey, filter: &ImageFilter, ids: &[ImageId]) -> Call {
    let mut call = Call::get(project.company, "/rest/v1.0/images")
        .query("project_id", project.project)
        .query("sort", "created_at");
    if let Some((from, to)) = filter.updated_between {
        call = call.query("filters[updated_at]", time_range(from, to));
    }
    ids.iter().fold(call, |call, id| call.query("filters[id][]", id))
}

/// Procore's range: two instants of whole seconds with three dots between.
pub(crate) fn time_range(from: Timestamp, to: Timestamp) -> String {
    let second = |at: Timestamp| at.strftime("%Y-%m-%dT%H:%M:%SZ");
    format!("{}...{}", second(from), second(to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_photo_is_read_fully() {
        let image: Image =
            serde_json::from_str(include_str!("../../fixtures/procore/image.json")).expect("a photo");
        assert_eq!(image.id, ImageId::new(562_950_311_224_001));
        assert_eq!((image.size, image.width, image.height), (Some(2_884_117), Some(4000), Some(3000)));
        assert_eq!(image.location.as_ref().map(|location| location.id), Some(LocationId::new(71204)));
        assert_eq!(image.uploader.as_ref().map(|uploader| uploader.id), Some(UserId::new(88_120)));
        assert_eq!(image.trades.len(), 1, "the null is left out");
        assert_eq!(image.gps(), Some((52.520_008, 13.404_954)));
        assert_eq!(image.taken_at.map(|at| at.to_string()).as_deref(), Some("2026-09-14T08:11:52Z"));
        assert!(image.url.as_ref().is_some_and(|link| link.expose().contains("sig=f00d")));
        assert!(!format!("{image:?}").contains("f00d"), "the signature must not reach a log");
    }

    #[test]
    fn a_bare_photo_is_no_failure() {
        let image: Image =
            serde_json::from_str(include_str!("../../fixtures/procore/image_bare.json")).expect("a photo");
        assert_eq!(image.id, ImageId::new(562_950_311_224_002));
        assert!(image.url.is_none() && image.location.is_none() && image.uploader.is_none());
        assert_eq!((image.gps(), image.taken_at), (None, None));
        assert!(image.private && image.facts().panorama);
    }

    #[test]
    fn ranges_have_three_dots_and_whole_seconds() {
        let at = |text: &str| text.parse::<Timestamp>().expect("an instant");
        let range = time_range(at("2026-06-01T00:00:00.75Z"), at("2026-06-02T00:00:00+02:00"));
        assert_eq!(range, "2026-06-01T00:00:00Z...2026-06-01T22:00:00Z");
    }
}
