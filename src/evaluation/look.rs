//! One labelled picture: looked at as the service looks at photos, and held against what is known.

use std::path::Path;
use std::time::{Duration, Instant};

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use super::labels::{Mask, Row};
use super::masks::{self, Lattice};
use crate::domain::detection::Detection;
use crate::domain::geometry::{Size, Upright};
use crate::domain::measure::{self, BoxCounts, CellCounts, CellGrid};
use crate::domain::merge::merge;
use crate::domain::picture::Picture;
use crate::domain::tagging::MergeRules;
use crate::inference::preprocess::view_size;
use crate::inference::{ClassInfo, Detector, ModelOutput, ScoreMap, Timings};
use crate::photo::{self, Limits};

/// What looks at labelled pictures.
pub struct Evaluator<'a> {
    pub detector: &'a dyn Detector,
    /// What a picture may ask of this machine.
    pub limits: &'a Limits,
    /// How neighbouring regions become one, as in the service.
    pub merge: &'a MergeRules,
}

/// What came of one picture.
#[derive(Debug, Clone)]
pub struct PictureResult {
    pub size: Size<Upright>,
    /// For each class of the model, in its order.
    pub classes: Vec<ClassResult>,
    /// What would be reported, merged.
    pub found: Vec<Detection>,
    pub decode: Duration,
    /// Where the rest of the time went.
    pub timings: Timings,
}

/// What came of one picture for one class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassResult {
    /// The photo's calibrated score.
    pub score: f32,
    /// Regions against labelled boxes, where there are any.
    pub boxes: Option<BoxCounts>,
    /// Marked cells against a mask, where there is one and the model has a score map.
    pub cells: Option<CellCounts>,
}

impl Evaluator<'_> {
    /// Looks at all `rows` on `threads` threads; a picture that cannot be looked at gives the reason.
    ///
    /// # Errors
    /// When there are no threads to be had.
    pub fn run(
        &self,
        rows: &[Row],
        threads: usize,
        done: &(dyn Fn() + Sync),
    ) -> Result<Vec<Result<PictureResult, String>>, String> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|number| format!("eval-{number}"))
            .build()
            .map_err(|error| format!("no threads for decoding: {error}"))?;
        let look = |row: &Row| {
            let looked = self.look(row);
            done();
            looked
        };
        Ok(pool.install(|| rows.par_iter().map(look).collect()))
    }

    fn look(&self, row: &Row) -> Result<PictureResult, String> {
        let bytes = read(&row.file, self.limits)?;
        let started = Instant::now();
        let photo = photo::decode_near(&bytes, self.limits, self.detector.wants(self.detector.usual()))
            .map_err(|error| error.to_string())?;
        let decode = started.elapsed();
        let look =
            self.detector.detect(&photo.picture, self.detector.usual()).map_err(|error| error.to_string())?;
        let found = merge(&look.seen, photo.size, self.merge).detections;
        let mut classes = Vec::new();
        for (index, class) in self.detector.model().classes.iter().enumerate() {
            let scored = look.seen.class_scores.iter().find(|scored| scored.class.name() == class.name);
            let score = scored.map_or(0.0, |scored| scored.score.value());
            // A class that is not reported marks nothing: only its scores say anything.
            let map = look.score_map.as_ref().filter(|_| class.reported);
            classes.push(ClassResult {
                score,
                boxes: boxes(row, class, &found, photo.size).filter(|_| class.reported),
                cells: map.map(|map| self.cells(row, class, index, &look, map)).transpose()?.flatten(),
            });
        }
        Ok(PictureResult { size: photo.size, classes, found, decode, timings: look.timings })
    }

    fn cells(
        &self,
        row: &Row,
        class: &ClassInfo,
        index: usize,
        look: &ModelOutput,
        map: &ScoreMap,
    ) -> Result<Option<CellCounts>, String> {
        let Some(mask) = row.masks.iter().find(|mask| mask.class == class.name) else { return Ok(None) };
        let mask_of = self.picture_of(mask)?;
        let photo = mask_of.photo();
        if look.timings.ended_early {
            // Nothing is marked; what was missed counts in the cells of the view that was not looked at.
            let (width, height) = view_size(photo, self.detector.long_side(), 1.0);
            let lattice = Lattice::over(Size::new(width, height), map.stride);
            let truth =
                CellGrid { columns: lattice.columns, cells: masks::cells(&mask_of, mask.colour, lattice) };
            let nothing = CellGrid { columns: lattice.columns, cells: vec![false; truth.cells.len()] };
            return Ok(Some(measure::cells(&truth, &nothing)));
        }
        let lattice = Lattice { columns: map.columns, rows: map.rows, stride: map.stride, view: map.view };
        let truth = CellGrid { columns: map.columns, cells: masks::cells(&mask_of, mask.colour, lattice) };
        let scored = look.seen.class_scores.get(index);
        let passes = scored.is_some_and(|scored| scored.score.value() >= class.threshold);
        let marked = map.marked(index).into_iter().map(|marked| marked && passes).collect();
        Ok(Some(measure::cells(&truth, &CellGrid { columns: map.columns, cells: marked })))
    }

    /// The mask's picture at its full size.
    fn picture_of(&self, mask: &Mask) -> Result<Picture, String> {
        let unreadable = |what: String| format!("its mask {}: {what}", mask.file.display());
        let bytes = read(&mask.file, self.limits).map_err(unreadable)?;
        let photo = photo::decode(&bytes, self.limits, None);
        photo.map(|photo| photo.picture).map_err(|error| unreadable(error.to_string()))
    }
}

/// The regions of `class` against its labelled boxes. A class without any has nothing to be held against:
/// whether regions of it are right is what its scores tell.
fn boxes(row: &Row, class: &ClassInfo, found: &[Detection], photo: Size<Upright>) -> Option<BoxCounts> {
    let truth = row.boxes_of(&class.name, photo);
    if truth.is_empty() {
        return None;
    }
    let of_class = found.iter().filter(|detection| detection.class.name() == class.name);
    Some(measure::boxes(&truth, &of_class.map(|detection| detection.area).collect::<Vec<_>>()))
}

/// Reads a file, unless its length is over the limit already.
fn read(file: &Path, limits: &Limits) -> Result<Vec<u8>, String> {
    let length = std::fs::metadata(file).map_err(|error| error.to_string())?.len();
    photo::check_length(length, limits).map_err(|error| error.to_string())?;
    std::fs::read(file).map_err(|error| error.to_string())
}
