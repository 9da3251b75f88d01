//! Pixels to tensors: plain functions over slices.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};

use super::batcher::Alike;
use super::manifest::{ColourOrder, Fit, Input};
use super::tiles::Tile;
use crate::domain::geometry::{Size, Upright};
use crate::domain::picture::Picture;

/// The shortest side of a view, in pixels: one cell of the coarsest networks.
const MIN_SIDE: u32 = 32;

/// One view of a photo, ready for a session.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// Pixels across that show the photo; the rest is padding.
    pub width: u32,
    /// Pixels down that show the photo.
    pub height: u32,
    /// Pixels of padding to the left.
    pub left: u32,
    /// Pixels of padding above.
    pub top: u32,
    /// Pixels across, padding included.
    pub padded_width: u32,
    /// Pixels down, padding included.
    pub padded_height: u32,
    /// `[1, 3, padded_height, padded_width]`, row by row.
    pub tensor: Vec<f32>,
}

impl View {
    /// Pixels, padding included.
    pub(super) fn pixels(&self) -> usize {
        self.padded_width as usize * self.padded_height as usize
    }
}

impl Alike for View {
    fn alike(&self, other: &Self) -> bool {
        (self.padded_width, self.padded_height) == (other.padded_width, other.padded_height)
    }
}

/// The size of the view with longer side `long_side` of a photo of size `photo`, before padding.
///
/// Each side is rounded half up and at least 32; small photos are enlarged by at most `max_upscale`.
pub fn view_size(photo: Size<Upright>, long_side: u32, max_upscale: f64) -> (u32, u32) {
    let scale = (f64::from(long_side) / f64::from(photo.long_side().max(1))).min(max_upscale);
    let side = |pixels: u32| ((f64::from(pixels) * scale + 0.5) as u32).max(MIN_SIDE);
    (side(photo.width), side(photo.height))
}

/// The sizes of the views that `input` asks for of `picture`, in its order; equal ones only once.
pub(super) fn view_sizes(picture: &Picture, input: &Input) -> Vec<(u32, u32)> {
    let photo = picture.photo();
    match input.fit {
        Fit::Rectangle => {}
        Fit::Letterbox { size, .. } => return vec![letterboxed(photo, size)],
        Fit::Squash { size: [width, height] } => return vec![(width, height)],
    }
    let mut sizes: Vec<(u32, u32)> = Vec::new();
    for &long_side in &input.views {
        let size = as_it_came(picture, view_size(photo, long_side, input.max_upscale));
        if !sizes.contains(&size) {
            sizes.push(size);
        }
    }
    sizes
}

/// How much smaller than a view a picture may be to be taken for it, as a share: a quarter of the 3968 to 4080 pixels
/// of usual phones is a little less than 1024.
const NEAR: f64 = 0.035;

/// `wanted`, or the size of `picture` where its decoder has left almost that many pixels: making these up would cost
/// twice what all other preparation does, and tell the model nothing.
fn as_it_came(picture: &Picture, wanted: (u32, u32)) -> (u32, u32) {
    let (own, photo) = (picture.size(), picture.photo());
    let near = |own: u32, wanted: u32| own <= wanted && f64::from(own) >= f64::from(wanted) * (1.0 - NEAR);
    let reduced = (own.width, own.height) != (photo.width, photo.height);
    if reduced && near(own.width, wanted.0) && near(own.height, wanted.1) {
        (own.width, own.height)
    } else {
        wanted
    }
}

/// The largest size of the photo's shape that fits into `size`, each side rounded half up.
fn letterboxed(photo: Size<Upright>, [width, height]: [u32; 2]) -> (u32, u32) {
    let scale = |side: u32, own: u32| f64::from(side) / f64::from(own.max(1));
    let scale = scale(width, photo.width).min(scale(height, photo.height));
    let side = |own: u32, most: u32| ((f64::from(own) * scale + 0.5) as u32).clamp(1, most);
    (side(photo.width, width), side(photo.height, height))
}

/// The views that `input` asks for of `picture`, in its order; those of equal size only once.
pub fn views(picture: &Picture, input: &Input) -> Vec<View> {
    view_sizes(picture, input).into_iter().map(|size| view(picture, size, input)).collect()
}

/// The view of `picture` with the given size, before padding.
pub(super) fn view(picture: &Picture, (width, height): (u32, u32), input: &Input) -> View {
    let own = picture.size();
    let resized = ((own.width, own.height) != (width, height)).then(|| resize(picture, width, height));
    let rgb = resized.as_deref().unwrap_or(picture.rgb());
    padded_view(&rgb.chunks_exact(width as usize * 3), (width, height), input)
}

/// The view that shows `tile` of `picture`, pixel by pixel: the picture is as large as its photo.
pub(super) fn tile_view(picture: &Picture, tile: Tile, input: &Input) -> View {
    let row = picture.size().width as usize * 3;
    let (left, length) = (tile.x as usize * 3, tile.width as usize * 3);
    let rows = picture.rgb().chunks_exact(row).skip(tile.y as usize).take(tile.height as usize);
    padded_view(&rows.map(|row| &row[left..left + length]), (tile.width, tile.height), input)
}

fn padded_view<'a>(
    rows: &(impl Iterator<Item = &'a [u8]> + Clone),
    (width, height): (u32, u32),
    input: &Input,
) -> View {
    let frame = Frame::around((width, height), input);
    let tensor = nchw(rows, (width, height), frame, input);
    let Frame { left, top, width: padded_width, height: padded_height, .. } = frame;
    View { width, height, left, top, padded_width, padded_height, tensor }
}

/// Where the photo lies in its tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Frame {
    left: u32,
    top: u32,
    width: u32,
    height: u32,
    /// The grey of the bars; none: the photo's edge is repeated.
    fill: Option<u8>,
}

impl Frame {
    fn around((width, height): (u32, u32), input: &Input) -> Self {
        let (size, fill) = match input.fit {
            Fit::Rectangle => {
                let padded = |side: u32| side.next_multiple_of(input.multiple);
                return Self { left: 0, top: 0, width: padded(width), height: padded(height), fill: None };
            }
            Fit::Letterbox { size, fill } => (size, fill),
            // Only a photo smaller than a tile leaves anything to fill.
            Fit::Squash { size } => (size, 0),
        };
        // Half of the bars on each side, the odd pixel on the right and below.
        let before = |whole: u32, own: u32| whole.saturating_sub(own) / 2;
        let (left, top) = (before(size[0], width), before(size[1], height));
        Self { left, top, width: size[0].max(width), height: size[1].max(height), fill: Some(fill) }
    }
}

/// Antialiased bilinear, the filter that the model was trained with.
fn resize(picture: &Picture, width: u32, height: u32) -> Vec<u8> {
    let own = picture.size();
    let mut target = vec![0; width as usize * height as usize * 3];
    let source = TypedImageRef::<U8x3>::from_buffer(own.width, own.height, picture.rgb())
        .expect("a picture is as long as its size");
    let mut into =
        TypedImage::<U8x3>::from_buffer(width, height, &mut target).expect("made as long as its size");
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    // Typed, since the untyped call carries the code for thirteen other kinds of pixels: 3 MB.
    Resizer::new().resize_typed(&source, &mut into, &options).expect("neither side is 0");
    target
}

/// Interleaved bytes to normalised planes, padded as `frame` says.
fn nchw<'a>(
    rows: &(impl Iterator<Item = &'a [u8]> + Clone),
    (width, height): (u32, u32),
    frame: Frame,
    input: &Input,
) -> Vec<f32> {
    let (width, height) = (width as usize, height as usize);
    let (left, top) = (frame.left as usize, frame.top as usize);
    let (padded_width, padded_height) = (frame.width as usize, frame.height as usize);
    let mut tensor = Vec::with_capacity(3 * padded_width * padded_height);
    for plane in 0..3 {
        let channel = match input.colour {
            ColourOrder::Rgb => plane,
            ColourOrder::Bgr => 2 - plane,
        };
        let (mean, scale) = (input.mean[plane], 1.0 / input.std[plane]);
        // A byte takes 256 values: looking them up takes half the time of computing them.
        let values: [f32; 256] = std::array::from_fn(|byte| (byte as f32 - mean) * scale);
        let fill = frame.fill.map(|grey| values[usize::from(grey)]);
        let bar = fill.unwrap_or_default();
        tensor.resize(tensor.len() + top * padded_width, bar);
        for row in rows.clone() {
            tensor.resize(tensor.len() + left, bar);
            tensor.extend(row.chunks_exact(3).map(|pixel| values[usize::from(pixel[channel])]));
            let edge = fill.or(tensor.last().copied()).unwrap_or_default();
            tensor.resize(tensor.len() + padded_width - width - left, edge);
        }
        let below = padded_height - height - top;
        if let Some(fill) = fill {
            tensor.resize(tensor.len() + below * padded_width, fill);
        } else {
            let last_row = tensor.len() - padded_width;
            for _ in 0..below {
                tensor.extend_from_within(last_row..last_row + padded_width);
            }
        }
    }
    tensor
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::inference::manifest::TensorLayout;

    fn input(views: Vec<u32>) -> Input {
        Input {
            name: "image".into(),
            layout: TensorLayout::Nchw,
            colour: ColourOrder::Rgb,
            mean: [0.0; 3],
            std: [1.0; 3],
            fit: Fit::Rectangle,
            views,
            max_upscale: 1.0,
            multiple: 32,
        }
    }

    fn picture(width: u32, height: u32) -> Picture {
        let rgb = (0..width * height * 3).map(|at| (at % 251) as u8).collect();
        Picture::new(Size::new(width, height), Size::new(width, height), rgb).expect("sized")
    }

    #[test]
    fn view_sizes_are_the_trainers() {
        let table = [
            ((4032, 3024), 1024, 1.0, (1024, 768)),
            ((3024, 4032), 1023, 1.0, (767, 1023)),
            ((800, 600), 1024, 1.0, (800, 600)),
            ((800, 600), 1024, 1.2, (960, 720)),
            ((5000, 10), 1024, 1.0, (1024, 32)),
            ((8, 8), 1024, 1.0, (32, 32)),
        ];
        for ((width, height), long_side, upscale, expected) in table {
            assert_eq!(view_size(Size::new(width, height), long_side, upscale), expected);
        }
    }

    #[test]
    fn a_picture_that_came_almost_as_large_is_taken_as_it_is() {
        let table = [
            // Decoder's size, photo, the view's size.
            ((1008, 756), (4032, 3024), (1008, 756)),
            ((756, 1008), (3024, 4032), (756, 1008)),
            ((1024, 768), (4096, 3072), (1024, 768)),
            ((976, 732), (3904, 2928), (1024, 768)),
            ((2016, 1512), (4032, 3024), (1024, 768)),
            ((1008, 756), (1008, 756), (1008, 756)),
        ];
        for ((width, height), (full_width, full_height), expected) in table {
            let rgb = vec![0; (width * height * 3) as usize];
            let photo = Size::new(full_width, full_height);
            let picture = Picture::new(Size::new(width, height), photo, rgb).expect("sized");
            assert_eq!(view_sizes(&picture, &input(vec![1024])), [expected], "{width}×{height}");
        }
    }

    #[test]
    fn views_of_equal_size_are_made_once() {
        let sizes = |picture: &Picture| {
            views(picture, &input(vec![96, 64, 200])).iter().map(|v| v.width).collect::<Vec<_>>()
        };
        assert_eq!(sizes(&picture(80, 60)), [80, 64]);
        assert_eq!(sizes(&picture(300, 200)), [96, 64, 200]);
    }

    #[test]
    fn a_tile_is_the_same_pixels() {
        let picture = picture(90, 70);
        let view = tile_view(&picture, Tile { x: 40, y: 20, width: 50, height: 50 }, &input(vec![64]));
        assert_eq!((view.width, view.height, view.padded_width, view.padded_height), (50, 50, 64, 64));
        let at = |x: usize, y: usize| f32::from(picture.rgb()[((20 + y) * 90 + 40 + x) * 3 + 1]).to_bits();
        let plane = &view.tensor[64 * 64..];
        assert_eq!((plane[7 * 64 + 5].to_bits(), plane[60 * 64 + 63].to_bits()), (at(5, 7), at(49, 49)));
    }

    #[test]
    fn channels_are_ordered_and_normalised() {
        let flat =
            Picture::new(Size::new(32, 32), Size::new(32, 32), [10, 20, 30].repeat(1024)).expect("sized");
        let bgr = Input {
            colour: ColourOrder::Bgr,
            mean: [30.0, 0.0, 0.0],
            std: [1.0, 2.0, 5.0],
            ..input(vec![32])
        };
        let planes = views(&flat, &bgr).remove(0).tensor;
        let firsts: Vec<f32> = planes.chunks_exact(1024).map(|plane| plane[7]).collect();
        assert_eq!(firsts, [0.0, 10.0, 2.0]);
    }

    proptest! {
        #[test]
        fn the_photo_is_whole_and_the_padding_repeats_its_edge(width in 32_u32..90, height in 32_u32..90) {
            let picture = picture(width, height);
            let view = views(&picture, &input(vec![1024])).remove(0);
            prop_assert_eq!((view.width, view.height), (width, height));
            prop_assert!(view.padded_width.is_multiple_of(32) && view.padded_height.is_multiple_of(32));
            prop_assert!(view.padded_width - width < 32 && view.padded_height - height < 32);
            let (columns, rows) = (view.padded_width as usize, view.padded_height as usize);
            prop_assert_eq!(view.tensor.len(), 3 * columns * rows);
            for channel in 0..3 {
                for y in 0..rows {
                    for x in 0..columns {
                        let (px, py) = (x.min(width as usize - 1), y.min(height as usize - 1));
                        let pixel = picture.rgb()[(py * width as usize + px) * 3 + channel];
                        prop_assert_eq!(view.tensor[(channel * rows + y) * columns + x].to_bits(), f32::from(pixel).to_bits());
                    }
                }
            }
        }
    }
}
