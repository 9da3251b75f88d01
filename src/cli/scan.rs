//! `punchlens scan`: photos on this machine to findings, without any network.
//!
//! Exit codes: 0 all photos were looked at; 1 findings, with `--fail-on-findings`; 2 wrong usage;
//! 3 some photos could not be read; 4 nothing could be looked at, as the model or the runtime is
//! missing or wrong. Where 1 and 3 both apply it is 3: an answer is not complete then.

mod annotated;
mod files;
mod look;
#[cfg(test)]
mod parity;
mod record;
mod table;
mod tags;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rayon::iter::{ParallelBridge, ParallelIterator};

use self::look::Scanner;
use self::record::Record;
use self::table::Summary;
use self::tags::Tagger;
use super::thoroughness;
use crate::domain::thoroughness::Thoroughness;
use crate::inference::{self, ModelInfo};
use crate::photo;

/// Exit code: findings, with `--fail-on-findings`.
const FINDINGS: u8 = 1;
/// Exit code: some photos could not be read.
const UNREADABLE: u8 = 3;
/// Exit code: nothing could be looked at.
const NOT_RUN: u8 = 4;

/// Look for defects in photos on this machine, without any network.
///
/// Exit codes: 0 all photos were looked at; 1 findings (with --fail-on-findings); 2 wrong usage;
/// 3 some photos could not be read; 4 nothing could be looked at (model or runtime).
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    /// Photos, folders (searched through and through) or patterns such as 'site/**/*.jpg'
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// Write one JSON object a line to standard output instead of a table
    #[arg(long)]
    pub json: bool,

    /// Write a copy of each photo with boxes and labels into this folder
    #[arg(long, value_name = "DIR")]
    pub annotate: Option<PathBuf>,

    /// Lay the model's scores, cell by cell, over the annotated copies
    #[arg(long, requires = "annotate")]
    pub score_map: bool,

    /// How closely to look: standard, or thorough (also in tiles at full size, for hairlines)
    #[arg(long, value_name = "MODE", value_parser = thoroughness)]
    pub mode: Option<Thoroughness>,

    /// End with exit code 1 if anything was found
    #[arg(long)]
    pub fail_on_findings: bool,

    /// Files that say what findings become.
    #[command(flatten)]
    pub tags: tags::TagArgs,
}

/// Runs the command.
///
/// # Errors
/// When standard output or the folder for annotated copies cannot be written to. A photo that cannot
/// be read is a line of the output, and a model or runtime that cannot be had is an exit code.
pub(super) fn run(
    args: &Args,
    photo: &photo::Limits,
    inference: &inference::Config,
) -> anyhow::Result<ExitCode> {
    let detector = match inference::load(inference) {
        Ok(detector) => detector,
        Err(error) => {
            writeln!(io::stderr(), "punchlens scan: {error}")?;
            return Ok(ExitCode::from(NOT_RUN));
        }
    };
    if let Some(folder) = &args.annotate {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    introduce(detector.model())?;
    let tagger = Tagger::load(&args.tags, detector.model())?;
    let scanner = Scanner {
        detector: detector.as_ref(),
        limits: photo,
        annotate: args.annotate.as_deref(),
        score_map: args.score_map,
        tagger: tagger.as_ref(),
        thoroughness: args.mode.unwrap_or(detector.usual()),
    };
    let files = files::collect(&args.paths);
    let started = Instant::now();
    let bar = progress(files.len() as u64);
    let mut sink = Sink { json: args.json, bar: &bar, summary: Summary::default() };
    // One photo for each session and one being read, so that neither cores nor memory run over.
    let in_flight = detector.model().sessions + 1;
    let whole = scan_all(&scanner, &files, in_flight, |record| sink.take(record))?;
    bar.finish_and_clear();
    let summary = sink.summary;
    if !whole {
        // Whoever read the output has had enough, as `head` does.
        return Ok(ExitCode::SUCCESS);
    }
    if !args.json && !told(writeln!(io::stdout(), "{}", summary.table()))? {
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(io::stderr(), "{}", summary.words(started.elapsed()))?;
    Ok(match (summary.unreadable(), summary.findings()) {
        (0, 0) => ExitCode::SUCCESS,
        (0, _) if args.fail_on_findings => ExitCode::from(FINDINGS),
        (0, _) => ExitCode::SUCCESS,
        _ => ExitCode::from(UNREADABLE),
    })
}

/// Says on standard error which model looks, and under which licence.
fn introduce(model: &ModelInfo) -> io::Result<()> {
    let (label, precision, provider) = (model.label(), model.precision.name(), model.provider.got.name());
    writeln!(io::stderr(), "model {label}, {precision} on {provider}, {} sessions", model.sessions)?;
    writeln!(
        io::stderr(),
        "training data: {}. {}",
        model.licence.training_data.name(),
        model.licence.statement
    )
}

fn progress(photos: u64) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{bar:30} {pos}/{len} photos, {per_sec}, {eta} left  {wide_msg}")
            .expect("the template is well formed");
    let bar = ProgressBar::with_draw_target(Some(photos), ProgressDrawTarget::stderr()).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// Where records go, in the order of the files.
struct Sink<'a> {
    json: bool,
    bar: &'a ProgressBar,
    summary: Summary,
}

impl Sink<'_> {
    fn take(&mut self, record: Record) -> io::Result<()> {
        if self.json {
            let line = serde_json::to_string(&record).map_err(io::Error::other)?;
            self.bar.suspend(|| writeln!(io::stdout(), "{line}"))?;
        }
        self.bar.inc(1);
        self.summary.add(record);
        Ok(())
    }
}

/// Looks at all `files`, at most `in_flight` at a time, and hands their records to `take` in the
/// order of the files. Gives `false` when whoever reads the output has gone.
fn scan_all(
    scanner: &Scanner<'_>,
    files: &[files::FoundFiles],
    in_flight: usize,
    take: impl FnMut(Record) -> io::Result<()>,
) -> anyhow::Result<bool> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(in_flight)
        .thread_name(|number| format!("scan-{number}"))
        .build()
        .context("no threads for decoding")?;
    let (sender, receiver) = sync_channel(in_flight);
    std::thread::scope(|scope| {
        scope.spawn(|| pool.install(|| look_at_all(scanner, files, sender)));
        told(in_order(receiver, take))
    })
}

/// Whether somebody is still there to read the output; other failures to write it are errors.
fn told(outcome: io::Result<()>) -> anyhow::Result<bool> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        outcome => outcome.map(|()| true).context("cannot write the results"),
    }
}

fn look_at_all(scanner: &Scanner<'_>, files: &[files::FoundFiles], sender: SyncSender<(usize, Record)>) {
    let numbered = files.iter().enumerate().par_bridge();
    // A receiver that has gone ends the work early; it has told its own reason.
    let _ = numbered
        .try_for_each_with(sender, |sender, (number, file)| sender.send((number, scanner.look(file))));
}

/// Photos end out of order, by no more than are in flight; they are told in order.
fn in_order(
    receiver: Receiver<(usize, Record)>,
    mut take: impl FnMut(Record) -> io::Result<()>,
) -> io::Result<()> {
    let (mut early, mut next) = (BTreeMap::new(), 0);
    for (number, record) in receiver {
        early.insert(number, record);
        while let Some(record) = early.remove(&next) {
            take(record)?;
            next += 1;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::record::{Outcome, SCHEMA};
    use super::*;
    use crate::domain::detection::{ClassScore, DefectClass, Detection, Predictions};
    use crate::domain::geometry::Size;
    use crate::domain::ids::Sha256Digest;
    use crate::domain::picture::Picture;
    use crate::domain::score::Score;
    use crate::inference::manifest::{DataStatus, Licence, Precision};
    use crate::inference::{Detector, Error, ModelOutput, Provider, ProviderReport, Timings};
    use crate::photo::encode::review_jpeg;

    /// Finds one crack in the upper half of dark pictures, and fails on black ones.
    struct Fake(ModelInfo);

    impl Fake {
        fn new() -> Self {
            let licence =
                Licence { weights: String::new(), training_data: DataStatus::Open, statement: String::new() };
            let provider = ProviderReport { asked: Provider::Cpu, got: Provider::Cpu, why: String::new() };
            Self(ModelInfo {
                name: "fake".into(),
                version: "1".into(),
                summary: String::new(),
                sha256: Sha256Digest::of(b"fake"),
                precision: Precision::Fp32,
                origin: String::new(),
                provider,
                runtime: String::new(),
                sessions: 2,
                classes: vec![],
                licence,
            })
        }
    }

    impl Detector for Fake {
        fn model(&self) -> &ModelInfo {
            &self.0
        }

        fn long_side(&self) -> u32 {
            64
        }

        fn detect(&self, picture: &Picture, _: Thoroughness) -> Result<ModelOutput, Error> {
            let (class, score) = (DefectClass::new("crack"), Score::new(0.75).expect("in range"));
            let area = [0.0, 0.0, picture.photo().width as f32, picture.photo().height as f32 / 2.0];
            let found = Detection {
                class: class.clone(),
                score,
                area: area.try_into().expect("a box"),
                area_share: 0.5,
            };
            let detections = match picture.rgb()[0] {
                0..10 => return Err(Error::Run { what: "too dark".into() }),
                10..128 => vec![found],
                _ => vec![],
            };
            let seen = Predictions { detections, class_scores: vec![ClassScore { class, score }] };
            Ok(ModelOutput { seen, timings: Timings::default(), score_map: None })
        }
    }

    fn photo(folder: &Path, name: &str, grey: u8) {
        let picture =
            Picture::new(Size::new(128, 96), Size::new(128, 96), vec![grey; 128 * 96 * 3]).expect("sized");
        std::fs::write(folder.join(name), review_jpeg(&picture, 90).expect("encoded")).expect("written");
    }

    fn scanned(folder: &Path, annotate: Option<&Path>) -> Vec<Record> {
        let (limits, fake) = (photo::Limits::shipped(), Fake::new());
        let thoroughness = Thoroughness::Standard;
        let scanner = Scanner {
            detector: &fake,
            limits: &limits,
            annotate,
            score_map: false,
            tagger: None,
            thoroughness,
        };
        let mut records = Vec::new();
        let take = |record| {
            records.push(record);
            Ok(())
        };
        assert!(scan_all(&scanner, &files::collect(&[folder.to_owned()]), 3, take).expect("scans"));
        records
    }

    #[test]
    fn a_broken_photo_is_a_line_among_others_in_order() {
        let folder = tempfile::tempdir().expect("a folder");
        for number in 0..20 {
            photo(folder.path(), &format!("{number:02}.jpg"), if number % 2 == 0 { 60 } else { 200 });
        }
        std::fs::write(folder.path().join("05.jpg"), b"no photo").expect("written");
        photo(folder.path(), "06.jpg", 0);
        let records = scanned(folder.path(), None);
        let names: Vec<String> =
            (0..20).map(|n| folder.path().join(format!("{n:02}.jpg")).display().to_string()).collect();
        assert_eq!(records.iter().map(|record| record.file.clone()).collect::<Vec<_>>(), names);
        let codes: Vec<(usize, &str)> = records
            .iter()
            .enumerate()
            .filter_map(|(number, record)| match &record.outcome {
                Outcome::Failed { error } => Some((number, error.code)),
                Outcome::Seen(_) => None,
            })
            .collect();
        assert_eq!(codes, [(5, "unsupported"), (6, "inference")]);
        let mut summary = Summary::default();
        for record in records {
            summary.add(record);
        }
        assert_eq!((summary.findings(), summary.unreadable()), (9, 2));
        assert!(summary.table().contains("05.jpg: not analysed"), "{}", summary.table());
    }

    #[test]
    fn lines_keep_their_schema() {
        let folder = tempfile::tempdir().expect("a folder");
        photo(folder.path(), "a.jpg", 60);
        std::fs::write(folder.path().join("b.jpg"), b"").expect("written");
        let lines: Vec<serde_json::Value> = scanned(folder.path(), None)
            .iter()
            .map(|record| serde_json::to_value(record).expect("JSON"))
            .collect();
        let keys = |value: &serde_json::Value| {
            value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            keys(&lines[0]),
            "class_scores exif file findings format looked model ms schema sha256 size stored"
        );
        assert_eq!(keys(&lines[0]["exif"]), "camera description gps orientation taken_at");
        assert_eq!(keys(&lines[0]["model"]), "name precision provider sha256 version");
        assert_eq!(keys(&lines[0]["looked"]), "ended_early mode tiles tiles_left_out");
        assert_eq!(keys(&lines[0]["ms"]), "decode infer postprocess preprocess queue read total");
        assert_eq!(lines[0]["schema"], SCHEMA);
        assert_eq!(lines[0]["class_scores"], serde_json::json!({ "crack": 0.75 }));
        let finding = serde_json::json!({ "class": "crack", "score": 0.75, "box": [0.0, 0.0, 128.0, 48.0], "area_share": 0.5 });
        assert_eq!(lines[0]["findings"], serde_json::json!([finding]));
        assert_eq!(
            (keys(&lines[1]).as_str(), keys(&lines[1]["error"]).as_str()),
            ("error file schema", "code message")
        );
        assert_eq!(lines[1]["error"]["code"], "broken");
    }

    #[test]
    fn annotated_copies_do_not_overwrite_each_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let copies = tempfile::tempdir().expect("a folder");
        for (below, grey) in [("north", 60), ("south", 70)] {
            std::fs::create_dir(folder.path().join(below)).expect("made");
            photo(&folder.path().join(below), "1.jpg", grey);
        }
        scanned(folder.path(), Some(copies.path()));
        let written: Vec<PathBuf> = std::fs::read_dir(copies.path())
            .expect("there")
            .map(|entry| entry.expect("read").path())
            .collect();
        assert_eq!(written.len(), 2, "{written:?}");
        for copy in written {
            let bytes = std::fs::read(copy).expect("there");
            let drawn = photo::decode(&bytes, &photo::Limits::shipped(), None).expect("a photo").picture;
            assert!(drawn.rgb().chunks(3).any(|pixel| pixel[0].abs_diff(pixel[2]) > 40), "a box in colour");
        }
    }
}
