//! What decoding and inference cost with nothing around them, in the same run as what they are held against.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::machine;
use super::statistics::median;
use super::subject::ms;
use crate::domain::thoroughness::Thoroughness;
use crate::inference::{self, Bare, Detector};
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
pub(super) fn measure(
    config: &inference::Config,
    limits: &Limits,
    photos: &[Vec<u8>],
    rounds: usize,
    whole: impl Fn() -> anyhow::Result<Option<f64>>,
) -> anyhow::Result<Option<Ceiling>> {
    let mut bare = Bare::open(config)?;
    let (mut decodes, mut inferences, mut wholes) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let (mut decode, mut infer) = (Duration::ZERO, Duration::ZERO);
        for bytes in photos {
            let Some(before) = machine::thread_cpu() else { return Ok(None) };
            let photo = photo::decode_near(bytes, limits, Some(bare.long_side()))?;
            let decoded = machine::thread_cpu().unwrap_or_default();
            let views = bare.views(&photo.picture);
            let prepared = machine::thread_cpu().unwrap_or_default();
            views.iter().try_for_each(|view| bare.run(view))?;
            decode += decoded.saturating_sub(before);
            infer += machine::thread_cpu().unwrap_or_default().saturating_sub(prepared);
        }
        decodes.push(ms(decode) / photos.len() as f64);
        inferences.push(ms(infer) / photos.len() as f64);
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
