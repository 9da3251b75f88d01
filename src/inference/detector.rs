//! Model, sessions and decoding put together behind the seam.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::batcher::{Batcher, Lost};
use super::decode_output::Tensor;
use super::manifest::Manifest;
use super::package::{self, Package};
use super::preprocess::{self, View};
use super::session::{Refused, Session};
use super::{ClassInfo, Config, Detector, Error, Look, ModelInfo, ProviderReport, Timings, runtime};
use crate::domain::geometry::Size;
use crate::domain::picture::Picture;

/// What a session thread answers: its output and the time in the session, or why there is none.
type Outcome = Result<(View, Tensor, Duration), String>;

struct OnnxDetector {
    info: ModelInfo,
    manifest: Arc<Manifest>,
    enabled: HashSet<String>,
    timeout: Duration,
    sessions: Batcher<View, Outcome>,
}

/// Finds the configured model and the runtime, opens the sessions and warms them up. Fetches nothing.
///
/// # Errors
/// Everything of [`Error`] that says why it could not.
pub fn load(config: &Config) -> Result<Arc<dyn Detector>, Error> {
    load_package(package::open(config)?, config)
}

/// As [`load`], with a model that was opened before.
///
/// # Errors
/// As [`load`].
pub fn load_package(package: Package, config: &Config) -> Result<Arc<dyn Detector>, Error> {
    let enabled = enabled(&package, config)?;
    let library = runtime::locate(config)?;
    let loaded = runtime::load(&library)?;
    let count = match config.sessions {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        count => count,
    };
    let info = info(&package, config, &enabled, &loaded.library, count);
    let manifest = Arc::new(package.manifest);
    let (origin, graph, provider) = (package.origin, package.graph, config.provider);
    let opened_with = Arc::clone(&manifest);
    let open = move || {
        let refused = |refused| match refused {
            Refused::Model(what) => Opening(Error::Model { origin: origin.clone(), what }),
            Refused::Provider(why) => Opening(Error::Provider { asked: provider, why }),
        };
        let mut session =
            Session::open(&loaded.environment, &graph, &opened_with, provider).map_err(refused)?;
        warm_up(&mut session, &opened_with).map_err(|what| refused(Refused::Model(what)))?;
        Ok(move |view| answer(&mut session, view))
    };
    let started = Instant::now();
    let sessions =
        Batcher::start("session", count, config.queue_depth, open).map_err(|Opening(error)| error)?;
    tracing::info!(model = info.label(), sessions = count, ms = started.elapsed().as_millis(), "model ready");
    let timeout = Duration::from_millis(config.timeout_ms);
    Ok(Arc::new(OnnxDetector { info, manifest, enabled, timeout, sessions }))
}

/// Why a session thread did not come up.
struct Opening(Error);

impl From<std::io::Error> for Opening {
    fn from(error: std::io::Error) -> Self {
        Self(Error::Run { what: format!("no thread for a session: {error}") })
    }
}

/// The experimental classes that the configuration enables; naming one that is not there is an error.
fn enabled(package: &Package, config: &Config) -> Result<HashSet<String>, Error> {
    let classes = &package.manifest.classes;
    for name in &config.experimental_classes {
        if !classes.iter().any(|class| class.experimental && class.name == *name) {
            let names = classes.iter().filter(|class| class.experimental).map(|class| class.name.as_str());
            let known = names.collect::<Vec<_>>().join(", ");
            let what = format!(
                "inference.experimental_classes names '{name}'; the model's experimental classes are: {}",
                if known.is_empty() { "none" } else { &known }
            );
            return Err(Error::Model { origin: package.origin.clone(), what });
        }
    }
    Ok(config.experimental_classes.iter().cloned().collect())
}

fn info(
    package: &Package,
    config: &Config,
    enabled: &HashSet<String>,
    library: &Path,
    sessions: usize,
) -> ModelInfo {
    let manifest = &package.manifest;
    let classes = manifest.classes.iter().map(|class| ClassInfo {
        name: class.name.clone(),
        threshold: class.threshold,
        experimental: class.experimental,
        reported: !class.experimental || enabled.contains(&class.name),
    });
    ModelInfo {
        name: manifest.name.clone(),
        version: manifest.version.clone(),
        summary: manifest.summary.clone(),
        sha256: package.sha256,
        precision: package.precision,
        origin: package.origin.clone(),
        provider: ProviderReport {
            asked: config.provider,
            got: config.provider,
            why: "as configured; a provider that cannot be had is an error, never replaced".into(),
        },
        runtime: format!("ONNX Runtime {} ({})", runtime::version(library), library.display()),
        sessions,
        classes: classes.collect(),
        licence: manifest.licence.clone(),
    }
}

/// Runs once at the usual size, so that the first photo meets a session with its memory in place,
/// and an output of the wrong shape is found now.
fn warm_up(session: &mut Session, manifest: &Manifest) -> Result<(), String> {
    let long_side = manifest.input.long_side();
    let short_side = long_side * 3 / 4;
    let size = Size::new(long_side, short_side);
    let rgb = vec![128; size.pixels() as usize * 3];
    let grey =
        Picture::new(size, Size::new(long_side, short_side), rgb).map_err(|error| error.to_string())?;
    for view in preprocess::views(&grey, &manifest.input) {
        let output = session.run(&view.tensor, view.padded_height, view.padded_width)?;
        manifest.output.decode(&[(view, output)], &manifest.classes, &HashSet::new(), grey.photo())?;
    }
    Ok(())
}

fn answer(session: &mut Session, mut view: View) -> Outcome {
    let started = Instant::now();
    let tensor = std::mem::take(&mut view.tensor);
    let output = session.run(&tensor, view.padded_height, view.padded_width)?;
    Ok((view, output, started.elapsed()))
}

impl OnnxDetector {
    fn lost(&self, lost: Lost) -> Error {
        match lost {
            Lost::Late => Error::Timeout { after_ms: self.timeout.as_millis() as u64 },
            Lost::Gone => Error::Closed,
        }
    }
}

impl Detector for OnnxDetector {
    fn model(&self) -> &ModelInfo {
        &self.info
    }

    fn long_side(&self) -> u32 {
        self.manifest.input.long_side()
    }

    fn detect(&self, picture: &Picture) -> Result<Look, Error> {
        let started = Instant::now();
        let deadline = started + self.timeout;
        let views = preprocess::views(picture, &self.manifest.input);
        let mut timings = Timings { preprocess: started.elapsed(), ..Timings::default() };
        let asked = views.into_iter().map(|view| self.sessions.ask(view, deadline));
        let tickets: Vec<_> = asked.collect::<Result<_, _>>().map_err(|lost| self.lost(lost))?;
        let mut outputs = Vec::with_capacity(tickets.len());
        for ticket in tickets {
            let answer = ticket.wait(deadline).map_err(|lost| self.lost(lost))?;
            let (view, output, infer) = answer.value.map_err(|what| Error::Run { what })?;
            timings.queue += answer.queued;
            timings.infer += infer;
            outputs.push((view, output));
        }
        let decoding = Instant::now();
        let manifest = &self.manifest;
        let (seen, score_map) = manifest
            .output
            .decode(&outputs, &manifest.classes, &self.enabled, picture.photo())
            .map_err(|what| Error::Run { what })?;
        timings.postprocess = decoding.elapsed();
        Ok(Look { seen, timings, score_map })
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::domain::geometry::PixelBox;
    use crate::inference::{PrecisionChoice, ensure_runtime};

    fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tiny")
    }

    fn config() -> Config {
        Config { model: folder().display().to_string(), sessions: 2, ..Config::shipped() }
    }

    /// Whether there is a runtime; without one these tests can only say so.
    fn runtime_is_there() -> bool {
        match ensure_runtime(&Config::shipped(), &|what| println!("{what}")) {
            Ok(_) => true,
            Err(error) => {
                println!("SKIPPED: {error}");
                false
            }
        }
    }

    /// A bright wall of 1024 × 768 with a dark bar, from a photo twice as large.
    fn wall() -> Picture {
        let pixel = |x: u32, y: u32| {
            if (320..640).contains(&x) && (160..192).contains(&y) { 0 } else { 150 }
        };
        let rgb = (0..768).flat_map(|y| (0..1024).flat_map(move |x| [pixel(x, y); 3])).collect();
        Picture::new(Size::new(1024, 768), Size::new(2048, 1536), rgb).expect("sized")
    }

    #[test]
    fn a_dark_bar_is_found_where_it_is() {
        if !runtime_is_there() {
            return;
        }
        let detector = load(&config()).expect("loads");
        let telemetry_off = std::env::var("ORT_DISABLE_TELEMETRY");
        assert_eq!(telemetry_off.as_deref(), Ok("1"), "the runtime must not report to its maker");
        assert_eq!((detector.long_side(), detector.model().sessions), (1024, 2));
        let wall = wall();
        let looks: Vec<Look> = std::thread::scope(|scope| {
            let handles: Vec<_> = (0..4).map(|_| scope.spawn(|| detector.detect(&wall))).collect();
            handles.into_iter().map(|handle| handle.join().expect("no panic").expect("looked")).collect()
        });
        for look in looks {
            let [dark] = look.seen.detections.as_slice() else { panic!("one region: {:?}", look.seen) };
            assert_eq!(dark.class.name(), "dark");
            assert_eq!(dark.area, PixelBox::new(640.0, 320.0, 1280.0, 384.0).expect("a box"));
            assert!((dark.area_share - 40.0 / 3072.0).abs() < 1e-6);
            let names: Vec<&str> = look.seen.class_scores.iter().map(|score| score.class.name()).collect();
            assert_eq!(names, ["dark", "bright"]);
            assert!(look.score_map.is_some_and(|map| map.class(0)[10 * 64 + 20] > 3.0));
        }
    }

    #[test]
    fn the_built_in_model_loads_and_looks() {
        if !runtime_is_there() {
            return;
        }
        let package = package::built_in(PrecisionChoice::Recommended).expect("whole");
        let detector = load_package(package, &Config { sessions: 1, ..Config::shipped() }).expect("loads");
        let look = detector.detect(&wall()).expect("looked");
        assert_eq!(look.seen.class_scores.len(), detector.model().classes.len());
        assert!(detector.model().label().starts_with("finish-defects "), "{}", detector.model().label());
    }

    /// A copy of the tiny model with another graph and a changed manifest.
    fn changed(graph: &str, from: &str, to: &str) -> Result<Arc<dyn Detector>, Error> {
        let copy = tempfile::tempdir().expect("a folder");
        let graph = std::fs::read(folder().join(graph)).expect("there");
        let text = std::fs::read_to_string(folder().join("manifest.toml")).expect("there");
        let old = Manifest::parse(&text).expect("sound");
        let old_digest = old.files[&old.default_precision].sha256.to_string();
        assert!(text.contains(from), "{from}");
        let text = text
            .replace(&old_digest, &crate::domain::ids::Sha256Digest::of(&graph).to_string())
            .replacen(from, to, 1);
        std::fs::write(copy.path().join("model.onnx"), graph).expect("written");
        std::fs::write(copy.path().join("manifest.toml"), text).expect("written");
        load(&Config { model: copy.path().display().to_string(), sessions: 1, ..Config::shipped() })
    }

    #[test]
    fn a_wrong_model_is_refused_with_the_reason() {
        if !runtime_is_there() {
            return;
        }
        let table = [
            ("model.onnx", "name = \"image\"", "name = \"picture\"", "no input 'picture'; it has image"),
            ("model.onnx", "name = \"logits\"", "name = \"boxes\"", "no output 'boxes'; it has logits"),
            ("model.onnx", "stride = 16", "stride = 8", "output logits has shape [1, 2, 48, 64]"),
            (
                "model.onnx",
                "[licence]",
                "[[classes]]\nname = \"third\"\nthreshold = 0.5\nthreshold_rule = \"\"\ncell_threshold = 0.0\nmin_cells = 1\ncalibration = { scale = 1.0, offset = 0.0 }\nexperimental = false\n[licence]",
                "axis 1 of output 'logits' is 2, not 3",
            ),
            ("wrong/fixed_size.onnx", "schema = 1", "schema = 1", "fixed at 640"),
            ("wrong/bytes_in.onnx", "schema = 1", "schema = 1", "not a float32"),
            ("wrong/far_opset.onnx", "schema = 1", "schema = 1", "opset"),
            ("make.py", "schema = 1", "schema = 1", ""),
        ];
        for (graph, from, to, words) in table {
            match changed(graph, from, to) {
                Err(error @ Error::Model { .. }) => {
                    let message = error.to_string();
                    assert!(message.contains(words), "{graph} {to}: {message}");
                }
                Err(error) => panic!("{graph} {to}: {error}"),
                Ok(_) => panic!("{graph} {to} was taken"),
            }
        }
    }

    #[test]
    fn experimental_classes_must_exist() {
        let config = Config { experimental_classes: vec!["moisture".into()], ..config() };
        let message = load(&config).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(message.contains("'moisture'") && message.contains("bright"), "{message}");
    }
}
