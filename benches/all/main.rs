//! All benchmarks: `cargo bench`, or `cargo bench -- decode` for those of one stage.
#![expect(clippy::print_stderr, reason = "a benchmark talks to whoever runs it")]

mod decode;
mod inference;
mod preprocess;

fn main() {
    divan::main();
}
