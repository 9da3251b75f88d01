#[path = "../../../../src/photo/codec/jpeg/mod.rs"]
pub mod jpeg;

/// As in Punchlens.
pub struct Raster {
    pub width: u32,
    pub height: u32,
    pub rgb: Vec<u8>,
}
