//! A model held against labelled pictures, through the very pipeline that serves.
//!
//! [`labels`] reads what is known, [`Evaluator`] looks at the pictures (the service's own decoder,
//! detector and merging), [`report`] counts with the measures of [`crate::domain::measure`], and
//! [`page`] shows it to people.

pub mod labels;
mod look;
mod masks;
pub mod page;
mod picks;
pub mod report;

pub use self::look::{Evaluator, Looked};
pub use self::picks::{Pick, Picks, pick};
