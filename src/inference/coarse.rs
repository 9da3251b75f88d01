//! From coarse to fine: a cheap look at the whole photo decides whether a closer one is worth its time.
//!
//! Both rules compare in logits, in which the distance of a score to its threshold means the same for
//! a class that is reported from 0.3 on as for one from 0.9 on.

use serde::Deserialize;

use super::decode_output::ScoreMap;
use super::manifest::{Class, Input, require};
use super::tiles::Tile;
use crate::domain::detection::ClassScore;
use crate::domain::geometry::{Size, Upright};
use crate::domain::score::Score;

/// Section `[coarse]` of a manifest: the look that comes first.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coarse {
    /// The longer side of its view, in pixels; one of `input.views` costs nothing extra.
    pub view: u32,
    /// A photo ends after this look when every reported class stays below its threshold by more than
    /// this many logits.
    pub margin: f64,
}

impl Coarse {
    pub(super) fn check(&self, longest: u32) -> Result<(), String> {
        require((32..=longest).contains(&self.view), || {
            format!("coarse.view must lie in 32 to {longest} pixels, the longest view")
        })?;
        require(self.margin.is_finite() && self.margin >= 0.0, || "coarse.margin must be 0 or more".into())
    }

    /// Whether a photo with these `scores` needs no closer look.
    pub(super) fn suffices(&self, scores: &[ClassScore], classes: &[Class], reported: &[bool]) -> bool {
        let below = |((score, class), _): ((&ClassScore, &Class), &bool)| {
            logit(score.score) < logit_of(class.threshold) - self.margin
        };
        let of_reported = scores.iter().zip(classes).zip(reported).filter(|(_, reported)| **reported);
        scores.len() == classes.len() && of_reported.into_iter().all(below)
    }
}

/// Whether a cheap look comes first: not at photos smaller than the longest view. These are quickly seen whole, and what
/// is a pixel wide on them is gone on a thumbnail.
pub(super) fn pays(photo: Size<Upright>, input: &Input) -> bool {
    photo.long_side() >= input.long_side()
}

/// Which of `tiles` show a cell that comes within `margin` logits of its class's cell threshold.
pub(super) fn worth_a_look(
    tiles: &[Tile],
    map: &ScoreMap,
    photo: Size<Upright>,
    classes: &[Class],
    reported: &[bool],
    margin: f32,
) -> Vec<bool> {
    let (across, down) = map.cell(photo);
    let shows = |tile: &Tile| {
        let first = |from: u32, side: f32| (from as f32 / side).floor() as usize;
        let last = |to: u32, side: f32| (to as f32 / side).ceil() as usize;
        let columns = first(tile.x, across)..last(tile.x + tile.width, across).min(map.columns);
        let rows = first(tile.y, down)..last(tile.y + tile.height, down).min(map.rows);
        classes.iter().zip(reported).enumerate().any(|(index, (class, reported))| {
            let logits = map.class(index);
            let least = class.cell_threshold() - margin;
            *reported
                && rows
                    .clone()
                    .any(|y| logits[y * map.columns..][columns.clone()].iter().any(|&l| l >= least))
        })
    };
    tiles.iter().map(shows).collect()
}

fn logit(score: Score) -> f64 {
    logit_of(score.value())
}

fn logit_of(score: f32) -> f64 {
    let score = f64::from(score);
    (score / (1.0 - score)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::detection::DefectClass;
    use crate::inference::manifest::Calibration;

    fn class(threshold: f32) -> Class {
        Class {
            name: "crack".into(),
            threshold,
            threshold_rule: String::new(),
            cell_threshold: Some(0.0),
            min_cells: Some(1),
            calibration: Calibration { scale: 1.0, offset: 0.0 },
            experimental: false,
        }
    }

    fn score(value: f32) -> ClassScore {
        ClassScore { class: DefectClass::new("crack"), score: Score::new(value).expect("in range") }
    }

    #[test]
    fn a_photo_ends_early_only_when_no_reported_class_comes_near() {
        let coarse = Coarse { view: 192, margin: 2.0 };
        let classes = [class(0.5), class(0.9)];
        // logit(0.1) = -2.197, logit(0.5) = 0, logit(0.9) = 2.197.
        let table = [
            ([0.1, 0.5], [true, true], true),
            ([0.2, 0.5], [true, true], false),
            ([0.1, 0.6], [true, true], false),
            ([0.1, 0.99], [true, false], true),
            ([0.0, 0.0], [true, true], true),
            ([1.0, 0.0], [true, true], false),
        ];
        for (scores, reported, expected) in table {
            let scores = scores.map(score);
            assert_eq!(coarse.suffices(&scores, &classes, &reported), expected, "{scores:?}");
        }
        assert!(!coarse.suffices(&[score(0.0)], &classes, &[true, true]), "a class was not scored");
    }

    #[test]
    fn tiles_are_looked_at_where_the_map_says_so() {
        // Eight cells across, four down, each 100 photo pixels; one hot cell at (5, 2).
        let photo = Size::new(800, 400);
        let mut logits = vec![-9.0_f32; 32];
        logits[2 * 8 + 5] = -1.0;
        let map = ScoreMap::new((8, 4), 16, Size::new(128, 64), logits, &[class(0.5)]);
        let tile = |x, y| Tile { x, y, width: 200, height: 200 };
        let tiles = [tile(0, 0), tile(400, 200), tile(550, 100), tile(600, 200), tile(400, 0)];
        let worth = |margin| worth_a_look(&tiles, &map, photo, &[class(0.5)], &[true], margin);
        assert_eq!(worth(1.0), [false, true, true, false, false]);
        assert_eq!(worth(0.5), [false; 5]);
        assert_eq!(worth_a_look(&tiles, &map, photo, &[class(0.5)], &[false], 20.0), [false; 5]);
    }

    #[test]
    fn a_view_must_fit_into_the_models() {
        assert!(Coarse { view: 192, margin: 0.0 }.check(1024).is_ok());
        for (view, margin) in [(16, 1.0), (2048, 1.0), (192, -1.0), (192, f64::NAN)] {
            assert!(Coarse { view, margin }.check(1024).is_err(), "{view} {margin}");
        }
    }
}
