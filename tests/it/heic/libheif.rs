//! The two programs of the Debian package libheif-examples.

use std::path::Path;
use std::process::Command;

use image::{DynamicImage, RgbImage};
use tempfile::TempDir;

/// Where they are there; else says that the test is skipped, and fails where CI installs them.
pub(super) fn there() -> bool {
    let there = ["heif-enc", "heif-convert"]
        .iter()
        .all(|program| Command::new(program).arg("--help").output().is_ok());
    if !there {
        println!("SKIPPED: no heif-enc and heif-convert here (apt-get install libheif-examples)");
        assert!(std::env::var("CI").as_deref() != Ok("true"), "CI installs libheif-examples");
    }
    there
}

fn run(program: &str, folder: &Path, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).current_dir(folder).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
}

/// `picture` as HEIC.
pub(super) fn encode(picture: &DynamicImage, options: &[&str]) -> Vec<u8> {
    let folder = TempDir::new().expect("a folder");
    picture.save(folder.path().join("in.png")).expect("written");
    let usual = ["-q", "90", "-p", "preset=superfast"];
    run("heif-enc", folder.path(), &[&usual, options, &["in.png", "-o", "out.heic"]].concat());
    std::fs::read(folder.path().join("out.heic")).expect("made")
}

/// What libheif sees in `bytes`, on white.
pub(super) fn decode(bytes: &[u8]) -> RgbImage {
    let folder = TempDir::new().expect("a folder");
    std::fs::write(folder.path().join("in.heic"), bytes).expect("written");
    run("heif-convert", folder.path(), &["in.heic", "out.png"]);
    let seen = image::open(folder.path().join("out.png")).expect("made").into_rgba8();
    let on_white = |value: u8, alpha: u8| {
        let (value, alpha) = (u32::from(value), u32::from(alpha));
        ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
    };
    RgbImage::from_fn(seen.width(), seen.height(), |x, y| {
        let [red, green, blue, alpha] = seen.get_pixel(x, y).0;
        image::Rgb([red, green, blue].map(|value| on_white(value, alpha)))
    })
}
