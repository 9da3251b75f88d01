//! One look at one picture: which views and tiles are run, in which order, and when that is enough.

use std::time::Instant;

use super::coarse::{self, Coarse};
use super::decode_output::{ScoreMap, Tensor};
use super::detector::OnnxDetector;
use super::manifest::Class;
use super::preprocess::{self, View};
use super::tiles::{self, Tile};
use super::{Error, ModelOutput, Timings};
use crate::domain::detection::Predictions;
use crate::domain::geometry::{Size, Upright};
use crate::domain::picture::Picture;

/// One look under way.
pub(super) struct ModelRun<'a> {
    pub(super) detector: &'a OnnxDetector,
    pub(super) picture: &'a Picture,
    pub(super) deadline: Instant,
    pub(super) timings: Timings,
}

impl ModelRun<'_> {
    /// Runs views; each is made only once the one before is queued, so that tensors do not pile up.
    fn run(&mut self, views: impl Iterator<Item = View>) -> Result<Vec<(View, Vec<Tensor>)>, Error> {
        let sessions = &self.detector.sessions;
        let lost = |lost| self.detector.lost(lost);
        let mut pending = Vec::new();
        let mut making = Instant::now();
        for view in views {
            self.timings.preprocess += making.elapsed();
            pending.push(sessions.ask(view, self.deadline).map_err(lost)?);
            making = Instant::now();
        }
        let mut outputs = Vec::with_capacity(pending.len());
        for promise in pending {
            let answer = sessions.wait(promise, self.deadline).map_err(lost)?;
            let (view, output, infer) = answer.value.map_err(|what| self.detector.failed(what))?;
            self.timings.queue += answer.queued;
            self.timings.infer += infer;
            outputs.push((view, output));
        }
        Ok(outputs)
    }

    fn run_sizes(&mut self, sizes: &[(u32, u32)]) -> Result<Vec<(View, Vec<Tensor>)>, Error> {
        let (picture, input) = (self.picture, &self.detector.manifest.input);
        self.run(sizes.iter().map(|&size| preprocess::view(picture, size, input)))
    }

    fn decode(
        &mut self,
        outputs: &[(View, Vec<Tensor>)],
        classes: &[Class],
        size: Size<Upright>,
    ) -> Result<(Predictions, Option<ScoreMap>), Error> {
        let started = Instant::now();
        let output = &self.detector.manifest.output;
        let seen = output
            .decode(outputs, classes, &self.detector.enabled, size)
            .map_err(|what| Error::Run { what })?;
        self.timings.postprocess += started.elapsed();
        Ok(seen)
    }

    pub(super) fn done(self, seen: Predictions, score_map: Option<ScoreMap>) -> ModelOutput {
        ModelOutput { seen, timings: self.timings, score_map }
    }

    /// The whole photo in the manifest's views; with `coarse`, those after the first look only where
    /// that does not suffice.
    pub(super) fn whole(&mut self, coarse: Option<Coarse>) -> Result<(Predictions, Option<ScoreMap>), Error> {
        let (manifest, photo) = (&self.detector.manifest, self.picture.photo());
        let sizes = preprocess::view_sizes(self.picture, &manifest.input);
        let mut known = Vec::new();
        if let Some(coarse) = coarse.filter(|_| coarse::pays(photo, &manifest.input)) {
            let size = preprocess::view_size(photo, coarse.view, manifest.input.max_upscale);
            known = self.run_sizes(&[size])?;
            let first = self.decode(&known, &manifest.classes, photo)?;
            if coarse.suffices(&first.0.class_scores, &manifest.classes, &self.detector.reported) {
                self.timings.ended_early = true;
                return Ok(first);
            }
        }
        let of_size =
            |size: (u32, u32)| move |(view, _): &(View, Vec<Tensor>)| (view.width, view.height) == size;
        let missing: Vec<_> =
            sizes.iter().copied().filter(|&size| !known.iter().any(of_size(size))).collect();
        known.extend(self.run_sizes(&missing)?);
        let ordered = sizes
            .iter()
            .filter_map(|&size| known.iter().position(of_size(size)).map(|at| known.swap_remove(at)));
        let ordered: Vec<_> = ordered.collect();
        self.decode(&ordered, &manifest.classes, photo)
    }

    /// The tiles of the photo, those that `map` rules out left out from coarse to fine.
    pub(super) fn tiles(&mut self, map: Option<&ScoreMap>) -> Result<Vec<(Tile, Predictions)>, Error> {
        let (detector, photo) = (self.detector, self.picture.photo());
        let (manifest, rules) = (&detector.manifest, detector.manifest.tiles());
        if self.picture.size() != Size::new(photo.width, photo.height) {
            return Err(Error::Run { what: "a thorough look needs the photo at its full size".into() });
        }
        let mut tiles = tiles::cut(photo, rules.side, rules.overlap);
        if let Some(map) = map.filter(|_| detector.coarse_to_fine) {
            let (classes, reported) = (&manifest.classes, &detector.reported);
            let worth = coarse::worth_a_look(&tiles, map, photo, classes, reported, rules.margin as f32);
            let all = tiles.len();
            let mut worth = worth.into_iter();
            tiles.retain(|_| worth.next().unwrap_or(true));
            self.timings.tiles_left_out = (all - tiles.len()) as u32;
        }
        self.timings.tiles = tiles.len() as u32;
        let picture = self.picture;
        let outputs =
            self.run(tiles.iter().map(|&tile| preprocess::tile_view(picture, tile, &manifest.input)))?;
        let seen = tiles.into_iter().zip(outputs).map(|(tile, output)| {
            self.decode(&[output], &detector.strict, tile.size()).map(|(seen, _)| (tile, seen))
        });
        seen.collect()
    }
}
