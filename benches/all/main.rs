//! `cargo bench`: seeded inputs, one module a subject. Each bench also runs once with `cargo test --benches`.

mod decode;
mod dedupe;
mod inference;
mod preprocess;
mod queue;
mod store;

fn main() {
    divan::main();
}
