//! `punchlens fixtures`: paints field photos with known defects.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};

use crate::domain::geometry::{Size, Upright};
use crate::fixtures::labelled::{self, Order};
use crate::fixtures::{catalogue, truth};

/// Arguments of `fixtures`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder to write into; made if it is not there.
    #[arg(long, value_name = "DIR", default_value = "fixtures/photos")]
    out: PathBuf,
    /// How many new photos to paint; without it, the committed set is painted again.
    #[arg(long, value_name = "N")]
    count: Option<u32>,
    /// Seed of the new photos: the same seed gives the same bytes on every machine.
    #[arg(long, value_name = "SEED", default_value_t = 1, requires = "count")]
    seed: u64,
    /// Size of every new photo, e.g. 4032x3024; without it, sizes of reduced phone photos.
    #[arg(long, value_name = "WxH", value_parser = size, requires = "count")]
    size: Option<Size<Upright>>,
    /// Also write manifest.jsonl and a mask for each class, in the form that training reads.
    #[arg(long, requires = "count")]
    labels: bool,
}

pub(super) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let total = args.count.map_or_else(|| catalogue().len() as u64, u64::from);
    let style = ProgressStyle::with_template("{bar:40.cyan/blue} {pos}/{len} photos, {per_sec}, {eta} left")?;
    let bar = ProgressBar::new(total).with_style(style);
    let out = args.out.display().to_string();
    if let Some(count) = args.count {
        let order = Order { folder: args.out, count, seed: args.seed, size: args.size, labels: args.labels };
        labelled::write(&order, |done| bar.set_position(done.into()))
    } else {
        truth::write(&args.out, |done| bar.set_position(done as u64)).map(drop)
    }
    .with_context(|| format!("cannot write the photos into {out}; is it a folder you may write to?"))?;
    bar.finish();
    println!("{total} photos in {out}");
    Ok(ExitCode::SUCCESS)
}

/// Longest side that is painted, in pixels.
const LONGEST_PX: u32 = 8192;
/// Shortest side that is painted, in pixels.
const SHORTEST_PX: u32 = 64;

fn size(text: &str) -> Result<Size<Upright>, String> {
    let sides = text
        .split_once(['x', 'X'])
        .and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    match sides {
        Some((width, height))
            if [width, height].iter().all(|side| (SHORTEST_PX..=LONGEST_PX).contains(side)) =>
        {
            Ok(Size::new(width, height))
        }
        _ => Err(format!("`{text}` is no size; write WIDTHxHEIGHT, both from {SHORTEST_PX} to {LONGEST_PX}")),
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_read_and_bounded() {
        assert_eq!(size("4032x3024").map(|size| (size.width, size.height)), Ok((4032, 3024)));
        for wrong in ["", "12", "x", "63x100", "100x9000", "-1x5"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }
}
