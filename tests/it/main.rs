//! The one integration crate: a list of modules with a line each.

/// The rules of the house: layers, homes of dependencies, file lengths, licences.
mod tidy;
