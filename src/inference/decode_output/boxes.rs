//! What the box layouts share: candidates in pixels of the view become detections in upright photo pixels.

use std::cmp::Reverse;
use std::collections::HashSet;

use crate::domain::detection::{ClassScore, DefectClass, Detection, Predictions};
use crate::domain::geometry::{PixelBox, Size, Upright, Working};
use crate::domain::score::Score;
use crate::inference::manifest::{Calibration, Class};
use crate::inference::preprocess::View;

/// A box that a model proposes, in pixels of the padded view.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Candidate {
    /// Index of its class in the manifest.
    pub(super) class: usize,
    /// The model's own score, 0..=1.
    pub(super) score: f32,
    /// `[x0, y0, x1, y1]`.
    pub(super) corners: [f32; 4],
}

/// What one view's tensors say: boxes, and how likely each class is anywhere.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct ViewOutput {
    pub(super) candidates: Vec<Candidate>,
    /// The best score of each class, in the manifest's order.
    pub(super) best: Vec<f32>,
}

impl ViewOutput {
    pub(super) fn of(classes: usize) -> Self {
        Self { candidates: Vec::new(), best: vec![0.0; classes] }
    }

    /// Takes note of a class's score somewhere.
    pub(super) fn saw(&mut self, class: usize, score: f32) {
        // NaN is not greater.
        if score > self.best[class] {
            self.best[class] = score;
        }
    }
}

/// Centre, width and height to corners.
pub(super) fn corners([x, y, width, height]: [f32; 4]) -> [f32; 4] {
    [x - width / 2.0, y - height / 2.0, x + width / 2.0, y + height / 2.0]
}

/// A class, how sure it is, and the box in photo pixels.
type ScoredBox = (usize, Score, PixelBox<Upright>);

/// What is kept of the candidates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct BoxLimits {
    /// Of boxes of one class that overlap by more than this share of their union, the best is kept.
    /// None: the model sees to that itself.
    pub(super) iou: Option<f32>,
    /// At most so many boxes, the best.
    pub(super) most: usize,
}

/// The class scores of the photo, and the kept boxes of those classes that are reported.
pub(super) fn seen(
    views: &[(&View, ViewOutput)],
    keep: BoxLimits,
    classes: &[Class],
    enabled: &HashSet<String>,
    photo: Size<Upright>,
) -> Predictions {
    let mut found = Vec::new();
    for (view, proposed) in views {
        for candidate in &proposed.candidates {
            let class = &classes[candidate.class];
            let score = class.calibration.of_probability(candidate.score);
            let reported = class.is_reported(enabled);
            if let Some(area) = in_photo_pixels(candidate.corners, view, photo)
                && reported
                && score.value() >= class.threshold
            {
                found.push((candidate.class, score, area));
            }
        }
    }
    // A stable sort: equal scores stay in the order of the tensor.
    found.sort_by_key(|&(_, score, _)| Reverse(score));
    if let Some(iou) = keep.iou {
        found = apart(&found, iou, keep.most);
    }
    found.truncate(keep.most);
    let detection = |(class, score, area): ScoredBox| {
        let area = area.intersection(photo.bounds()).filter(|area| area.area() > 0.0)?;
        let area_share = (area.area() / photo.pixels().max(1) as f32).min(1.0);
        Some(Detection { class: DefectClass::new(&classes[class].name), score, area, area_share })
    };
    Predictions {
        detections: found.into_iter().filter_map(detection).collect(),
        class_scores: classes.iter().enumerate().map(|(index, class)| scored(index, class, views)).collect(),
    }
}

fn scored(index: usize, class: &Class, views: &[(&View, ViewOutput)]) -> ClassScore {
    let best = views.iter().filter_map(|(_, proposed)| proposed.best.get(index)).copied();
    let score = class.calibration.of_probability(best.fold(0.0, f32::max));
    ClassScore { class: DefectClass::new(&class.name), score }
}

/// Greedy non-maximum suppression, class by class, over boxes with the best first, until there are `most`.
fn apart(found: &[ScoredBox], iou: f32, most: usize) -> Vec<ScoredBox> {
    let mut kept: Vec<ScoredBox> = Vec::new();
    for one in found {
        if kept.len() == most {
            break;
        }
        if kept.iter().all(|best| best.0 != one.0 || best.2.iou(one.2) <= iou) {
            kept.push(*one);
        }
    }
    kept
}

/// From pixels of the padded view to pixels of the photo, whose edges it may cross: overlap is judged on
/// whole boxes, as the reference implementations do. None where the corners are no box.
fn in_photo_pixels(corners: [f32; 4], view: &View, photo: Size<Upright>) -> Option<PixelBox<Upright>> {
    let shown = PixelBox::<Working>::try_from(corners).ok()?;
    let scale = |photo: u32, view: u32| photo as f32 / view.max(1) as f32;
    let (x, y) = (scale(photo.width, view.width), scale(photo.height, view.height));
    Some(shown.shifted::<Working>(-(view.left as f32), -(view.top as f32)).scaled(x, y))
}

impl Calibration {
    /// The calibrated score of a model's own score, 0..=1. Scale 1 and offset 0 leave it as it is.
    fn of_probability(self, own: f32) -> Score {
        let identity = (self.scale - 1.0).abs() < f64::EPSILON && self.offset.abs() < f64::EPSILON;
        if identity {
            return Score::new(own.clamp(0.0, 1.0)).unwrap_or_else(|_| Score::from_logit(f32::NAN));
        }
        let own = f64::from(own);
        Score::from_logit((self.scale * (own / (1.0 - own)).ln() + self.offset) as f32)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn class(name: &str, threshold: f32, experimental: bool) -> Class {
        Class {
            name: name.into(),
            threshold,
            threshold_rule: String::new(),
            cell_threshold: None,
            min_cells: None,
            calibration: Calibration { scale: 1.0, offset: 0.0 },
            experimental,
        }
    }

    /// A photo of 200 × 100, letterboxed into 100 × 100: the photo's rows are 25 to 75 of the view.
    fn view() -> View {
        View {
            width: 100,
            height: 50,
            left: 0,
            top: 25,
            padded_width: 100,
            padded_height: 100,
            tensor: vec![],
        }
    }

    fn seen_of(candidates: &[(usize, f32, [f32; 4])], keep: BoxLimits) -> Predictions {
        let mut proposed = ViewOutput::of(2);
        for &(class, score, corners) in candidates {
            proposed.saw(class, score);
            proposed.candidates.push(Candidate { class, score, corners });
        }
        let classes = [class("crack", 0.5, false), class("rust", 0.5, true)];
        seen(&[(&view(), proposed)], keep, &classes, &HashSet::new(), Size::new(200, 100))
    }

    const ALL: BoxLimits = BoxLimits { iou: Some(0.5), most: 10 };

    #[test]
    fn boxes_come_back_to_photo_pixels() {
        let found = seen_of(&[(0, 0.75, [10.0, 35.0, 20.0, 45.0]), (0, 0.4, [0.0, 30.0, 5.0, 40.0])], ALL);
        let [one] = found.detections.as_slice() else { panic!("one box: {found:?}") };
        assert_eq!(one.area, PixelBox::new(20.0, 20.0, 40.0, 40.0).expect("a box"));
        assert!((one.area_share - 400.0 / 20_000.0).abs() < 1e-6 && (one.score.value() - 0.75).abs() < 1e-6);
    }

    #[test]
    fn boxes_on_the_bars_are_cut_or_gone_and_broken_ones_too() {
        let bars = [
            (0, 0.9, [10.0, 0.0, 20.0, 30.0]),
            (0, 0.8, [50.0, 80.0, 60.0, 90.0]),
            (0, 0.7, [9.0, 40.0, 5.0, 50.0]),
            (0, 0.6, [f32::NAN, 40.0, 50.0, 50.0]),
        ];
        let found = seen_of(&bars, ALL);
        let [cut] = found.detections.as_slice() else { panic!("one box: {found:?}") };
        assert_eq!(cut.area, PixelBox::new(20.0, 0.0, 40.0, 10.0).expect("a box"));
    }

    #[test]
    fn of_boxes_on_one_place_the_best_of_each_class_stays() {
        let one = [10.0, 35.0, 30.0, 55.0];
        let near = [12.0, 35.0, 32.0, 55.0];
        let boxes = [(0, 0.6, one), (0, 0.9, near), (0, 0.8, [60.0, 35.0, 70.0, 45.0])];
        let scores = |keep| {
            let found = seen_of(&boxes, keep).detections;
            found.iter().map(|detection| detection.score.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(scores(ALL), ["0.90", "0.80"]);
        assert_eq!(scores(BoxLimits { iou: None, ..ALL }), ["0.90", "0.80", "0.60"]);
        assert_eq!(scores(BoxLimits { most: 1, ..ALL }), ["0.90"]);
    }

    #[test]
    fn experimental_classes_have_a_score_and_no_box() {
        let found = seen_of(&[(1, 0.9, [10.0, 35.0, 30.0, 55.0])], ALL);
        assert!(found.detections.is_empty());
        let scores: Vec<String> = found.class_scores.iter().map(|score| score.score.to_string()).collect();
        assert_eq!(scores, ["0.00", "0.90"]);
    }

    #[test]
    fn calibration_works_on_odds() {
        let calibrated = |scale, offset, own| Calibration { scale, offset }.of_probability(own).value();
        for (scale, offset, own, expected) in
            [(1.0, 0.0, 0.3, 0.3), (2.0, 0.0, 0.75, 0.9), (1.0, 1.0, 0.0, 0.0), (1.0, -1.0, 1.0, 1.0)]
        {
            assert!((calibrated(scale, offset, own) - expected).abs() < 1e-6, "{scale} {offset} {own}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_proposed_lies_on_the_photo_best_first(
            boxes in prop::collection::vec((0_usize..2, 0.0_f32..=1.0, prop::array::uniform4(-50.0_f32..150.0)), 0..40)
        ) {
            let found = seen_of(&boxes, ALL);
            prop_assert!(found.detections.len() <= ALL.most);
            for (at, a) in found.detections.iter().enumerate() {
                let [x0, y0, x1, y1] = a.area.corners();
                prop_assert!(0.0 <= x0 && x1 <= 200.0 && 0.0 <= y0 && y1 <= 100.0 && a.score.value() >= 0.5);
                for b in &found.detections[at + 1..] {
                    prop_assert!(a.score >= b.score);
                }
            }
        }
    }
}
