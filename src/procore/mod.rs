//! The Procore API client: one attempt per call, typed in and out.
//!
//! Retries live in the queue alone. The only exception is one re-authorisation after a 401. Every
//! answer is parsed leniently, because Procore adds fields, sends ids as numbers or text and leaves
//! almost anything null; what cannot be read is an error and never an empty result.

pub mod auth;
mod call;
pub mod client;
pub mod config;
pub mod download;
pub mod error;
mod fields;
mod guard;
pub mod hooks;
pub mod images;
mod lenient;
pub mod limiter;
pub mod lists;
mod outside_host;
mod paging;
mod problem;
pub mod project_data;
pub mod punch_items;
mod punch_links;
mod route;
pub mod sign_in;
#[cfg(test)]
mod stub;
pub mod webhook;
mod wire;

pub use client::Client;
pub use config::{Config, WebhookConfig};
pub use error::Error;
pub use paging::Pages;
pub use sign_in::SignIn;
