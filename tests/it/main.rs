//! The one integration crate: a list of modules with a line each.

/// A model held against labelled pictures.
mod eval;
/// The product, told as journeys.
mod journeys;
/// The shipped model through the real runtime and the real binary.
mod real_model;
/// Signing in with Procore.
mod sign_in;
/// The service under test, and a detector that says what it is told to.
mod support;
/// The rules of the house: layers, homes of dependencies, file lengths, licences.
mod tidy;
