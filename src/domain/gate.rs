//! Which photos are worth looking at, before a byte of them is fetched.

use serde::{Deserialize, Serialize};

use super::ids::UserId;

/// What Procore says of a photo that decides whether it is looked at.
///
/// Being private is none of it: whether the service may see a photo is Procore's decision.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PhotoFacts {
    /// It is gone for good.
    pub permanently_deleted: bool,
    /// It is a 360° panorama.
    pub panorama: bool,
    /// Who uploaded it, where known.
    pub uploader: Option<UserId>,
    /// The album's name, where known.
    pub album: Option<String>,
}

/// Whether to look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// Look at it.
    Look,
    /// Leave it, and why.
    Skip(SkipReason),
}

/// Why a photo is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// There is nothing left to look at.
    #[error("it is permanently deleted")]
    Deleted,
    /// The model knows flat pictures alone.
    #[error("it is a 360° panorama")]
    Panorama,
    /// This service uploaded it.
    #[error("this service uploaded it")]
    OwnUpload,
    /// Procore copies the photos of punch items into this album; looking at them would feed the
    /// service its own findings.
    #[error("Procore copied it there from a punch item")]
    PunchListAlbum,
}

/// Decides whether the photo with these `facts` is looked at. Album names are compared without
/// regard to case and surrounding blanks.
pub fn gate(facts: &PhotoFacts, own_user: Option<UserId>, aggregation_albums: &[String]) -> Gate {
    let plain = |name: &str| name.trim().to_lowercase();
    let copied = facts
        .album
        .as_deref()
        .is_some_and(|album| aggregation_albums.iter().any(|aggregation| plain(aggregation) == plain(album)));
    if facts.permanently_deleted {
        Gate::Skip(SkipReason::Deleted)
    } else if facts.uploader.is_some() && facts.uploader == own_user {
        Gate::Skip(SkipReason::OwnUpload)
    } else if copied {
        Gate::Skip(SkipReason::PunchListAlbum)
    } else if facts.panorama {
        Gate::Skip(SkipReason::Panorama)
    } else {
        Gate::Look
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_new_flat_photos_of_others_are_looked_at() {
        let albums = ["Photos from Punch List".to_owned(), "Photos from Snag List".to_owned()];
        let check = |facts: PhotoFacts, own: Option<i64>, expected: Option<SkipReason>| {
            let expected = expected.map_or(Gate::Look, Gate::Skip);
            assert_eq!(gate(&facts, own.map(UserId::new), &albums), expected, "{facts:?}");
        };
        let plain = PhotoFacts::default;
        let by = |user| PhotoFacts { uploader: Some(UserId::new(user)), ..plain() };
        let album = |name: &str| PhotoFacts { album: Some(name.to_owned()), ..plain() };
        check(plain(), None, None);
        check(plain(), Some(777), None);
        check(by(5), Some(777), None);
        check(by(777), None, None);
        check(by(777), Some(777), Some(SkipReason::OwnUpload));
        check(album("Progress Photos"), None, None);
        check(album(" photos from SNAG list"), None, Some(SkipReason::PunchListAlbum));
        check(PhotoFacts { panorama: true, ..plain() }, None, Some(SkipReason::Panorama));
        check(PhotoFacts { permanently_deleted: true, ..by(777) }, Some(777), Some(SkipReason::Deleted));
    }
}
