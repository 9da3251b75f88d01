//! Pure values and decisions: no I/O, no clock, no randomness, no async.
//!
//! Time, new ids and random draws are arguments. Clippy's `disallowed` lists are denied here, and
//! `tests/it/tidy.rs` refuses imports that point up.
#![warn(missing_docs)]
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod capture;
pub mod card;
pub mod dedupe;
pub mod delivery;
pub mod detection;
pub mod event;
pub mod evidence;
pub mod fields;
pub mod finding;
pub mod gate;
pub mod geometry;
pub mod ids;
pub mod image_hash;
pub mod item_status;
pub mod job;
pub mod keep_rate;
pub mod manager;
pub mod measure;
pub mod merge;
pub mod omitted_field;
pub mod people;
pub mod photo_retries;
pub mod picture;
pub mod place;
pub mod punch_item;
pub mod refusal;
pub mod retry;
pub mod review;
pub mod score;
pub mod site;
pub mod tagging;
pub mod thoroughness;
pub mod wording;
