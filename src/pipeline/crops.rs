//! Which parts of a photo are kept at its own resolution for review.

use bytes::Bytes;

use super::look::{self, LookError};
use super::{Context, Failure};
use crate::domain::dedupe::Intake;
use crate::domain::geometry::{PixelBox, Size, Upright};
use crate::domain::ids::FindingId;
use crate::photo;
use crate::store::{Layer, Overlay, StoredPicture};

/// Air around a finding, as a share of its own longer side.
const AIR: f32 = 0.15;

/// The shortest side of a crop, as a share of the photo's longer side: less shows nothing of the surroundings.
const LEAST: f32 = 0.12;

/// A crop must show so much more than the reduced picture to be worth its room.
const WORTH: f32 = 1.25;

/// The part of a photo that a finding's crop shows, if a crop of `crop_side` pixels shows more than the reduced
/// picture of `review_side` pixels does.
fn part(
    hull: PixelBox<Upright>,
    size: Size<Upright>,
    crop_side: u32,
    review_side: u32,
) -> Option<PixelBox<Upright>> {
    let long_side = size.long_side() as f32;
    let missing = (long_side * LEAST - hull.width().min(hull.height())).max(0.0) / 2.0;
    let air = missing.max(hull.width().max(hull.height()) * AIR);
    let [x0, y0, x1, y1] = hull.corners();
    let grown = PixelBox::new(x0 - air, y0 - air, x1 + air, y1 + air).ok()?;
    let area = grown.intersection(size.bounds())?;
    let density = |side: u32, of: f32| (side as f32 / of.max(1.0)).min(1.0);
    let better = density(crop_side, area.width().max(area.height())) / density(review_side, long_side);
    (better >= WORTH).then_some(area)
}

/// The crops of what was found; none where the photo in full does not fit into memory.
///
/// # Errors
/// When the service stops.
pub(super) async fn make(
    context: &Context,
    file: Bytes,
    size: Size<Upright>,
    intake: &Intake,
) -> Result<Vec<Overlay>, Failure> {
    let config = &context.config;
    let wanted: Vec<(FindingId, PixelBox<Upright>)> = intake
        .candidates
        .iter()
        .filter_map(|candidate| {
            let finding = &candidate.card.finding;
            Some((finding.id, part(finding.hull, size, config.crop_side, config.review_long_side)?))
        })
        .collect();
    let (false, Ok(memory)) = (wanted.is_empty(), photo::decoded_bytes(&file, &context.limits, None)) else {
        return Ok(Vec::new());
    };
    let _room = context.decoded_room(memory).await?;
    let areas = wanted.iter().map(|(_, area)| *area).collect();
    let cut = look::crops(&context.limits, file, areas, config.crop_side, config.review_quality).await;
    let pictures = match cut {
        Ok(pictures) => pictures,
        Err(LookError::Photo(error)) => {
            tracing::debug!(%error, "no crops of this photo");
            return Ok(Vec::new());
        }
        Err(LookError::Machine(failure)) => return Err(failure),
    };
    let crop = |((finding, area), bytes)| Overlay {
        finding,
        layer: Layer::Crop,
        area,
        picture: StoredPicture { media_type: "image/jpeg".to_owned(), bytes },
    };
    Ok(wanted.into_iter().zip(pictures).map(crop).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_shows_more_is_kept() {
        let size = Size::new(4000, 3000);
        let part = |corners: [f32; 4]| part(corners.try_into().expect("a box"), size, 1280, 1600);
        let small = part([2000.0, 1000.0, 2200.0, 1100.0]).expect("a crop of it shows more");
        let [x0, y0, x1, y1] = small.corners();
        assert!(x0 < 1900.0 && y0 < 900.0 && x1 > 2300.0 && y1 > 1200.0, "{small:?}");
        assert!(small.width() >= 480.0 && small.height() >= 480.0 * 0.99, "{small:?}");
        let corner = part([0.0, 0.0, 100.0, 100.0]).expect("a crop of it shows more");
        assert_eq!(corner.corners()[..2], [0.0, 0.0]);
        assert_eq!(part([100.0, 100.0, 3900.0, 2900.0]), None, "the reduced picture shows it as well");
    }

    #[test]
    fn a_photo_that_is_kept_whole_needs_no_crops() {
        let size = Size::new(1500, 1000);
        let hull = [100.0, 100.0, 200.0, 200.0].try_into().expect("a box");
        assert_eq!(part(hull, size, 1280, 1600), None);
    }
}
