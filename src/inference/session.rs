//! One ONNX Runtime session: the only place that feeds graphs.

use std::path::{Path, PathBuf};

use ort::environment::Environment;
use ort::ep;
use ort::logging::LogLevel;
use ort::session::Session as OrtSession;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::{Outlet, TensorElementType, TensorRef};

use super::decode_output::{Side, Tensor};
use super::manifest::Manifest;

/// A session on one thread, whose graph fits its manifest.
pub(super) struct Session {
    inner: OrtSession,
    input: String,
    outputs: Vec<String>,
    batches: bool,
}

/// Why a session could not be opened.
pub(super) enum Refused {
    /// The graph is wrong, or does not fit the manifest.
    Model(String),
    /// The execution provider could not be had.
    Provider(String),
}

/// Where and how sessions are opened.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// The processor, one thread.
    Cpu,
    /// A GPU through CUDA.
    Cuda {
        /// Its number.
        device: i32,
    },
    /// A GPU through TensorRT, which keeps the engines that it builds.
    Tensorrt {
        /// Its number.
        device: i32,
        /// Where engines of exactly this model, runtime, driver and device are kept.
        engines: PathBuf,
        /// The shapes of the input between which the engine must work.
        shapes: ShapeRange,
    },
}

/// Smallest, usual and largest `[batch, 3, height, width]` of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ShapeRange {
    pub(super) least: [u32; 4],
    pub(super) usual: [u32; 4],
    pub(super) most: [u32; 4],
}

/// TensorRT's spelling, e.g. `image:1x3x768x1024`.
fn profile(input: &str, shape: [u32; 4]) -> String {
    format!("{input}:{}", shape.map(|side| side.to_string()).join("x"))
}

impl Session {
    /// Opens `graph` at `place` with one thread and holds it against `manifest`.
    pub(super) fn open(
        environment: &Environment,
        graph: &[u8],
        manifest: &Manifest,
        place: &Place,
    ) -> Result<Self, Refused> {
        let mut builder = OrtSession::builder(environment)
            .and_then(|builder| {
                builder
                    .with_optimization_level(GraphOptimizationLevel::All)?
                    .with_intra_threads(1)?
                    .with_inter_threads(1)?
                    // Patterns keep a block of memory for every size of picture: 28 MB a session, and no faster.
                    .with_memory_pattern(false)?
                    .with_log_level(LogLevel::Warning)
                    .map_err(Into::into)
            })
            .map_err(|error| Refused::Model(error.to_string()))?;
        builder = builder
            .with_execution_providers([provider(place, &manifest.input.name)])
            .map_err(|error| Refused::Provider(error.to_string()))?;
        // With a GPU, memory and engine are taken here: what fails then is the device's fault, and a
        // wrong graph is found on the CPU too.
        let refused = |error: ort::Error| match place {
            Place::Cpu => Refused::Model(error.to_string()),
            _ => Refused::Provider(error.to_string()),
        };
        let inner = builder.commit_from_memory(graph).map_err(refused)?;
        let batches = fits(&inner, manifest).map_err(Refused::Model)?;
        let outputs = manifest.output.outputs(manifest.classes.len());
        let outputs = outputs.into_iter().map(|(name, _)| name.to_owned()).collect();
        Ok(Self { inner, input: manifest.input.name.clone(), outputs, batches })
    }

    /// Whether the graph takes more than one picture at once.
    pub(super) fn batches(&self) -> bool {
        self.batches
    }

    /// Runs the graph on `values`, `[count, 3, height, width]`; each picture's tensors,
    /// in the layout's order.
    pub(super) fn run(
        &mut self,
        values: &[f32],
        count: usize,
        height: u32,
        width: u32,
    ) -> Result<Vec<Vec<Tensor>>, String> {
        let shape = [count, 3, height as usize, width as usize];
        let tensor = TensorRef::from_array_view((shape, values)).map_err(|error| error.to_string())?;
        let outputs =
            self.inner.run(ort::inputs![self.input.as_str() => tensor]).map_err(|error| error.to_string())?;
        let mut pictures: Vec<Vec<Tensor>> = vec![Vec::new(); count];
        for name in &self.outputs {
            let output = outputs.get(name).ok_or_else(|| format!("there is no output {name}"))?;
            let (shape, values) = output.try_extract_tensor::<f32>().map_err(|error| error.to_string())?;
            let mut shape: Vec<usize> =
                shape.iter().map(|&side| usize::try_from(side).unwrap_or(0)).collect();
            if shape.first() != Some(&count) || !values.len().is_multiple_of(count.max(1)) {
                return Err(format!("output {name} has shape {shape:?} for {count} pictures"));
            }
            shape[0] = 1;
            let each = (values.len() / count.max(1)).max(1);
            for (picture, own) in pictures.iter_mut().zip(values.chunks(each)) {
                picture.push(Tensor { shape: shape.clone(), values: own.to_vec() });
            }
        }
        Ok(pictures)
    }
}

fn provider(place: &Place, input: &str) -> ep::ExecutionProviderDispatch {
    match place {
        Place::Cpu => ep::CPU::default().with_arena_allocator(true).build(),
        Place::Cuda { device } => ep::CUDA::default().with_device_id(*device).build(),
        Place::Tensorrt { device, engines, shapes } => {
            let engines = engines.display().to_string();
            ep::TensorRT::default()
                .with_device_id(*device)
                .with_fp16(true)
                .with_engine_cache(true)
                .with_engine_cache_path(&engines)
                .with_timing_cache(true)
                .with_timing_cache_path(engines)
                .with_profile_min_shapes(profile(input, shapes.least))
                .with_profile_opt_shapes(profile(input, shapes.usual))
                .with_profile_max_shapes(profile(input, shapes.most))
                .build()
        }
    }
    .error_on_failure()
}

/// Loads CUDA's and cuDNN's libraries from `folder`, so that the provider finds them there.
pub(super) fn preload_cuda(folder: &Path) -> Result<(), String> {
    ep::cuda::preload_dylibs(Some(folder), Some(folder)).map_err(|error| error.to_string())
}

/// Holds the graph's names, types and shapes against the manifest; whether its batch is free.
fn fits(session: &OrtSession, manifest: &Manifest) -> Result<bool, String> {
    let input = outlet("input", session.inputs(), &manifest.input.name)?;
    if session.inputs().len() != 1 {
        return Err(format!("the graph has {} inputs, not 1", session.inputs().len()));
    }
    let sides = match manifest.input.fixed() {
        None => [Side::Follows; 2],
        Some([width, height]) => [Side::Is(height as usize), Side::Is(width as usize)],
    };
    holds_floats("input", input, &[Side::Is(1), Side::Is(3), sides[0], sides[1]])?;
    let free = |outlet: &Outlet| {
        outlet.dtype().tensor_shape().and_then(|shape| shape.first().copied()).is_some_and(|side| side < 0)
    };
    let mut batches = free(input);
    for (name, sides) in manifest.output.outputs(manifest.classes.len()) {
        let output = outlet("output", session.outputs(), name)?;
        holds_floats("output", output, &sides)?;
        batches &= free(output);
    }
    Ok(batches)
}

fn outlet<'a>(kind: &str, outlets: &'a [Outlet], name: &str) -> Result<&'a Outlet, String> {
    outlets.iter().find(|outlet| outlet.name() == name).ok_or_else(|| {
        let names: Vec<&str> = outlets.iter().map(Outlet::name).collect();
        format!("the graph has no {kind} '{name}'; it has {}", names.join(", "))
    })
}

fn holds_floats(kind: &str, outlet: &Outlet, expected: &[Side]) -> Result<(), String> {
    let name = outlet.name();
    let (element, shape) = (outlet.dtype().tensor_type(), outlet.dtype().tensor_shape());
    if element != Some(TensorElementType::Float32) {
        return Err(format!("{kind} '{name}' is {}, not a float32 tensor", outlet.dtype()));
    }
    let shape: Vec<i64> = shape.map(|shape| shape.to_vec()).unwrap_or_default();
    if shape.len() != expected.len() {
        return Err(format!("{kind} '{name}' has {} axes, not {}", shape.len(), expected.len()));
    }
    let mut axes = shape.iter().zip(expected).enumerate();
    axes.try_for_each(|(axis, (&side, expected))| {
        holds_side(usize::try_from(side).ok(), *expected)
            .map_err(|what| format!("axis {axis} of {kind} '{name}' is {what}"))
    })
}

/// `side` is none where the graph leaves it free.
fn holds_side(side: Option<usize>, expected: Side) -> Result<(), String> {
    match (side, expected) {
        (Some(side), Side::Is(expected)) if side != expected => {
            Err(format!("{side}, not {expected}, as the manifest says"))
        }
        (Some(side), Side::Classes { classes, more }) if side != classes + more => {
            let of_graph = side.checked_sub(more).map_or_else(|| "no".to_owned(), |count| count.to_string());
            Err(format!(
                "{side}, not {}: the graph has {of_graph} classes, the manifest {classes}",
                classes + more
            ))
        }
        (Some(side), Side::Follows) => {
            Err(format!("fixed at {side}: export the graph with a free height and width"))
        }
        _ => Ok(()),
    }
}
