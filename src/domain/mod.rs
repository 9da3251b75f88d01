//! Pure values and decisions: no I/O, no clock, no randomness, no async.
//!
//! Time, new ids and random draws are arguments. Clippy's `disallowed` lists are denied here, and
//! `tests/it/tidy.rs` refuses imports that point up.
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
pub mod job;
pub mod keeping;
pub mod left_out;
pub mod likeness;
pub mod manager;
pub mod measure;
pub mod merge;
pub mod people;
pub mod picture;
pub mod place;
pub mod punch_item;
pub mod refusal;
pub mod retry;
pub mod review;
pub mod score;
pub mod site;
pub mod standing;
pub mod tagging;
pub mod thoroughness;
pub mod tries;
pub mod wording;
