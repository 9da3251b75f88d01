//! Reducing pictures: antialiased bilinear, the filter that the model was trained with.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};

use crate::domain::geometry::Size;
use crate::domain::picture::Picture;

/// The size of a photo of `width` by `height` whose longer side is brought to `long_side`, each side
/// rounded to the nearest pixel and at least 1. Never larger than the photo.
pub fn fit(width: u32, height: u32, long_side: u32) -> (u32, u32) {
    let scale = (f64::from(long_side) / f64::from(width.max(height).max(1))).min(1.0);
    let side = |pixels: u32| ((f64::from(pixels) * scale).round() as u32).max(1);
    (side(width), side(height))
}

/// `picture` with its longer side reduced to `long_side`; never enlarged.
pub fn reduce(picture: Picture, long_side: u32) -> Picture {
    let (own, photo) = (picture.size(), picture.photo());
    let to = fit(own.width, own.height, long_side);
    let rgb = resize(picture.into_rgb(), (own.width, own.height), to);
    Picture::new(Size::new(to.0, to.1), photo, rgb).expect("as long as its size")
}

/// Resizes `rgb` of size `from` to size `to`; the same bytes back where nothing changes.
///
/// # Panics
/// When `rgb` is not `from`'s width × height × 3 bytes or a side is 0: callers hold rasters that
/// were checked when they were made.
pub(crate) fn resize(rgb: Vec<u8>, from: (u32, u32), to: (u32, u32)) -> Vec<u8> {
    if from == to { rgb } else { resized(&rgb, from, to) }
}

/// As [`resize`], leaving the original as it is.
///
/// # Panics
/// As [`resize`].
pub(crate) fn resized(rgb: &[u8], from: (u32, u32), to: (u32, u32)) -> Vec<u8> {
    let mut target = vec![0; to.0 as usize * to.1 as usize * 3];
    let source =
        TypedImageRef::<U8x3>::from_buffer(from.0, from.1, rgb).expect("a raster is as long as its size");
    let mut into =
        TypedImage::<U8x3>::from_buffer(to.0, to.1, &mut target).expect("made as long as its size");
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    // Typed, since the untyped call carries the code for thirteen other kinds of pixels: 3 MB.
    Resizer::new().resize_typed(&source, &mut into, &options).expect("neither side is 0");
    target
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_are_rounded_and_never_grow() {
        let table = [
            ((4032, 3024, 1024), (1024, 768)),
            ((3000, 4000, 1023), (767, 1023)),
            ((800, 600, 1024), (800, 600)),
            ((16000, 3, 1024), (1024, 1)),
            ((1, 1, 1024), (1, 1)),
        ];
        for ((width, height, long_side), expected) in table {
            assert_eq!(fit(width, height, long_side), expected);
        }
    }

    #[test]
    fn a_reduced_picture_knows_its_photo() {
        let photo = Size::new(120, 90);
        let picture = Picture::new(Size::new(40, 30), photo, vec![7; 40 * 30 * 3]).expect("sized");
        let small = reduce(picture.clone(), 20);
        assert_eq!((small.size(), small.photo(), small.rgb()[0]), (Size::new(20, 15), photo, 7));
        assert_eq!(reduce(picture.clone(), 100), picture);
    }

    #[test]
    fn a_flat_colour_stays_flat() {
        let flat = [10, 200, 90].repeat(40 * 30);
        assert_eq!(resize(flat, (40, 30), (13, 9)), [10, 200, 90].repeat(13 * 9));
    }
}
