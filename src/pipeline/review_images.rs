//! What is kept of a photo with findings: the picture for review and the crops, both out of one decoding.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::SemaphorePermit;

use super::analysis::{AnalysisError, off_thread};
use super::{Context, Failure, crops, shrink};
use crate::domain::finding::Finding;
use crate::domain::geometry::{PixelBox, Size, Upright, Working};
use crate::domain::ids::FindingId;
use crate::domain::picture::Picture;
use crate::photo::{self, encode};
use crate::store::{Layer, Overlay, StoredPicture};

/// What review needs of a photo.
pub(super) struct ReviewImages<'a> {
    /// The picture for review before it was encoded.
    pub picture: Picture,
    /// The picture for review.
    pub review: StoredPicture,
    /// Parts of the photo at its own resolution.
    pub crops: Vec<Overlay>,
    /// Time spent decoding once more; `None` where the pixels that were looked at sufficed.
    pub decode: Option<Duration>,
    /// Time spent reducing, cutting and encoding.
    pub encode: Duration,
    /// For the pixels of `picture`.
    _room: SemaphorePermit<'a>,
}

/// Makes it of `seen`, the pixels that were looked at and that `room` was taken for, or where they do not suffice of
/// `file`, decoded once more: in full if a crop asks for it.
///
/// Decoding every photo as large would spare those with findings the second time, and costs more where most are clean.
///
/// # Errors
/// See [`AnalysisError`].
pub(super) async fn make<'a>(
    context: &'a Context,
    room: SemaphorePermit<'a>,
    seen: Picture,
    file: Bytes,
    found: &[Finding],
) -> Result<ReviewImages<'a>, AnalysisError> {
    let order = RenderPlan::new(context, &seen, &file, found);
    let (seen, mut room) = match order.pixels(seen.size(), seen.photo()) {
        Pixels::Seen => (Some(seen), room),
        Pixels::Decoded(long_side) => {
            let memory =
                photo::decoded_bytes(&file, &context.limits, long_side).map_err(AnalysisError::Photo)?;
            // Given back before more is asked for, so that nobody waits for room while holding some.
            drop((seen, room));
            (None, context.decoded_room(memory).await.map_err(AnalysisError::Machine)?)
        }
    };
    let limits = context.limits.clone();
    let decode = move |long_side| photo::decode_near(&file, &limits, long_side).map(|photo| photo.picture);
    let made = off_thread(move || order.fill(seen, decode).map_err(AnalysisError::Photo));
    let ended =
        || AnalysisError::Machine(Failure::retry("the thread that made the pictures for review ended"));
    let RenderedImages { picture, review, crops, decode, encode } = made.await.ok_or_else(ended)??;
    shrink(&mut room, picture.rgb().len() as u64);
    Ok(ReviewImages { picture, review, crops, decode, encode, _room: room })
}

/// What is to be made.
struct RenderPlan {
    crops: Vec<(FindingId, PixelBox<Upright>)>,
    crop_side: u32,
    review_side: u32,
    quality: u8,
}

/// Which pixels serve an [`RenderPlan`].
#[derive(Debug, PartialEq, Eq)]
enum Pixels {
    /// Those that were looked at.
    Seen,
    /// The file's, decoded once more for this longer side; in full without one.
    Decoded(Option<u32>),
}

struct RenderedImages {
    picture: Picture,
    review: StoredPicture,
    crops: Vec<Overlay>,
    decode: Option<Duration>,
    encode: Duration,
}

impl RenderPlan {
    /// No crops where the photo in full does not fit into memory.
    fn new(context: &Context, seen: &Picture, file: &[u8], found: &[Finding]) -> Self {
        let (config, limits) = (&context.config, &context.limits);
        let (crop_side, review_side) = (config.crop_side, config.review_long_side);
        let in_full = photo::decoded_bytes(file, limits, None);
        let fits = in_full.is_ok_and(|memory| memory <= limits.max_decoded_bytes);
        let crops = if fits { crops::of(found, seen.photo(), crop_side, review_side) } else { Vec::new() };
        Self { crops, crop_side, review_side, quality: config.review_quality }
    }

    fn pixels(&self, seen: Size<Working>, photo: Size<Upright>) -> Pixels {
        let reduced = self.crops.is_empty().then_some(self.review_side);
        let enough = reduced.map_or(photo.long_side(), |long_side| long_side.min(photo.long_side()));
        if seen.long_side() >= enough { Pixels::Seen } else { Pixels::Decoded(reduced) }
    }

    /// Makes it of `seen`, or without of what `decode` gives.
    fn fill(
        mut self,
        seen: Option<Picture>,
        decode: impl Fn(Option<u32>) -> Result<Picture, photo::Error>,
    ) -> Result<RenderedImages, photo::Error> {
        let decoding = Instant::now();
        let again = seen.is_none();
        let pixels = match seen {
            Some(seen) => seen,
            None if self.crops.is_empty() => decode(Some(self.review_side))?,
            None => decode(None).or_else(|error| {
                tracing::warn!(%error, "analysed, but the photo cannot be decoded in full: no crops");
                self.crops.clear();
                decode(Some(self.review_side))
            })?,
        };
        let (decode, encoding) = (again.then(|| decoding.elapsed()), Instant::now());
        let crop = |(finding, area)| {
            let cut = photo::reduce(photo::cut(&pixels, area)?, self.crop_side);
            Ok(Overlay { finding, layer: Layer::Crop, area, picture: jpeg(&cut, self.quality)? })
        };
        let crops = self.crops.into_iter().map(crop).collect::<Result<_, photo::Error>>()?;
        let picture = photo::reduce(pixels, self.review_side);
        let review = jpeg(&picture, self.quality)?;
        Ok(RenderedImages { picture, review, crops, decode, encode: encoding.elapsed() })
    }
}

fn jpeg(picture: &Picture, quality: u8) -> Result<StoredPicture, photo::Error> {
    let bytes = encode::review_jpeg(picture, quality)?;
    Ok(StoredPicture { media_type: "image/jpeg".to_owned(), bytes })
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::super::{IN_FLIGHT_UNIT as UNIT, acquire, permits};
    use super::*;
    use crate::domain::ids::{CompanyId, ProjectId, ProjectKey, Sha256Digest};
    use crate::photo::{Limits, fit};

    const PHOTO: (u32, u32) = (400, 300);

    /// The photo's pixels with the longer side reduced to `long_side`.
    fn pixels(long_side: u32) -> Picture {
        let (width, height) = PHOTO;
        let rgb = (0..height).flat_map(|y| (0..width).flat_map(move |x| [(x / 2) as u8, (y / 2) as u8, 90]));
        let full = Picture::new(Size::new(width, height), Size::new(width, height), rgb.collect());
        photo::reduce(full.expect("as long as its size"), long_side)
    }

    fn order(areas: &[[f32; 4]]) -> RenderPlan {
        let project = ProjectKey { company: CompanyId::new(8), project: ProjectId::new(6778) };
        let content = Sha256Digest::of(b"photo");
        let finding = |(number, corners): (usize, &[f32; 4])| {
            let id = FindingId::of(project, &content, &number.to_string());
            (id, (*corners).try_into().expect("a box"))
        };
        let crops = areas.iter().enumerate().map(finding).collect();
        RenderPlan { crops, crop_side: 100, review_side: 160, quality: 80 }
    }

    /// Fills the order as [`make`] does, and tells for which longer sides the file was decoded.
    fn fill(order: RenderPlan, seen: u32, limits: &Limits) -> (RenderedImages, Vec<Option<u32>>) {
        let file = encode::review_jpeg(&pixels(400), 90).expect("encodes");
        let decoded = RefCell::new(Vec::new());
        let decode = |long_side| {
            decoded.borrow_mut().push(long_side);
            photo::decode_near(&file, limits, long_side).map(|photo| photo.picture)
        };
        let seen = pixels(seen);
        let seen = (order.pixels(seen.size(), seen.photo()) == Pixels::Seen).then_some(seen);
        let made = order.fill(seen, decode).expect("made");
        assert_eq!(made.decode.is_some(), !decoded.borrow().is_empty());
        (made, decoded.into_inner())
    }

    fn size(picture: &StoredPicture) -> Size<Upright> {
        photo::decode(&picture.bytes, &Limits::shipped(), None).expect("a picture").size
    }

    const CRACKS: &[[f32; 4]] = &[[10.0, 20.0, 90.0, 60.0], [200.0, 100.0, 400.0, 300.0]];

    #[test]
    fn one_decoding_serves_the_picture_and_every_crop() {
        let table = [
            // As small as the model looks.
            (2, 100, vec![None]),
            (0, 100, vec![Some(160)]),
            // As large as review wants it.
            (2, 200, vec![None]),
            (0, 200, vec![]),
            // In full, as a thorough look does.
            (2, 400, vec![]),
            (0, 400, vec![]),
        ];
        for (crops, seen, expected) in table {
            let areas = &CRACKS[..crops];
            let (made, decoded) = fill(order(areas), seen, &Limits::shipped());
            assert_eq!(decoded, expected, "{crops} crops, looked at with {seen} pixels");
            let review = fit(PHOTO.0, PHOTO.1, 160);
            assert_eq!(size(&made.review), Size::new(review.0, review.1));
            assert_eq!(
                (made.picture.size(), made.picture.photo()),
                (Size::new(160, 120), Size::new(400, 300))
            );
            let crops: Vec<_> = made.crops.iter().map(|crop| size(&crop.picture)).collect();
            let expected = [Size::new(80, 40), Size::new(100, 100)];
            assert_eq!(crops, expected[..areas.len()], "looked at with {seen} pixels");
        }
    }

    #[test]
    fn a_crop_shows_its_own_part_of_the_photo() {
        let (made, _) = fill(order(CRACKS), 100, &Limits::shipped());
        for (crop, [x0, y0, x1, y1]) in made.crops.iter().zip(CRACKS) {
            let shown =
                photo::decode(&crop.picture.bytes, &Limits::shipped(), None).expect("a picture").picture;
            let (rgb, pixels) = (shown.rgb(), shown.size().pixels() as f32);
            let mean =
                |channel| rgb.iter().skip(channel).step_by(3).map(|&v| f32::from(v)).sum::<f32>() / pixels;
            for (got, expected) in [(mean(0), (x0 + x1) / 4.0), (mean(1), (y0 + y1) / 4.0)] {
                assert!((got - expected).abs() < 3.0, "{got} instead of {expected}");
            }
        }
    }

    #[test]
    fn a_photo_that_cannot_be_decoded_in_full_is_kept_without_crops() {
        let file_in_full = 400 * 300 * 6;
        let limits = Limits { max_decoded_bytes: file_in_full - 1, ..Limits::shipped() };
        let (made, decoded) = fill(order(CRACKS), 100, &limits);
        assert_eq!((made.crops.len(), size(&made.review)), (0, Size::new(160, 120)));
        assert_eq!(decoded, [None, Some(160)]);
    }

    #[tokio::test]
    async fn room_that_is_not_needed_any_more_is_others() {
        let pixels = permits(10 * UNIT);
        let mut room = acquire(&pixels, 8 * UNIT, 10 * UNIT).await.expect("free");
        for (bytes, free) in [(9 * UNIT, 2), (8 * UNIT, 2), (3 * UNIT - 5, 7), (3 * UNIT, 7)] {
            shrink(&mut room, bytes);
            assert_eq!(pixels.available_permits(), free, "{bytes} bytes");
        }
        drop(room);
        assert_eq!(pixels.available_permits(), 10);
    }
}
