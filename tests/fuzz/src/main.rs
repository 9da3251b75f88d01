//! The targets of `punchlens::fuzzing` under libFuzzer; `PUNCHLENS_FUZZ_TARGET` names the one that runs.
#![no_main]

use std::sync::LazyLock;

use punchlens::fuzzing::{TARGETS, Target};

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    // Codecs of others may panic: the service contains that, so it is no finding. What a target itself asserts
    // still ends the run, as it unwinds into libFuzzer.
    drop(std::panic::take_hook());
    let name = std::env::var("PUNCHLENS_FUZZ_TARGET").unwrap_or_default();
    *TARGETS.iter().find(|target| target.name == name).unwrap_or_else(|| {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        eprintln!("set PUNCHLENS_FUZZ_TARGET to one of {}", names.join(", "));
        std::process::exit(2)
    })
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| (TARGET.run)(data));
