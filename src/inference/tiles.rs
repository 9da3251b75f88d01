//! A photo at full size, cut into overlapping tiles, and what was seen in them put together again.

use serde::Deserialize;

use super::manifest::require;
use crate::domain::detection::{ClassScore, Detection, Predictions};
use crate::domain::geometry::{Size, Upright};
use crate::domain::merge::merge;
use crate::domain::tagging::MergeRules;

/// Section `[tiles]` of a manifest: how thorough looks go.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tiles {
    /// Pixels of the photo across and down one tile.
    pub side: u32,
    /// Share of a tile that the next one shows again.
    pub overlap: f64,
    /// Logits by which a class must pass its threshold in a tile: many tiles are many chances to err.
    pub stricter: f64,
    /// From coarse to fine, a tile is left out when no cell of the whole photo's map comes within this
    /// many logits of its class's cell threshold there.
    pub margin: f64,
}

impl Tiles {
    pub(super) fn check(&self, longest: u32) -> Result<(), String> {
        require((64..=longest).contains(&self.side), || {
            format!("tiles.side must lie in 64 to {longest} pixels, the longest view")
        })?;
        require((0.0..=0.5).contains(&self.overlap), || "tiles.overlap must lie in 0 to 0.5".into())?;
        let sound = [self.stricter, self.margin].iter().all(|value| value.is_finite() && *value >= 0.0);
        require(sound, || "tiles.stricter and tiles.margin must be 0 or more".into())
    }
}

impl Tiles {
    /// For manifests without the section: the cut that is usual elsewhere, as far as tensors hold it.
    pub(super) fn usual(largest: u32) -> Self {
        Self { side: largest.min(640), overlap: 0.2, stricter: 1.0, margin: 3.0 }
    }
}

/// A part of a photo, in upright photo pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tile {
    /// Its left edge.
    pub x: u32,
    /// Its upper edge.
    pub y: u32,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
}

impl Tile {
    /// Its size as if it were a photo.
    pub(super) fn size(self) -> Size<Upright> {
        Size::new(self.width, self.height)
    }
}

/// The tiles of `photo`, row by row. The last of a row or column is moved inwards rather than cut, so
/// that all are of one size; a photo smaller than a tile is one.
pub fn cut(photo: Size<Upright>, side: u32, overlap: f64) -> Vec<Tile> {
    let columns = starts(photo.width, side, overlap);
    let (width, height) = (side.min(photo.width), side.min(photo.height));
    let row = |y: u32| columns.iter().map(move |&x| Tile { x, y, width, height });
    starts(photo.height, side, overlap).into_iter().flat_map(row).collect()
}

fn starts(length: u32, side: u32, overlap: f64) -> Vec<u32> {
    let step = (side - (f64::from(side) * overlap) as u32).max(1);
    let last = length.saturating_sub(side);
    let mut starts: Vec<u32> = (0..last).step_by(step as usize).collect();
    starts.push(last);
    starts
}

/// How regions of neighbouring tiles become one: they share the strip that both tiles show.
const SEAMS: MergeRules = MergeRules { overlap: 0.15, gap: 0.0 };

/// What the whole photo and its tiles show: each class's best score, and regions with those of
/// neighbouring tiles joined.
pub(super) fn together(
    whole: Predictions,
    tiles: Vec<(Tile, Predictions)>,
    photo: Size<Upright>,
) -> Predictions {
    let mut seen = whole;
    for (tile, own) in tiles {
        for (best, score) in seen.class_scores.iter_mut().zip(own.class_scores) {
            if score.score > best.score {
                *best = ClassScore { class: score.class, score: score.score };
            }
        }
        let share = tile.size().pixels() as f32 / photo.pixels().max(1) as f32;
        seen.detections.extend(own.detections.into_iter().map(|detection| Detection {
            area: detection.area.shifted(tile.x as f32, tile.y as f32),
            area_share: detection.area_share * share,
            ..detection
        }));
    }
    merge(&seen, photo, &SEAMS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::detection::DefectClass;
    use crate::domain::geometry::PixelBox;
    use crate::domain::score::Score;

    #[test]
    fn twelve_megapixels_are_48_tiles() {
        let tiles = cut(Size::new(4000, 3000), 640, 0.2);
        assert_eq!(tiles.len(), 48);
        assert_eq!(tiles[0], Tile { x: 0, y: 0, width: 640, height: 640 });
        assert_eq!(tiles[47], Tile { x: 3360, y: 2360, width: 640, height: 640 });
        assert_eq!(cut(Size::new(300, 200), 640, 0.2), [Tile { x: 0, y: 0, width: 300, height: 200 }]);
        assert_eq!(cut(Size::new(640, 640), 640, 0.2).len(), 1);
    }

    fn found(score: f32, corners: [f32; 4]) -> Predictions {
        let (class, score) = (DefectClass::new("crack"), Score::new(score).expect("in range"));
        let area = PixelBox::try_from(corners).expect("a box");
        let detections = vec![Detection { class: class.clone(), score, area, area_share: 0.25 }];
        Predictions { detections, class_scores: vec![ClassScore { class, score }] }
    }

    #[test]
    fn a_crack_through_two_tiles_is_one_region_in_photo_pixels() {
        let photo = Size::new(1000, 500);
        let tile = |x| Tile { x, y: 0, width: 500, height: 500 };
        let parts = vec![
            (tile(0), found(0.7, [100.0, 100.0, 500.0, 200.0])),
            (tile(400), found(0.9, [0.0, 100.0, 300.0, 200.0])),
        ];
        let clean =
            Predictions { detections: vec![], class_scores: found(0.1, [0.0, 0.0, 1.0, 1.0]).class_scores };
        let seen = together(clean, parts, photo);
        let [crack] = seen.detections.as_slice() else { panic!("one region: {seen:?}") };
        assert_eq!(crack.area, PixelBox::new(100.0, 100.0, 700.0, 200.0).expect("a box"));
        assert_eq!((crack.score.value(), seen.class_scores[0].score.value()), (0.9, 0.9));
        assert!(crack.area_share > 0.125 && crack.area_share < 0.25, "{}", crack.area_share);
    }

    proptest! {
        #[test]
        fn tiles_cover_every_pixel_and_overlap(
            (width, height) in (1_u32..3000, 1_u32..3000),
            side in 64_u32..900,
            overlap in 0.0_f64..0.5,
        ) {
            let photo = Size::new(width, height);
            for (length, pick) in [(width, true), (height, false)] {
                let mut spans: Vec<(u32, u32)> = cut(photo, side, overlap)
                    .iter()
                    .map(|tile| if pick { (tile.x, tile.x + tile.width) } else { (tile.y, tile.y + tile.height) })
                    .collect();
                spans.sort_unstable();
                spans.dedup();
                prop_assert_eq!((spans[0].0, spans[spans.len() - 1].1), (0, length));
                for pair in spans.windows(2) {
                    prop_assert!(pair[0].0 < pair[1].0);
                    let shared = f64::from(pair[0].1) - f64::from(pair[1].0);
                    prop_assert!(shared >= (f64::from(side) * overlap).floor() - 1e-9);
                }
            }
        }
    }
}
