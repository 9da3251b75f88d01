//! One ONNX Runtime session: the only place that feeds graphs.

use ort::environment::Environment;
use ort::ep;
use ort::logging::LogLevel;
use ort::session::Session as OrtSession;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::{Outlet, TensorElementType, TensorRef};

use super::Provider;
use super::decode_output::Tensor;
use super::manifest::Manifest;

/// A session on one thread, whose graph fits its manifest.
pub(super) struct Session {
    inner: OrtSession,
    input: String,
    output: String,
}

/// Why a session could not be opened.
pub(super) enum Refused {
    /// The graph is wrong, or does not fit the manifest.
    Model(String),
    /// The execution provider could not be had.
    Provider(String),
}

impl Session {
    /// Opens `graph` on `provider` with one thread and holds it against `manifest`.
    pub(super) fn open(
        environment: &Environment,
        graph: &[u8],
        manifest: &Manifest,
        provider: Provider,
    ) -> Result<Self, Refused> {
        let mut builder = OrtSession::builder(environment)
            .and_then(|builder| {
                builder
                    .with_optimization_level(GraphOptimizationLevel::All)?
                    .with_intra_threads(1)?
                    .with_inter_threads(1)?
                    .with_log_level(LogLevel::Warning)
                    .map_err(Into::into)
            })
            .map_err(|error| Refused::Model(error.to_string()))?;
        let provider = match provider {
            Provider::Cpu => ep::CPU::default().with_arena_allocator(true).build().error_on_failure(),
        };
        builder = builder
            .with_execution_providers([provider])
            .map_err(|error| Refused::Provider(error.to_string()))?;
        let inner = builder.commit_from_memory(graph).map_err(|error| Refused::Model(error.to_string()))?;
        fits(&inner, manifest).map_err(Refused::Model)?;
        let output = manifest.output.output_name().to_owned();
        Ok(Self { inner, input: manifest.input.name.clone(), output })
    }

    /// Runs the graph on `values`, `[1, 3, height, width]`.
    pub(super) fn run(&mut self, values: &[f32], height: u32, width: u32) -> Result<Tensor, String> {
        let shape = [1, 3, height as usize, width as usize];
        let tensor = TensorRef::from_array_view((shape, values)).map_err(|error| error.to_string())?;
        let outputs =
            self.inner.run(ort::inputs![self.input.as_str() => tensor]).map_err(|error| error.to_string())?;
        let output =
            outputs.get(&self.output).ok_or_else(|| format!("there is no output {}", self.output))?;
        let (shape, values) = output.try_extract_tensor::<f32>().map_err(|error| error.to_string())?;
        let shape = shape.iter().map(|&side| usize::try_from(side).unwrap_or(0)).collect();
        Ok(Tensor { shape, values: values.to_vec() })
    }
}

/// Holds the graph's names, types and shapes against the manifest.
fn fits(session: &OrtSession, manifest: &Manifest) -> Result<(), String> {
    let input = outlet("input", session.inputs(), &manifest.input.name)?;
    if session.inputs().len() != 1 {
        return Err(format!("the graph has {} inputs, not 1", session.inputs().len()));
    }
    holds_floats("input", input, &[Some(1), Some(3), None, None])?;
    let output = outlet("output", session.outputs(), manifest.output.output_name())?;
    holds_floats("output", output, &manifest.output.expected_shape(manifest.classes.len()))
}

fn outlet<'a>(kind: &str, outlets: &'a [Outlet], name: &str) -> Result<&'a Outlet, String> {
    outlets.iter().find(|outlet| outlet.name() == name).ok_or_else(|| {
        let names: Vec<&str> = outlets.iter().map(Outlet::name).collect();
        format!("the graph has no {kind} '{name}'; it has {}", names.join(", "))
    })
}

/// `expected` has none for sides that must follow the picture: a graph with a fixed size is refused.
fn holds_floats(kind: &str, outlet: &Outlet, expected: &[Option<usize>]) -> Result<(), String> {
    let name = outlet.name();
    let (element, shape) = (outlet.dtype().tensor_type(), outlet.dtype().tensor_shape());
    if element != Some(TensorElementType::Float32) {
        return Err(format!("{kind} '{name}' is {}, not a float32 tensor", outlet.dtype()));
    }
    let shape: Vec<i64> = shape.map(|shape| shape.to_vec()).unwrap_or_default();
    if shape.len() != expected.len() {
        return Err(format!("{kind} '{name}' has {} axes, not {}", shape.len(), expected.len()));
    }
    for (axis, (&side, expected)) in shape.iter().zip(expected).enumerate() {
        let free = side < 0;
        match expected {
            Some(expected) if !free && usize::try_from(side) != Ok(*expected) => {
                return Err(format!(
                    "axis {axis} of {kind} '{name}' is {side}, not {expected}, as the manifest says"
                ));
            }
            None if !free => {
                return Err(format!(
                    "axis {axis} of {kind} '{name}' is fixed at {side}: export the graph with a free height and width"
                ));
            }
            _ => {}
        }
    }
    Ok(())
}
