//! The model with nothing around it, and what is around it without a model: to measure what each costs.

use std::time::{Duration, Instant};

use super::batcher::{Alike, Batcher, Rules};
use super::open::Opener;
use super::preprocess::{self, View};
use super::session::Session;
use super::{Config, Error, detector, package};
use crate::domain::picture::Picture;

/// One session on the CPU, run on the caller's thread.
pub struct SingleSession {
    session: Session,
    opener: Opener,
}

impl SingleSession {
    /// Opens the configured model; the runtime must be there.
    ///
    /// # Errors
    /// As [`super::load`].
    pub fn open(config: &Config) -> Result<Self, Error> {
        let opener = detector::opener(&package::open(config)?, config)?;
        let session = opener.alone()?;
        Ok(Self { session, opener })
    }

    /// The longer side, in pixels, of the picture that a standard look wants.
    pub fn long_side(&self) -> u32 {
        self.opener.manifest.input.long_side()
    }

    /// The tensors of a standard look at `picture` without coarse to fine.
    pub fn views(&self, picture: &Picture) -> Vec<View> {
        preprocess::views(picture, &self.opener.manifest.input)
    }

    /// Runs the model on `view` and forgets what comes out.
    ///
    /// # Errors
    /// When the session fails.
    pub fn run(&mut self, view: &View) -> Result<(), Error> {
        let outputs = self.session.run(&view.tensor, 1, view.padded_height, view.padded_width);
        outputs.map(drop).map_err(|what| Error::Run { what })
    }
}

/// The queue in front of workers that give back what they are given.
pub struct Echo(Batcher<EchoItem, u64>);

struct EchoItem(u64);

impl Alike for EchoItem {
    fn alike(&self, _: &Self) -> bool {
        true
    }
}

/// Longer than any question waits.
const LONG: Duration = Duration::from_mins(1);

impl Echo {
    /// Starts `workers` of them, that take up to `batch` questions at once.
    ///
    /// # Panics
    /// When the system has no more threads.
    pub fn start(workers: usize, batch: usize) -> Self {
        let rules = Rules { workers, depth: 16, batch, delay: Duration::ZERO, hang: LONG };
        let open = || {
            Ok::<_, std::io::Error>(|words: Vec<EchoItem>| {
                words.into_iter().map(|EchoItem(word)| word).collect()
            })
        };
        Self(Batcher::start("echo", rules, open).expect("threads"))
    }

    /// Asks and waits for the answer.
    ///
    /// # Panics
    /// When a worker panicked.
    pub fn ask(&self, word: u64) -> u64 {
        let deadline = Instant::now() + LONG;
        let ticket = self.0.ask(EchoItem(word), deadline);
        ticket.and_then(|ticket| ticket.wait(deadline)).map(|answer| answer.value).expect("an answer")
    }
}
