//! The photos that are looked at: the integrator's own, or five painted ones, four of them clean.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use crate::domain::geometry::Size;
use crate::fixtures::{Class, Kind, Substance, View, encode, paint, plan};
use crate::photo::{self, Limits};

/// Usual phone photos: 12 megapixels.
const SIZE: (u32, u32) = (4032, 3024);
/// What phones choose.
const QUALITY: u8 = 90;

/// The bytes of every photo below `paths`, or of the painted ones where there are none.
pub(super) fn load(paths: &[PathBuf], limits: &Limits) -> anyhow::Result<Vec<Vec<u8>>> {
    if paths.is_empty() {
        return (0..5).map(painted).collect();
    }
    let files: Vec<PathBuf> = paths.iter().flat_map(|path| below(path)).collect();
    let photos: Vec<Vec<u8>> = files
        .iter()
        .filter_map(|file| std::fs::read(file).ok())
        .filter(|bytes| photo::read_header(bytes, limits).is_ok())
        .collect();
    ensure!(!photos.is_empty(), "there is no photo that can be read below {}", named(paths));
    Ok(photos)
}

fn below(path: &Path) -> Vec<PathBuf> {
    let entries = walkdir::WalkDir::new(path).sort_by_file_name().into_iter().filter_map(Result::ok);
    entries.filter(|entry| entry.file_type().is_file()).map(walkdir::DirEntry::into_path).collect()
}

fn named(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// Photo `number` of the mix: the first has a crack, the others show walls with harmless things.
fn painted(number: u64) -> anyhow::Result<Vec<u8>> {
    let substances =
        [Substance::Plaster, Substance::Drywall, Substance::Plaster, Substance::Tile, Substance::Concrete];
    let classes = if number == 0 { vec![Class::Crack] } else { Vec::new() };
    let substance = substances[number as usize % substances.len()];
    let scene = plan(number + 1, &Kind { view: View::Part, substance, classes, decoys: number % 2 == 1 });
    let painted = paint(&scene, Size::new(SIZE.0, SIZE.1));
    encode::jpeg(&painted.rgb, SIZE.0, SIZE.1, QUALITY).context("a photo could not be painted")
}
