//! Boxes as they run on sites: the real binary in processes of its own, the shipped model, real databases.
#![expect(
    clippy::print_stdout,
    reason = "what was measured, and what was skipped, is told to whoever runs them"
)]

mod alone;
mod kills;
mod machine;
mod photos;
mod site;
mod soak;
