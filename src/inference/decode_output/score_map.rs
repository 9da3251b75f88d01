//! The `score-map` layout: per-cell logits to photo scores and regions.
//!
//! The rules are those of `models/training/regions.py` and `model.py`, cell by cell:
//! - a cell counts if its centre lies on the photo and not on the padding;
//! - a class's photo score is the calibrated mean of its top cells, averaged over the views;
//! - a reported class's regions come from the first view: cells at or above the class's cell
//!   threshold, closed, 8-connected, small ones dropped, but never all of them;
//! - a region's score is the calibrated mean of its own top cells, capped by the photo score;
//!   regions below the class's threshold are dropped, except the best.

use std::collections::HashSet;

use serde::Deserialize;

use super::regions::Grid;
use super::{Side, Tensor, only};
use crate::domain::detection::{ClassScore, DefectClass, Detection, Predictions};
use crate::domain::geometry::{PixelBox, Size, Upright, Working};
use crate::domain::score::Score;
use crate::inference::manifest::{Calibration, Class, Fit, Input, require};
use crate::inference::preprocess::View;

/// The numbers of the layout.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreMapLayout {
    /// The output's name in the graph: float32 `[1, classes, height / stride, width / stride]`.
    pub name: String,
    /// Pixels of the view across one cell.
    pub stride: u32,
    /// Share of the cells that are pooled into a score.
    pub top_share: f64,
    /// At least so many cells are pooled.
    pub top_min_cells: usize,
    /// Reach of the closing, in cells.
    pub close_cells: usize,
}

impl ScoreMapLayout {
    pub(super) fn shape(classes: usize) -> Vec<Side> {
        vec![Side::Is(1), Side::Classes { classes, more: 0 }, Side::Follows, Side::Follows]
    }

    pub(super) fn check(&self, input: &Input, classes: &[Class]) -> Result<(), String> {
        require(input.fit == Fit::Rectangle, || "layout score-map needs input.fit rectangle".into())?;
        for class in classes {
            let missing = |key: &str| {
                format!("missing field `{key}` of class {}: layout score-map needs it", class.name)
            };
            require(class.cell_threshold.is_some(), || missing("cell_threshold"))?;
            require(class.min_cells.is_some(), || missing("min_cells"))?;
        }
        require((1..=256).contains(&self.stride), || "output.stride must lie in 1 to 256".into())?;
        require(input.multiple.is_multiple_of(self.stride), || {
            format!("input.multiple {} is no multiple of output.stride {}", input.multiple, self.stride)
        })?;
        require((0.0..=1.0).contains(&self.top_share), || "output.top_share must lie in 0 to 1".into())?;
        require(self.top_min_cells >= 1, || "output.top_min_cells must be at least 1".into())?;
        require(self.close_cells <= 64, || "output.close_cells must be at most 64".into())
    }

    /// The mean of the top `top_share` of `logits`, at least `top_min_cells` of them.
    fn pooled(&self, logits: &mut [f32]) -> f64 {
        let share = (self.top_share * logits.len() as f64 + 0.5) as usize;
        let count = share.max(self.top_min_cells).min(logits.len());
        let Some(last) = count.checked_sub(1) else { return f64::NEG_INFINITY };
        let (above, at, _) = logits.select_nth_unstable_by(last, |a, b| b.total_cmp(a));
        let sum = above.iter().map(|&logit| f64::from(logit)).sum::<f64>() + f64::from(*at);
        sum / count as f64
    }
}

impl Calibration {
    fn score(self, logit: f64) -> Score {
        Score::from_logit((self.scale * logit + self.offset) as f32)
    }
}

/// The cells of one view that show the photo.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreMap {
    /// Cells across.
    pub columns: usize,
    /// Cells down.
    pub rows: usize,
    /// Pixels of the view across one cell.
    pub stride: u32,
    /// The view's size without its padding; the photo's edges are its edges.
    pub view: Size<Working>,
    /// Logits by class, then row, then column.
    logits: Vec<f32>,
    /// One for each class.
    calibrations: Vec<Calibration>,
    /// One for each class.
    cell_thresholds: Vec<f32>,
}

impl ScoreMap {
    /// A map of `columns` and `rows` of cells, each `stride` pixels of a `view`, with `logits` by class of `classes`,
    /// then row, then column.
    pub fn new(
        (columns, rows): (usize, usize),
        stride: u32,
        view: Size<Working>,
        logits: Vec<f32>,
        classes: &[Class],
    ) -> Self {
        Self {
            columns,
            rows,
            stride,
            view,
            logits,
            calibrations: classes.iter().map(|class| class.calibration).collect(),
            cell_thresholds: classes.iter().map(Class::cell_threshold).collect(),
        }
    }

    /// The logits of the class at `index` of the manifest, row by row.
    pub fn class(&self, index: usize) -> &[f32] {
        let cells = self.columns * self.rows;
        &self.logits[index * cells..][..cells]
    }

    /// The calibrated scores of the class at `index` of the manifest, row by row: what the photo's
    /// score would be if all of it looked like the cell.
    pub fn scores(&self, index: usize) -> Vec<Score> {
        let calibration = self.calibrations[index];
        self.class(index).iter().map(|&logit| calibration.score(logit.into())).collect()
    }

    /// The cells of the class at `index` of the manifest that belong to regions before closing, row by row.
    pub fn marked(&self, index: usize) -> Vec<bool> {
        let threshold = self.cell_thresholds[index];
        self.class(index).iter().map(|&logit| logit >= threshold).collect()
    }

    /// How many pixels of the upright photo, of size `photo`, a cell is across and down.
    pub fn cell(&self, photo: Size<Upright>) -> (f32, f32) {
        let side = |photo: u32, view: u32| self.stride as f32 * photo as f32 / view.max(1) as f32;
        (side(photo.width, self.view.width), side(photo.height, self.view.height))
    }

    /// The box of `cells` in upright photo pixels, clipped to the photo.
    fn bounds(&self, cells: &[usize], photo: Size<Upright>) -> PixelBox<Upright> {
        let columns = cells.iter().map(|&at| at % self.columns);
        let rows = cells.iter().map(|&at| at / self.columns);
        let (left, right) = span(columns, self.stride, self.view.width, photo.width);
        let (top, bottom) = span(rows, self.stride, self.view.height, photo.height);
        PixelBox::new(left, top, right, bottom).expect("spans are finite and in order")
    }
}

/// From the first to behind the last of `cells` along one axis, in photo pixels.
fn span(cells: impl Iterator<Item = usize>, stride: u32, view: u32, photo: u32) -> (f32, f32) {
    let (first, last) = cells.fold((usize::MAX, 0), |(first, last), cell| (first.min(cell), last.max(cell)));
    // In whole numbers as far as they go: 18 cells of a view are 1134 pixels and not 1133.9999.
    let pixel = |cell: usize| cell as f64 * f64::from(stride) * f64::from(photo) / f64::from(view.max(1));
    let end = pixel(last + 1).min(f64::from(photo));
    (pixel(first).min(end) as f32, end as f32)
}

/// Cuts the outputs of all views to the cells that show the photo.
///
/// # Errors
/// When a tensor is not `[1, classes, rows, columns]` for its view.
pub(super) fn maps(
    layout: &ScoreMapLayout,
    outputs: &[(View, Vec<Tensor>)],
    classes: &[Class],
) -> Result<Vec<ScoreMap>, String> {
    outputs.iter().map(|(view, tensors)| map(layout, view, only(tensors)?, classes)).collect()
}

fn map(layout: &ScoreMapLayout, view: &View, tensor: &Tensor, classes: &[Class]) -> Result<ScoreMap, String> {
    let stride = layout.stride;
    let (all_columns, all_rows) =
        ((view.padded_width / stride) as usize, (view.padded_height / stride) as usize);
    tensor.require_shape(&layout.name, &[1, classes.len(), all_rows, all_columns])?;
    // The centre of cell n is at (n + ½) × stride.
    let shown = |side: u32| ((2 * side + stride - 1) / (2 * stride)) as usize;
    let (columns, rows) = (shown(view.width).clamp(1, all_columns), shown(view.height).clamp(1, all_rows));
    let row = |class: usize, y: usize| &tensor.values[(class * all_rows + y) * all_columns..][..columns];
    let logits =
        (0..classes.len()).flat_map(|class| (0..rows).flat_map(move |y| row(class, y))).copied().collect();
    Ok(ScoreMap::new((columns, rows), stride, Size::new(view.width, view.height), logits, classes))
}

/// Scores every class of `classes` and finds the regions of those that are reported.
pub(super) fn decode(
    layout: &ScoreMapLayout,
    maps: &[ScoreMap],
    classes: &[Class],
    enabled: &HashSet<String>,
    photo: Size<Upright>,
) -> Predictions {
    let mut seen = Predictions::default();
    for (index, class) in classes.iter().enumerate() {
        let pooled: f64 = maps.iter().map(|map| layout.pooled(&mut map.class(index).to_vec())).sum();
        let score = class.calibration.score(pooled / maps.len().max(1) as f64);
        let name = DefectClass::new(&class.name);
        seen.class_scores.push(ClassScore { class: name.clone(), score });
        let reported = class.is_reported(enabled);
        if let Some(first) = maps.first().filter(|_| reported && score.value() >= class.threshold) {
            let detection = |cells: Vec<usize>| {
                let mut own: Vec<f32> = cells.iter().map(|&at| first.class(index)[at]).collect();
                Detection {
                    class: name.clone(),
                    score: class.calibration.score(layout.pooled(&mut own)).min(score),
                    area: first.bounds(&cells, photo),
                    area_share: cells.len() as f32 / (first.columns * first.rows) as f32,
                }
            };
            let found: Vec<Detection> =
                regions(layout, first, index, class).into_iter().map(detection).collect();
            let best = found.iter().map(|detection| detection.score.value()).fold(0.0, f32::max);
            let least = class.threshold.min(best);
            seen.detections.extend(found.into_iter().filter(|detection| detection.score.value() >= least));
        }
    }
    // A stable sort: equal scores stay in the manifest's order, then in reading order.
    seen.detections.sort_by_key(|detection| std::cmp::Reverse(detection.score));
    seen
}

/// The regions of one reported class, as cell indices; never empty.
fn regions(layout: &ScoreMapLayout, map: &ScoreMap, index: usize, class: &Class) -> Vec<Vec<usize>> {
    let logits = map.class(index);
    let found =
        Grid::at_least(logits, map.columns, class.cell_threshold()).closed(layout.close_cells).components();
    let (large, small): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|cells| cells.len() >= class.min_cells.unwrap_or(1));
    if !large.is_empty() {
        return large;
    }
    let best = (0..logits.len()).reduce(|best, at| if logits[at] > logits[best] { at } else { best });
    let Some(best) = best else { return Vec::new() };
    let holding = small.into_iter().find(|cells| cells.binary_search(&best).is_ok());
    vec![holding.unwrap_or_else(|| vec![best])]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn layout() -> ScoreMapLayout {
        ScoreMapLayout {
            name: "logits".into(),
            stride: 16,
            top_share: 0.01,
            top_min_cells: 3,
            close_cells: 1,
        }
    }

    fn class(name: &str, experimental: bool) -> Class {
        Class {
            name: name.into(),
            threshold: 0.5,
            threshold_rule: String::new(),
            cell_threshold: Some(0.0),
            min_cells: Some(2),
            calibration: Calibration { scale: 1.0, offset: 0.0 },
            experimental,
        }
    }

    fn view(width: u32, height: u32) -> View {
        let padded = |side: u32| side.next_multiple_of(32);
        View {
            width,
            height,
            left: 0,
            top: 0,
            padded_width: padded(width),
            padded_height: padded(height),
            tensor: vec![],
        }
    }

    fn output(view: &View, classes: usize, value: impl Fn(usize, usize, usize) -> f32) -> Tensor {
        let (columns, rows) = ((view.padded_width / 16) as usize, (view.padded_height / 16) as usize);
        let cell = |at: usize| value(at / (columns * rows), at / columns % rows, at % columns);
        Tensor {
            shape: vec![1, classes, rows, columns],
            values: (0..classes * rows * columns).map(cell).collect(),
        }
    }

    fn seen(
        view: View,
        photo: Size<Upright>,
        enabled: &[&str],
        value: impl Fn(usize, usize, usize) -> f32,
    ) -> Predictions {
        let classes = [class("crack", false), class("rust", true)];
        let tensor = output(&view, 2, value);
        let enabled = enabled.iter().map(|name| (*name).to_owned()).collect();
        let maps = maps(&layout(), &[(view, vec![tensor])], &classes).expect("shaped");
        decode(&layout(), &maps, &classes, &enabled, photo)
    }

    #[test]
    fn a_bar_of_cells_becomes_one_box_in_photo_pixels() {
        let photo = Size::new(512, 256);
        let bar =
            |class, y, x| if class == 0 && y == 2 && (3..7).contains(&x) && x != 5 { 4.0 } else { -4.0 };
        let found = seen(view(128, 64), photo, &[], bar);
        let [detection] = found.detections.as_slice() else { panic!("one region: {found:?}") };
        assert_eq!(detection.area, PixelBox::new(192.0, 128.0, 448.0, 192.0).expect("a box"));
        assert!((detection.area_share - 4.0 / 32.0).abs() < 1e-6);
        assert!(detection.score <= found.class_scores[0].score);
        assert!((found.class_scores[0].score.value() - Score::from_logit(4.0).value()).abs() < 1e-6);
    }

    #[test]
    fn cells_on_the_padding_do_not_count() {
        let found =
            seen(view(100, 40), Size::new(100, 40), &[], |_, y, x| if x >= 6 || y >= 2 { 9.0 } else { -9.0 });
        assert!(found.detections.is_empty(), "{found:?}");
        // The centre of column 6 is at 104 of 100 pixels, that of row 2 at 40 of 40.
        assert!(found.class_scores[0].score.value() < 0.01);
    }

    #[test]
    fn experimental_classes_speak_only_when_enabled() {
        let all = |_, _, _| 4.0;
        assert_eq!(seen(view(64, 64), Size::new(64, 64), &[], all).detections.len(), 1);
        assert_eq!(seen(view(64, 64), Size::new(64, 64), &["rust"], all).detections.len(), 2);
    }

    #[test]
    fn a_reported_class_always_shows_where() {
        // Pooled over three cells the score passes, though each region is a single cell.
        let dots = |class, y, x| if class == 0 && (y, x) == (1, 1) { 9.0 } else { -1.0 };
        let found = seen(view(128, 128), Size::new(128, 128), &[], dots);
        let [detection] = found.detections.as_slice() else { panic!("one region: {found:?}") };
        assert_eq!(detection.area, PixelBox::new(16.0, 16.0, 32.0, 32.0).expect("a box"));
    }

    #[test]
    fn doubtful_regions_stand_back_behind_a_sure_one() {
        // Two pairs of cells: one sure, the other calibrated to 0.52.
        let pairs = |class, y, x| match (class, y, x) {
            (0, 1, 1 | 2) => 12.0,
            (0, 6, 5 | 6) => 0.1,
            _ => -9.0,
        };
        let size = Size::new(128, 128);
        assert_eq!(seen(view(128, 128), size, &[], pairs).detections.len(), 2);
        let strict = Class { threshold: 0.6, ..class("crack", false) };
        let tensor = output(&view(128, 128), 1, pairs);
        let strict = [strict];
        let maps = maps(&layout(), &[(view(128, 128), vec![tensor])], &strict).expect("shaped");
        let found = decode(&layout(), &maps, &strict, &HashSet::new(), size);
        assert_eq!(found.detections.len(), 1, "{found:?}");
    }

    #[test]
    fn a_wrong_shape_is_named() {
        let view = view(64, 64);
        let tensor = Tensor { shape: vec![1, 2, 3, 4], values: vec![0.0; 24] };
        let error = maps(&layout(), &[(view, vec![tensor])], &[class("crack", false), class("rust", true)])
            .expect_err("refused");
        assert!(error.contains("[1, 2, 3, 4]") && error.contains("[1, 2, 4, 4]"), "{error}");
    }

    proptest! {
        #[test]
        fn boxes_lie_on_the_photo_and_scores_under_the_photos(
            (width, height) in (32_u32..200, 32_u32..200),
            factor in 1_u32..9,
            seed in any::<u64>(),
        ) {
            let photo = Size::new(width * factor, height * factor);
            let noise = |class: usize, y: usize, x: usize| {
                let mixed = (seed ^ (class * 10_007 + y * 101 + x) as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
                (mixed >> 40) as f32 / (1 << 24) as f32 * 12.0 - 6.0
            };
            let found = seen(view(width, height), photo, &["rust"], noise);
            for detection in &found.detections {
                let [x0, y0, x1, y1] = detection.area.corners();
                prop_assert!(0.0 <= x0 && x0 < x1 && x1 <= photo.width as f32);
                prop_assert!(0.0 <= y0 && y0 < y1 && y1 <= photo.height as f32);
                prop_assert!(detection.area_share > 0.0 && detection.area_share <= 1.0);
                let photo_score = found.class_scores.iter().find(|score| score.class == detection.class);
                prop_assert!(photo_score.is_some_and(|score| detection.score <= score.score));
            }
            prop_assert!(found.detections.is_sorted_by(|a, b| a.score >= b.score));
        }
    }
}
