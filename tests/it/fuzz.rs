//! The fuzz targets' corpora replayed, and every input of them bent in many small ways.

use std::path::{Path, PathBuf};

use punchlens::fuzzing::{TARGETS, Target};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Bent copies of each input.
const BENT: u32 = 24;

fn corpus(target: &Target) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/fuzz").join(target.name);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("readable").path())
        .collect();
    files.sort();
    files.into_iter().map(|file| (file.clone(), std::fs::read(file).expect("readable"))).collect()
}

/// One small change: a byte, a length, a copy of a part.
fn bend(bytes: &mut Vec<u8>, rng: &mut ChaCha8Rng) {
    if bytes.is_empty() {
        return bytes.push(rng.random());
    }
    let at = rng.random_range(0..bytes.len());
    match rng.random_range(0..6) {
        0 => bytes[at] = rng.random(),
        1 => bytes[at] ^= 1 << rng.random_range(0..8),
        2 => bytes.truncate(at),
        3 => bytes.insert(at, [0, 0x7F, 0x80, 0xFF][rng.random_range(0..4)]),
        4 => drop(bytes.remove(at)),
        _ => {
            let end = rng.random_range(at..bytes.len().min(at + 64));
            let part = bytes[at..end].to_vec();
            bytes.extend(part);
        }
    }
}

#[test]
fn every_corpus_holds_bent_or_not() {
    for target in TARGETS {
        let files = corpus(&target);
        assert!(files.len() >= 3, "{} has {} inputs", target.name, files.len());
        let mut runs = 0;
        for (file, bytes) in &files {
            // Seen when a run ends in a panic: which input it was.
            println!("{} {}", target.name, file.display());
            (target.run)(bytes);
            let mut rng = ChaCha8Rng::seed_from_u64(bytes.len() as u64);
            let mut bent = bytes.clone();
            for _ in 0..BENT {
                bend(&mut bent, &mut rng);
                (target.run)(&bent);
                runs += 1;
            }
        }
        println!("{}: {} inputs, {runs} bent ones", target.name, files.len());
    }
}
