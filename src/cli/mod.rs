//! The subcommands.

pub mod scan;
