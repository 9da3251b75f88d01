//! The web surface: webhook receiver, review page, health and metrics.
mod assets;
pub mod choices;
mod review;
#[cfg(test)]
mod sample;
