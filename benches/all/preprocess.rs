//! Pixels to tensors: one view of 1024 × 768 a call.

use divan::Bencher;
use punchlens::domain::geometry::Size;
use punchlens::domain::picture::Picture;
use punchlens::inference::PrecisionChoice;
use punchlens::inference::{package, preprocess};

use crate::decode;

/// A picture of `width` by `height` from a 12 MP photo.
pub(crate) fn picture(width: u32, height: u32) -> Picture {
    let photo = Size::new(decode::SIZE.0, decode::SIZE.1);
    Picture::new(Size::new(width, height), photo, decode::wall(width, height)).expect("sized")
}

#[divan::bench]
fn nchw_1024(bencher: Bencher<'_, '_>) {
    let input = package::built_in(PrecisionChoice::Recommended).expect("built in").manifest.input;
    let picture = picture(1024, 768);
    bencher.bench(|| preprocess::views(&picture, &input));
}

#[divan::bench]
fn resize_and_nchw_1024_from_2048(bencher: Bencher<'_, '_>) {
    let input = package::built_in(PrecisionChoice::Recommended).expect("built in").manifest.input;
    let picture = picture(2048, 1536);
    bencher.bench(|| preprocess::views(&picture, &input));
}
