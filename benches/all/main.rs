//! `cargo bench`: seeded inputs, one module a stage.

mod dedupe;

fn main() {
    divan::main();
}
