//! What decoding and inference cost with nothing around them, in the same run as what they are held against.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::machine;
use super::statistics::median;
use super::subject::ms;
use crate::domain::thoroughness::Thoroughness;
use crate::inference::{self, Detector, SingleSession};
use crate::photo::{self, Limits};

/// The combined ceiling: decoding and inference share the cores, so their CPU times add up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Ceiling {
    /// CPU milliseconds of the decoder alone, a photo.
    pub decode_ms: f64,
    /// CPU milliseconds in one session alone, a photo, all views.
    pub infer_ms: f64,
    /// Photos a second of one core that does nothing else.
    pub photos_per_core_s: f64,
    /// CPU time that the whole way takes without coarse to fine, a photo.
    pub whole_ms: f64,
    /// How much of the ceiling the whole way reaches.
    pub share: f64,
}

/// Measures `rounds` times: every photo decoded and inferred bare, then by `whole`, which gives its CPU time a photo.
///
/// The bare work is done on as many threads as there are sessions, since cores that are all busy share caches and
/// memory: held against one busy core, any whole way would look worse than it is.
pub(super) fn measure(
    config: &inference::Config,
    limits: &Limits,
    photos: &[Vec<u8>],
    rounds: usize,
    (sessions, whole): (usize, impl Fn() -> anyhow::Result<Option<f64>>),
) -> anyhow::Result<Option<Ceiling>> {
    let mut sessions = (0..sessions).map(|_| SingleSession::open(config)).collect::<Result<Vec<_>, _>>()?;
    let (mut decodes, mut inferences, mut wholes) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let Some((decode, infer)) = bare_round(&mut sessions, limits, photos)? else { return Ok(None) };
        decodes.push(decode);
        inferences.push(infer);
        let Some(whole) = whole()? else { return Ok(None) };
        wholes.push(whole);
    }
    let (decode_ms, infer_ms, whole_ms) = (median(decodes), median(inferences), median(wholes));
    let bare = decode_ms + infer_ms;
    Ok(Some(Ceiling {
        decode_ms,
        infer_ms,
        photos_per_core_s: 1000.0 / bare,
        whole_ms,
        share: bare / whole_ms,
    }))
}

/// CPU milliseconds of decoding and of inference a photo, all `sessions` at once over all photos.
fn bare_round(
    sessions: &mut [SingleSession],
    limits: &Limits,
    photos: &[Vec<u8>],
) -> anyhow::Result<Option<(f64, f64)>> {
    let looks = (sessions.len() * photos.len()) as f64;
    let spent = std::thread::scope(|scope| {
        let work = |(number, bare)| scope.spawn(move || bare_looks(bare, number, limits, photos));
        let threads: Vec<_> = sessions.iter_mut().enumerate().map(work).collect();
        let ended = threads.into_iter().map(|thread| {
            thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a thread of bare work panicked")))
        });
        ended.collect::<anyhow::Result<Option<Vec<_>>>>()
    })?;
    let sum = |spent: &[(Duration, Duration)], part: fn(&(Duration, Duration)) -> Duration| {
        spent.iter().map(|both| ms(part(both))).sum::<f64>() / looks
    };
    Ok(spent.map(|spent| (sum(&spent, |both| both.0), sum(&spent, |both| both.1))))
}

/// CPU time of decoding and of inference over all photos, from the one with `number` on.
fn bare_looks(
    bare: &mut SingleSession,
    number: usize,
    limits: &Limits,
    photos: &[Vec<u8>],
) -> anyhow::Result<Option<(Duration, Duration)>> {
    let (mut decode, mut infer) = (Duration::ZERO, Duration::ZERO);
    for bytes in photos.iter().cycle().skip(number).take(photos.len()) {
        let Some(before) = machine::thread_cpu() else { return Ok(None) };
        let photo = photo::decode_near(bytes, limits, Some(bare.long_side()))?;
        let decoded = machine::thread_cpu().unwrap_or_default();
        let views = bare.views(&photo.picture);
        let prepared = machine::thread_cpu().unwrap_or_default();
        views.iter().try_for_each(|view| bare.run(view))?;
        decode += decoded.saturating_sub(before);
        infer += machine::thread_cpu().unwrap_or_default().saturating_sub(prepared);
    }
    Ok(Some((decode, infer)))
}

/// The detector for the whole way: a standard look without coarse to fine, so that the work is the same.
///
/// # Errors
/// As [`inference::load`].
pub(super) fn detector(config: &inference::Config) -> Result<std::sync::Arc<dyn Detector>, inference::Error> {
    inference::load(&inference::Config {
        coarse_to_fine: false,
        mode: Thoroughness::Standard,
        ..config.clone()
    })
}
