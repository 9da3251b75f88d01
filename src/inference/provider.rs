//! Where a model runs: what can be asked for, what was got, and the settings of a GPU.

use serde::{Deserialize, Serialize};

/// What runs the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// The processor.
    Cpu,
    /// An NVIDIA GPU through CUDA and cuDNN.
    Cuda,
    /// An NVIDIA GPU through TensorRT, which builds an engine for it first.
    Tensorrt,
}

impl Provider {
    /// The name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::Tensorrt => "tensorrt",
        }
    }

    /// Whether it is a GPU.
    pub const fn is_gpu(self) -> bool {
        !matches!(self, Self::Cpu)
    }
}

/// What was asked for, what runs, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProviderReport {
    /// As configured.
    pub asked: Provider,
    /// What the sessions were opened on.
    pub got: Provider,
    /// How that came about.
    pub why: String,
}

impl ProviderReport {
    /// `provider` was asked for and got.
    pub(super) fn as_asked(provider: Provider, fallback: Fallback) -> Self {
        let why = match fallback {
            Fallback::Cpu if provider.is_gpu() => {
                "as configured; the CPU takes over when it fails (inference.gpu.fallback)"
            }
            _ => "as configured; an unavailable provider is an error and is never replaced",
        };
        Self { asked: provider, got: provider, why: why.into() }
    }

    /// Whether something else runs than was asked for.
    pub fn fell_back(&self) -> bool {
        self.asked != self.got
    }
}

/// What happens when the GPU cannot be had, or fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fallback {
    /// An error: the service does not start, and photos wait.
    None,
    /// The CPU takes over, with an alarm, and the GPU is tried again later.
    Cpu,
}

/// Section `[inference.gpu]`, read by the providers `cuda` and `tensorrt` alone.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GpuConfig {
    /// Which GPU, counted from 0.
    pub device: u32,
    /// Sessions on it, each on a thread of its own.
    pub sessions: usize,
    /// Batches that are run, smallest first; a smaller one is filled up.
    pub batch_sizes: Vec<usize>,
    /// Longest wait of a picture for others like it, milliseconds.
    pub batch_delay_ms: u64,
    /// What happens when it cannot be had, or fails.
    pub fallback: Fallback,
    /// After how long it is tried again while the CPU stands in, seconds.
    pub retry_s: u64,
    /// Where TensorRT keeps engines. Empty: the cache folder.
    pub engine_cache: String,
}

impl GpuConfig {
    /// Whether the batch sizes make sense.
    pub(super) fn check(&self) -> Result<(), String> {
        let rising = self.batch_sizes.windows(2).all(|pair| pair[0] < pair[1]);
        let sound = rising && self.batch_sizes.first().is_some_and(|&size| size >= 1);
        if sound && self.batch_sizes.iter().all(|&size| size <= MAX_BATCH) {
            Ok(())
        } else {
            Err(format!("inference.gpu.batch_sizes must rise from 1 or more to {MAX_BATCH} at most"))
        }
    }
}

/// Largest batch: bounds the tensors.
const MAX_BATCH: usize = 64;

/// The smallest of `sizes` that holds `count` pictures; the largest where none does.
pub(super) fn bucket(sizes: &[usize], count: usize) -> usize {
    sizes.iter().copied().find(|&size| size >= count).or(sizes.last().copied()).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::Config;

    #[test]
    fn a_batch_goes_into_the_smallest_bucket_that_holds_it() {
        let sizes = [1, 2, 4, 8];
        let buckets: Vec<usize> = (1..=8).map(|count| bucket(&sizes, count)).collect();
        assert_eq!(buckets, [1, 2, 4, 4, 8, 8, 8, 8]);
        assert_eq!((bucket(&[4], 1), bucket(&[], 3)), (4, 1));
    }

    #[test]
    fn batch_sizes_must_rise() {
        let shipped = Config::shipped().gpu;
        assert_eq!(shipped.check(), Ok(()));
        for sizes in [vec![], vec![0, 1], vec![2, 2], vec![4, 1], vec![1, 128]] {
            let refused = GpuConfig { batch_sizes: sizes.clone(), ..shipped.clone() }.check();
            assert!(refused.is_err_and(|what| what.contains("batch_sizes")), "{sizes:?}");
        }
    }

    #[test]
    fn a_report_tells_what_takes_over() {
        let alone = ProviderReport::as_asked(Provider::Cuda, Fallback::None);
        let backed = ProviderReport::as_asked(Provider::Cuda, Fallback::Cpu);
        assert!(alone.why.contains("never replaced") && backed.why.contains("CPU takes over"));
        assert!(!alone.fell_back() && ProviderReport { got: Provider::Cpu, ..alone }.fell_back());
    }
}
