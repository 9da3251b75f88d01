//! `cargo bench`: seeded inputs, one module a stage.

mod decode;
mod inference;
mod preprocess;

fn main() {
    divan::main();
}
