//! The one integration crate: a list of modules with a line each.

/// The acknowledgement of webhooks under load, measured.
mod ack;
/// Boxes as processes of their own: killed, frozen, woken, soaked.
mod boxes;
/// The review page in a real Chromium.
mod browser;
/// Disks that are full, or read-only.
mod disk;
/// `doctor` with each thing broken in turn.
mod doctor;
/// Writes whose answer never came, and what Procore makes of what it was sent.
mod doubt;
/// A model held against labelled pictures.
mod eval;
/// Evidence packs that prove themselves.
mod evidence;
/// The fuzz targets' corpora replayed.
mod fuzz;
/// The API, asked at random from its own document.
mod fuzzed_api;
/// Accepted items in Procore: who manages them, how they stand.
mod handing_on;
/// HEIC held against libheif, and the memory that photos take.
mod heic;
/// Webhooks in Procore: made, rotated while they deliver, heard of trades.
mod hooks;
/// Photos that mean harm.
mod hostile;
/// The product, told as journeys.
mod journeys;
/// Procore's lists: few calls, every way of paging, one reader.
mod lists;
/// Review with 10,000 findings while photos are looked at.
mod load;
/// Time, position, turn and texts of files as phones and programs write them.
mod metadata;
/// The uplink as sites have it.
mod network;
/// Place, trade and priority on a building, and one card for one defect.
mod once;
/// The first create that goes wrong is the only one.
mod one_alone;
/// What passes is never final: hidden photos, pages of the network, refused lists, clocks set back.
mod passing;
/// The shipped model through the real runtime and the real binary.
mod real_model;
/// Signing in with Procore.
mod sign_in;
/// The start: serving first, ids of boxes, what is printed.
mod start;
/// The service under test, and a detector that says what it is told to.
mod support;
/// The rules of the house: layers, homes of dependencies, file lengths, licences.
mod tidy;
/// What webhooks do not tell: sweeps, polling, healing, roll calls, stopped projects.
mod watching;
