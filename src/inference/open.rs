//! Sessions for one model on any provider: opened, checked and warmed up.

use std::borrow::Cow;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::batcher::{Batcher, Rules};
use super::decode_output::Tensor;
use super::gpu::{self, Device};
use super::install;
use super::manifest::Manifest;
use super::preprocess::{self, View};
use super::provider::{Provider, bucket};
use super::runtime::{self, Environment};
use super::session::{self, Place, Refused, Session, ShapeRange};
use super::{Config, Error};
use crate::domain::geometry::Size;
use crate::domain::ids::Sha256Digest;
use crate::domain::picture::Picture;

/// What a session thread answers: its outputs and its share of the time in the session, or why there
/// is none.
pub(super) type Outcome = Result<(View, Vec<Tensor>, Duration), String>;

/// Everything that it takes to open sessions.
pub(super) struct Opener {
    pub(super) environment: Environment,
    pub(super) library: PathBuf,
    pub(super) graph: Cow<'static, [u8]>,
    pub(super) sha256: Sha256Digest,
    pub(super) origin: String,
    pub(super) manifest: Arc<Manifest>,
    pub(super) config: Config,
}

/// Why a session thread did not come up.
struct Opening(Error);

impl From<std::io::Error> for Opening {
    fn from(error: std::io::Error) -> Self {
        Self(Error::Run { what: format!("no thread for a session: {error}") })
    }
}

impl std::fmt::Display for Opening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Opener {
    /// Sessions on `provider`, ready to answer.
    ///
    /// # Errors
    /// [`Error::Provider`] where the device is at fault, [`Error::Model`] where the model is.
    pub(super) fn start(self: &Arc<Self>, provider: Provider) -> Result<Batcher<View, Outcome>, Error> {
        let place = self.place(provider)?;
        let sizes = if provider.is_gpu() { self.config.gpu.batch_sizes.clone() } else { vec![1] };
        let opener = Arc::clone(self);
        let open = move || {
            let mut session = opener.open(provider, &place).map_err(Opening)?;
            if sizes.len() > 1 && !session.batches() {
                let what = "the graph takes one picture at once: export it with a free batch axis, or set inference.gpu.batch_sizes = [1]";
                return Err(Opening(opener.model_error(what.into())));
            }
            opener.warm_up(&mut session, &sizes).map_err(|what| Opening(opener.model_error(what)))?;
            let sizes = sizes.clone();
            Ok(move |views| answer(&mut session, views, &sizes))
        };
        Batcher::start("session", self.rules(provider), open).map_err(|Opening(error)| error)
    }

    /// One session on the CPU, for whoever runs views by hand.
    pub(super) fn alone(&self) -> Result<Session, Error> {
        let mut session = self.open(Provider::Cpu, &Place::Cpu)?;
        self.warm_up(&mut session, &[1]).map_err(|what| self.model_error(what))?;
        Ok(session)
    }

    fn rules(&self, provider: Provider) -> Rules {
        let Config { queue_depth, hang_timeout_ms, gpu, .. } = &self.config;
        let (depth, hang) = (*queue_depth, Duration::from_millis(*hang_timeout_ms));
        if provider.is_gpu() {
            let batch = gpu.batch_sizes.last().copied().unwrap_or(1);
            let delay = Duration::from_millis(gpu.batch_delay_ms);
            Rules { workers: gpu.sessions.max(1), depth, batch, delay, hang }
        } else {
            Rules { workers: sessions(&self.config), depth, batch: 1, delay: Duration::ZERO, hang }
        }
    }

    fn place(&self, provider: Provider) -> Result<Place, Error> {
        if !provider.is_gpu() {
            return Ok(Place::Cpu);
        }
        let refused = |why: String| Error::Provider { asked: provider, why };
        self.config.gpu.check().map_err(refused)?;
        let number = self.config.gpu.device;
        let device = Device::find(provider, number)?;
        let folder = self.library.parent().filter(|folder| folder.join(install::CUDA_MARK).is_file());
        folder.map_or(Ok(()), |folder| session::preload_cuda(folder).map_err(refused))?;
        let number = i32::try_from(number).map_err(|error| refused(error.to_string()))?;
        match provider {
            Provider::Tensorrt => {
                let engines = self.engines(&device)?;
                let unwritable = |error| refused(format!("cannot make {}: {error}", engines.display()));
                std::fs::create_dir_all(&engines).map_err(unwritable)?;
                Ok(Place::Tensorrt { device: number, engines, shapes: self.shapes() })
            }
            _ => Ok(Place::Cuda { device: number }),
        }
    }

    fn engines(&self, device: &Device) -> Result<PathBuf, Error> {
        let cache = match self.config.gpu.engine_cache.as_str() {
            "" => install::cache_folder()?.join("engines"),
            named => Path::new(named).to_owned(),
        };
        Ok(gpu::engine_folder(&cache, &self.sha256, &runtime::version(&self.library), device))
    }

    /// The shapes between which an engine must work: the smallest view alone, and the largest in the
    /// largest batch.
    fn shapes(&self) -> ShapeRange {
        let input = &self.manifest.input;
        let batch = self.config.gpu.batch_sizes.last().copied().unwrap_or(1) as u32;
        if let Some([width, height]) = input.fixed() {
            let most = [batch, 3, height, width];
            return ShapeRange { least: [1, 3, height, width], usual: most, most };
        }
        let longest = input.long_side().next_multiple_of(input.multiple);
        let least = 32_u32.next_multiple_of(input.multiple);
        let usual = (longest * 3 / 4).next_multiple_of(input.multiple);
        ShapeRange {
            least: [1, 3, least, least],
            usual: [batch, 3, usual, longest],
            most: [batch, 3, longest, longest],
        }
    }

    fn open(&self, provider: Provider, place: &Place) -> Result<Session, Error> {
        Session::open(&self.environment, &self.graph, &self.manifest, place).map_err(
            |refused| match refused {
                Refused::Model(what) => self.model_error(what),
                Refused::Provider(why) => Error::Provider { asked: provider, why },
            },
        )
    }

    fn model_error(&self, what: String) -> Error {
        Error::Model { origin: self.origin.clone(), what }
    }

    /// Runs every batch size once at the usual sizes, so that the first photo meets a session with its
    /// memory in place, and an output of the wrong shape is found now.
    fn warm_up(&self, session: &mut Session, sizes: &[usize]) -> Result<(), String> {
        let manifest = &self.manifest;
        let long_side = manifest.input.long_side();
        let short_side = long_side * 3 / 4;
        let upright = (sizes.len() > 1).then_some((short_side, long_side));
        for (width, height) in [(long_side, short_side)].into_iter().chain(upright) {
            let rgb = vec![128; width as usize * height as usize * 3];
            let grey = Picture::new(Size::new(width, height), Size::new(width, height), rgb)
                .map_err(|error| error.to_string())?;
            for view in preprocess::views(&grey, &manifest.input) {
                for &size in sizes {
                    let outputs = run(session, std::slice::from_ref(&view), size)?;
                    let first = outputs.into_iter().next().ok_or("there is no output")?;
                    let output = [(view.clone(), first)];
                    manifest.output.decode(&output, &manifest.classes, &HashSet::new(), grey.photo())?;
                }
            }
        }
        Ok(())
    }
}

/// How many sessions the CPU gets.
pub(super) fn sessions(config: &Config) -> usize {
    match config.sessions {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        count => count,
    }
}

/// Runs `views`, which are alike, in a batch of `size`; what is missing is filled with black.
fn run(session: &mut Session, views: &[View], size: usize) -> Result<Vec<Vec<Tensor>>, String> {
    let Some(first) = views.first() else { return Ok(Vec::new()) };
    let (height, width) = (first.padded_height, first.padded_width);
    if views.len() == 1 && size == 1 {
        return session.run(&first.tensor, 1, height, width);
    }
    let each = 3 * first.pixels();
    let mut values = Vec::with_capacity(size * each);
    for view in views {
        values.extend_from_slice(&view.tensor);
    }
    values.resize(size * each, 0.0);
    let mut outputs = session.run(&values, size, height, width)?;
    outputs.truncate(views.len());
    Ok(outputs)
}

fn answer(session: &mut Session, views: Vec<View>, sizes: &[usize]) -> Vec<Outcome> {
    let started = Instant::now();
    match run(session, &views, bucket(sizes, views.len())) {
        Ok(outputs) => {
            let each = started.elapsed() / u32::try_from(views.len()).unwrap_or(u32::MAX).max(1);
            let freed = views.into_iter().map(|view| View { tensor: Vec::new(), ..view });
            freed.zip(outputs).map(|(view, output)| Ok((view, output, each))).collect()
        }
        Err(what) => views.iter().map(|_| Err(what.clone())).collect(),
    }
}
