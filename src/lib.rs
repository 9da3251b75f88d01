//! Punchlens: from a photo in Procore to a draft punch item that a superintendent decides about.

pub mod app;
pub mod cli;
pub mod config;
pub mod domain;
pub mod fixtures;
pub mod http;
pub mod inference;
pub mod photo;
pub mod pipeline;
pub mod procore;
pub mod simulator;
pub mod store;
pub mod telemetry;
