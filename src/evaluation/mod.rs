//! A model held against labelled pictures, through the decoder, detector and merging of the service.
//!
//! [`labels`] reads what is known, [`Evaluator`] looks at the pictures, [`report`] counts with the measures of [`crate::domain::measure`], and
//! [`page`] shows it to people.

pub mod labels;
mod look;
mod masks;
pub mod page;
pub mod report;
mod worst_pictures;

pub use self::look::{Evaluator, PictureResult};
pub use self::worst_pictures::{Pick, Picks, pick};
