//! One photo, from its file to its record.

use std::path::Path;
use std::time::{Duration, Instant};

use super::annotated;
use super::files::FoundFiles;
use super::record::{AnalyzedPhoto, Failure, Milliseconds, ModelStamp, Outcome, Record, ThoroughnessRecord};
use super::tags::Tagger;
use crate::domain::ids::Sha256Digest;
use crate::domain::thoroughness::Thoroughness;
use crate::inference::Detector;
use crate::photo::{self, Limits};

/// What every photo is looked at with.
pub(super) struct Scanner<'a> {
    pub(super) detector: &'a dyn Detector,
    pub(super) limits: &'a Limits,
    pub(super) annotate: Option<&'a Path>,
    pub(super) score_map: bool,
    pub(super) tagger: Option<&'a Tagger>,
    pub(super) thoroughness: Thoroughness,
}

impl Scanner<'_> {
    /// Looks at one file. Never fails: what is wrong with it is in the record.
    pub(super) fn look(&self, found: &FoundFiles) -> Record {
        let (path, outcome) = match found {
            FoundFiles::File(path) => (path, self.look_at(path)),
            FoundFiles::Nothing { path, because } => {
                (path, Err(Failure { code: "not_found", message: because.clone() }))
            }
        };
        let outcome = match outcome {
            Ok(seen) => Outcome::Seen(Box::new(seen)),
            Err(error) => Outcome::Failed { error },
        };
        Record::new(path.display().to_string(), outcome)
    }

    fn look_at(&self, path: &Path) -> Result<AnalyzedPhoto, Failure> {
        let started = Instant::now();
        let bytes = read(path, self.limits)?;
        let sha256 = Sha256Digest::of(&bytes);
        let (read, decoding) = (started.elapsed(), Instant::now());
        let photo = photo::decode_near(&bytes, self.limits, self.detector.wants(self.thoroughness))
            .map_err(|error| Failure { code: error.code(), message: error.to_string() })?;
        let decode = decoding.elapsed();
        let look = self
            .detector
            .detect(&photo.picture, self.thoroughness)
            .map_err(|error| Failure { code: error.code(), message: error.to_string() })?;
        let (timings, total) = (look.timings, started.elapsed());
        if let Some(folder) = self.annotate {
            let map = look.score_map.as_ref().filter(|_| self.score_map);
            let file = annotated::file_name(path, &sha256);
            annotated::write(&folder.join(file), &bytes, self.limits, &look.seen, map, self.detector.model())
                .map_err(|message| Failure { code: "annotate", message })?;
        }
        let model = self.detector.model();
        let tags = self.tagger.map(|tagger| tagger.tags(path, &photo, &sha256, &look.seen, model));
        Ok(AnalyzedPhoto {
            tags,
            sha256,
            format: photo.format,
            size: [photo.size.width, photo.size.height],
            stored: [photo.stored.width, photo.stored.height],
            exif: photo.capture,
            class_scores: look.seen.class_scores,
            findings: look.seen.detections,
            model: ModelStamp::new(self.detector.model(), self.detector.provider().got),
            looked: ThoroughnessRecord {
                mode: self.thoroughness,
                ended_early: timings.ended_early,
                tiles: timings.tiles,
                tiles_left_out: timings.tiles_left_out,
            },
            ms: Milliseconds {
                read: ms(read),
                decode: ms(decode),
                preprocess: ms(timings.preprocess),
                queue: ms(timings.queue),
                infer: ms(timings.infer),
                postprocess: ms(timings.postprocess),
                total: ms(total),
            },
        })
    }
}

/// Reads a file, unless its length is over the limit already.
fn read(path: &Path, limits: &Limits) -> Result<Vec<u8>, Failure> {
    let unreadable = |error: std::io::Error| Failure { code: "unreadable", message: error.to_string() };
    let length = std::fs::metadata(path).map_err(unreadable)?.len();
    photo::check_length(length, limits)
        .map_err(|error| Failure { code: error.code(), message: error.to_string() })?;
    std::fs::read(path).map_err(unreadable)
}

/// Milliseconds to hundredths: finer digits are noise.
fn ms(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 100_000.0).round() / 100.0
}
