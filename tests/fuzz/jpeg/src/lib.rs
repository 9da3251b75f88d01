//! The JPEG decoders of Punchlens and what they need of it, compiled from its own sources.
#![allow(dead_code, unreachable_pub)]

mod domain {
    pub use crate::{geometry, picture};
}
#[path = "../../../../src/domain/geometry.rs"]
pub mod geometry;
pub mod photo;
#[path = "../../../../src/domain/picture.rs"]
pub mod picture;
