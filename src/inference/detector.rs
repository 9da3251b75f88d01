//! Model, sessions and decoding put together behind the seam.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::batcher::Lost;
use super::manifest::{Class, Manifest};
use super::model_run::ModelRun;
use super::open::{self, Opener, Outcome};
use super::package::{self, Package};
use super::preprocess::View;
use super::provider::ProviderReport;
use super::sessions::{ProviderChoice, Sessions};
use super::tiles;
use super::{ClassInfo, Config, Detector, Error, ModelInfo, ModelOutput, Timings, runtime};
use crate::domain::picture::Picture;
use crate::domain::thoroughness::Thoroughness;

/// A loaded model and its sessions.
pub(super) struct OnnxDetector {
    info: ModelInfo,
    pub(super) manifest: Arc<Manifest>,
    pub(super) enabled: HashSet<String>,
    /// Which classes are reported, in the manifest's order.
    pub(super) reported: Vec<bool>,
    /// The classes with the thresholds that hold in a tile.
    pub(super) strict: Vec<Class>,
    usual: Thoroughness,
    pub(super) coarse_to_fine: bool,
    timeout: Duration,
    pub(super) sessions: Sessions<View, Outcome>,
}

/// Finds the configured model and the runtime, opens the sessions and warms them up. Fetches nothing.
///
/// # Errors
/// Everything of [`Error`] that says why it could not.
pub fn load(config: &Config) -> Result<Arc<dyn Detector>, Error> {
    load_package(&package::open(config)?, config)
}

/// As [`load`], with a model that was opened before.
///
/// # Errors
/// As [`load`].
pub fn load_package(package: &Package, config: &Config) -> Result<Arc<dyn Detector>, Error> {
    let enabled = enabled(package, config)?;
    let opener = Arc::new(opener(package, config)?);
    let started = Instant::now();
    let wanted = ProviderChoice {
        provider: config.provider,
        fallback: config.gpu.fallback,
        retry: Duration::from_secs(config.gpu.retry_s),
    };
    let opened_with = Arc::clone(&opener);
    let sessions = Sessions::start(wanted, Box::new(move |provider| opened_with.start(provider)))?;
    let info = info(package, config, &enabled, &opener.library, sessions.report());
    let took = started.elapsed().as_millis();
    tracing::info!(model = info.label(), sessions = info.sessions, ms = took, "model ready");
    let manifest = Arc::clone(&opener.manifest);
    Ok(Arc::new(OnnxDetector {
        reported: info.classes.iter().map(|class| class.reported).collect(),
        strict: manifest.classes.iter().map(|class| class.stricter(manifest.tiles().stricter)).collect(),
        info,
        manifest,
        enabled,
        usual: config.mode,
        coarse_to_fine: config.coarse_to_fine,
        timeout: Duration::from_millis(config.timeout_ms),
        sessions,
    }))
}

/// What opens sessions for `package`; the runtime library is loaded here.
pub(super) fn opener(package: &Package, config: &Config) -> Result<Opener, Error> {
    let loaded = runtime::load(&runtime::locate(config)?)?;
    Ok(Opener {
        environment: loaded.environment,
        library: loaded.library,
        graph: package.graph.clone(),
        sha256: package.sha256,
        origin: package.origin.clone(),
        manifest: Arc::new(package.manifest.clone()),
        config: config.clone(),
    })
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
    provider: ProviderReport,
) -> ModelInfo {
    let manifest = &package.manifest;
    let sessions = if provider.got.is_gpu() { config.gpu.sessions } else { open::sessions(config) };
    let classes = manifest.classes.iter().map(|class| ClassInfo {
        name: class.name.clone(),
        threshold: class.threshold,
        experimental: class.experimental,
        reported: class.is_reported(enabled),
    });
    ModelInfo {
        name: manifest.name.clone(),
        version: manifest.version.clone(),
        summary: manifest.summary.clone(),
        sha256: package.sha256,
        precision: package.precision,
        origin: package.origin.clone(),
        provider,
        runtime: format!("ONNX Runtime {} ({})", runtime::version(library), library.display()),
        sessions,
        classes: classes.collect(),
        licence: manifest.licence.clone(),
    }
}

impl OnnxDetector {
    pub(super) fn lost(&self, lost: Lost) -> Error {
        match lost {
            Lost::Late => Error::Timeout { after_ms: self.timeout.as_millis() as u64 },
            Lost::Gone => Error::Closed,
            Lost::Hung => Error::Hung,
        }
    }

    /// A session's own error; on a GPU it is a reason to fall back.
    pub(super) fn failed(&self, what: String) -> Error {
        if self.sessions.report().got.is_gpu() {
            self.sessions.failed(&what);
        }
        Error::Run { what }
    }
}

impl Detector for OnnxDetector {
    fn model(&self) -> &ModelInfo {
        &self.info
    }

    fn provider(&self) -> ProviderReport {
        self.sessions.report()
    }

    fn usual(&self) -> Thoroughness {
        self.usual
    }

    fn long_side(&self) -> u32 {
        self.manifest.input.long_side()
    }

    fn detect(&self, picture: &Picture, thoroughness: Thoroughness) -> Result<ModelOutput, Error> {
        let deadline = Instant::now() + self.timeout;
        let mut looking = ModelRun { detector: self, picture, deadline, timings: Timings::default() };
        let standard = thoroughness == Thoroughness::Standard;
        let coarse = self.manifest.coarse.filter(|_| self.coarse_to_fine && standard);
        let (mut seen, map) = looking.whole(coarse)?;
        if !standard {
            let tiles = looking.tiles(map.as_ref())?;
            let started = Instant::now();
            seen = tiles::together(seen, tiles, picture.photo());
            looking.timings.postprocess += started.elapsed();
        }
        Ok(looking.done(seen, map))
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::domain::geometry::{PixelBox, Size};
    use crate::inference::PrecisionChoice;
    use crate::inference::tests::runtime_is_there;

    fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tiny")
    }

    fn config() -> Config {
        Config { model: folder().display().to_string(), sessions: 2, ..Config::shipped() }
    }

    fn built_in() -> Arc<dyn Detector> {
        let package = package::built_in(PrecisionChoice::Recommended).expect("whole");
        load_package(&package, &Config { sessions: 1, ..Config::shipped() }).expect("loads")
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
        let looks: Vec<ModelOutput> = std::thread::scope(|scope| {
            let handles: Vec<_> =
                (0..4).map(|_| scope.spawn(|| detector.detect(&wall, Thoroughness::Standard))).collect();
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
        let detector = built_in();
        let look = detector.detect(&wall(), Thoroughness::Standard).expect("looked");
        assert_eq!(look.seen.class_scores.len(), detector.model().classes.len());
        assert!(detector.model().label().starts_with("finish-defects "), "{}", detector.model().label());
    }

    #[test]
    fn a_clean_photo_ends_early_unless_it_is_small() {
        if !runtime_is_there() {
            return;
        }
        let detector = built_in();
        let ended = |width: u32, height: u32| {
            let size = Size::new(width, height);
            let grey = vec![150; 3 * (width * height) as usize];
            let picture = Picture::new(size, Size::new(width, height), grey).expect("sized");
            detector.detect(&picture, Thoroughness::Standard).expect("looked").timings.ended_early
        };
        assert!(ended(1024, 768));
        assert!(!ended(640, 480));
    }

    #[test]
    fn experimental_classes_must_exist() {
        let config = Config { experimental_classes: vec!["moisture".into()], ..config() };
        let message = load(&config).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(message.contains("'moisture'") && message.contains("bright"), "{message}");
    }
}
