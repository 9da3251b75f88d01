//! Bytes to upright pixels and capture information.
