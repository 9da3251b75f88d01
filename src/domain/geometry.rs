//! Sizes, points and boxes that carry their coordinate frame in the type.
//!
//! All frames have x to the right, y down, the origin at the outer corner of the top left pixel.

use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

/// A coordinate frame: a marker type, never a value.
pub trait Frame: Copy + std::fmt::Debug + PartialEq {}

/// The photo at its full size, turned the way a person would look at it: the one frame in which
/// detections, findings and pages speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upright {}

/// The photo as stored in the file, before EXIF orientation is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {}

/// The reduced upright picture that the model is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Working {}

impl Frame for Upright {}
impl Frame for Stored {}
impl Frame for Working {}

/// Width and height in whole pixels of frame `F`.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Size<F: Frame> {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    #[serde(skip)]
    frame: PhantomData<F>,
}

/// An axis-aligned box with corners `(x0, y0)` (inside) and `(x1, y1)` (outside), in pixels of frame `F`.
///
/// Always `x0 <= x1` and `y0 <= y1`, all finite.
#[derive(Serialize, Deserialize)]
#[serde(try_from = "[f32; 4]", into = "[f32; 4]", bound = "")]
pub struct PixelBox<F: Frame> {
    x0: f32,
    y0: f32,
    x1: f32,
    y1: f32,
    frame: PhantomData<F>,
}

/// Four numbers that are no box.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("{0:?} is not a box: corners must be finite and in order")]
pub struct InvalidBox([f32; 4]);

macro_rules! frame_traits {
    ($($name:ident { $($field:ident),+ })+) => {$(
        #[expect(clippy::expl_impl_clone_on_copy, reason = "a derive would ask the frame to be Clone")]
        impl<F: Frame> Clone for $name<F> { fn clone(&self) -> Self { *self } }
        impl<F: Frame> Copy for $name<F> {}
        impl<F: Frame> PartialEq for $name<F> {
            fn eq(&self, other: &Self) -> bool { $(self.$field == other.$field)&&+ }
        }
        impl<F: Frame> std::fmt::Debug for $name<F> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_tuple(stringify!($name))$(.field(&self.$field))+.finish()
            }
        }
    )+};
}

frame_traits! { Size { width, height } PixelBox { x0, y0, x1, y1 } }

impl<F: Frame> Eq for Size<F> {}

impl<F: Frame> Size<F> {
    /// A size of `width` by `height` pixels.
    pub const fn new(width: u32, height: u32) -> Self {
        Self { width, height, frame: PhantomData }
    }

    /// Pixels in all.
    pub const fn pixels(self) -> u64 {
        self.width as u64 * self.height as u64
    }

    /// The longer of the two sides.
    pub fn long_side(self) -> u32 {
        self.width.max(self.height)
    }

    /// The box that covers everything.
    pub fn bounds(self) -> PixelBox<F> {
        PixelBox { x0: 0.0, y0: 0.0, x1: self.width as f32, y1: self.height as f32, frame: PhantomData }
    }
}

impl<F: Frame> PixelBox<F> {
    /// A box from its corners.
    ///
    /// # Errors
    /// When a number is not finite or the corners are not in order.
    pub fn new(x0: f32, y0: f32, x1: f32, y1: f32) -> Result<Self, InvalidBox> {
        let finite = [x0, y0, x1, y1].iter().all(|v| v.is_finite());
        if finite && x0 <= x1 && y0 <= y1 {
            Ok(Self { x0, y0, x1, y1, frame: PhantomData })
        } else {
            Err(InvalidBox([x0, y0, x1, y1]))
        }
    }

    /// `[x0, y0, x1, y1]`.
    pub const fn corners(self) -> [f32; 4] {
        [self.x0, self.y0, self.x1, self.y1]
    }

    /// Pixels across.
    pub fn width(self) -> f32 {
        self.x1 - self.x0
    }

    /// Pixels down.
    pub fn height(self) -> f32 {
        self.y1 - self.y0
    }

    /// Square pixels.
    pub fn area(self) -> f32 {
        self.width() * self.height()
    }

    /// The part of this box that lies inside `other`, if any of it does.
    pub fn intersection(self, other: Self) -> Option<Self> {
        Self::new(self.x0.max(other.x0), self.y0.max(other.y0), self.x1.min(other.x1), self.y1.min(other.y1))
            .ok()
    }

    /// The smallest box that holds both.
    #[must_use]
    pub fn hull(self, other: Self) -> Self {
        Self {
            x0: self.x0.min(other.x0),
            y0: self.y0.min(other.y0),
            x1: self.x1.max(other.x1),
            y1: self.y1.max(other.y1),
            frame: PhantomData,
        }
    }

    /// Intersection over union, in 0..=1; 0 when neither box has an area.
    pub fn iou(self, other: Self) -> f32 {
        let shared = self.intersection(other).map_or(0.0, Self::area);
        ratio(shared, self.area() + other.area() - shared)
    }

    /// Intersection over the smaller of the two, in 0..=1: the measure for boxes cut by a tile's edge.
    pub fn ios(self, other: Self) -> f32 {
        let shared = self.intersection(other).map_or(0.0, Self::area);
        ratio(shared, self.area().min(other.area()))
    }

    /// The same box where one pixel of `F` is `x` by `y` pixels of `G`.
    pub fn scaled<G: Frame>(self, x: f32, y: f32) -> PixelBox<G> {
        PixelBox { x0: self.x0 * x, y0: self.y0 * y, x1: self.x1 * x, y1: self.y1 * y, frame: PhantomData }
    }

    /// The same box moved by `(dx, dy)` into frame `G`.
    pub fn shifted<G: Frame>(self, dx: f32, dy: f32) -> PixelBox<G> {
        PixelBox {
            x0: self.x0 + dx,
            y0: self.y0 + dy,
            x1: self.x1 + dx,
            y1: self.y1 + dy,
            frame: PhantomData,
        }
    }
}

fn ratio(part: f32, whole: f32) -> f32 {
    if whole > 0.0 { (part / whole).clamp(0.0, 1.0) } else { 0.0 }
}

impl<F: Frame> TryFrom<[f32; 4]> for PixelBox<F> {
    type Error = InvalidBox;
    fn try_from([x0, y0, x1, y1]: [f32; 4]) -> Result<Self, InvalidBox> {
        Self::new(x0, y0, x1, y1)
    }
}

impl<F: Frame> From<PixelBox<F>> for [f32; 4] {
    fn from(area: PixelBox<F>) -> Self {
        area.corners()
    }
}

/// How the stored pixels must be turned to be upright: EXIF tag 0x0112, values 1 to 8
/// (Exif 2.32, 4.6.4.A).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum Orientation {
    /// 1: as stored.
    #[default]
    Normal,
    /// 2: mirrored left to right.
    MirrorHorizontal,
    /// 3: turned half round.
    Rotate180,
    /// 4: mirrored top to bottom.
    MirrorVertical,
    /// 5: mirrored along the falling diagonal.
    Transpose,
    /// 6: to be turned a quarter clockwise.
    Rotate90,
    /// 7: mirrored along the rising diagonal.
    Transverse,
    /// 8: to be turned a quarter anticlockwise.
    Rotate270,
}

/// An EXIF orientation outside 1 to 8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("orientation {0} is not one of 1 to 8")]
pub struct BadOrientation(pub u8);

impl Orientation {
    /// All eight, in the order of their EXIF values.
    pub const ALL: [Self; 8] = [
        Self::Normal,
        Self::MirrorHorizontal,
        Self::Rotate180,
        Self::MirrorVertical,
        Self::Transpose,
        Self::Rotate90,
        Self::Transverse,
        Self::Rotate270,
    ];

    /// Whether width and height change places.
    pub const fn swaps_sides(self) -> bool {
        matches!(self, Self::Transpose | Self::Rotate90 | Self::Transverse | Self::Rotate270)
    }

    /// The upright size of a photo stored at `stored`.
    pub const fn upright(self, stored: Size<Stored>) -> Size<Upright> {
        if self.swaps_sides() {
            Size::new(stored.height, stored.width)
        } else {
            Size::new(stored.width, stored.height)
        }
    }
}

impl TryFrom<u8> for Orientation {
    type Error = BadOrientation;
    fn try_from(value: u8) -> Result<Self, BadOrientation> {
        match value {
            1..=8 => Ok(Self::ALL[usize::from(value) - 1]),
            _ => Err(BadOrientation(value)),
        }
    }
}

impl From<Orientation> for u8 {
    fn from(orientation: Orientation) -> Self {
        orientation as Self + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(x0: u8, y0: u8, x1: u8, y1: u8) -> PixelBox<Upright> {
        PixelBox::new(x0.into(), y0.into(), x1.into(), y1.into()).expect("ordered corners")
    }

    /// All boxes with whole corners on a grid of 5 by 5 points: few enough to try every pair.
    fn grid() -> Vec<PixelBox<Upright>> {
        let mut boxes = Vec::new();
        for x0 in 0..5 {
            for x1 in x0..5 {
                for y0 in 0..5 {
                    for y1 in y0..5 {
                        boxes.push(area(x0, y0, x1, y1));
                    }
                }
            }
        }
        boxes
    }

    #[test]
    fn overlap_measures_hold_their_laws_on_every_pair_of_a_grid() {
        let boxes = grid();
        for &a in &boxes {
            for &b in &boxes {
                let (iou, ios) = (a.iou(b), a.ios(b));
                assert!((0.0..=1.0).contains(&iou) && (0.0..=1.0).contains(&ios));
                assert!((iou - b.iou(a)).abs() < 1e-6 && (ios - b.ios(a)).abs() < 1e-6);
                assert!(iou <= ios + 1e-6);
                assert!(a.hull(b).area() + 1e-6 >= a.area().max(b.area()));
            }
            if a.area() > 0.0 {
                assert!((a.iou(a) - 1.0).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn far_boxes_do_not_overlap() {
        assert!(area(0, 0, 10, 10).iou(area(20, 20, 30, 30)).abs() < 1e-6);
        assert!((area(0, 0, 2, 2).iou(area(1, 1, 3, 3)) - 1.0 / 7.0).abs() < 1e-6);
    }

    #[test]
    fn broken_corners_are_refused() {
        for corners in [[1.0, 0.0, 0.0, 1.0], [f32::NAN, 0.0, 1.0, 1.0], [0.0, 0.0, f32::INFINITY, 1.0]] {
            assert!(PixelBox::<Upright>::try_from(corners).is_err(), "{corners:?}");
        }
    }

    #[test]
    fn orientations_are_their_exif_numbers() {
        for value in 1..=8_u8 {
            assert_eq!(u8::from(Orientation::try_from(value).expect("in range")), value);
        }
        assert!(Orientation::try_from(0).is_err() && Orientation::try_from(9).is_err());
        assert_eq!(Orientation::Rotate90.upright(Size::new(4032, 3024)), Size::new(3024, 4032));
    }
}
