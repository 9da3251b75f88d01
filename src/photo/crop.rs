//! Parts of a photo at its own resolution.

use super::Error;
use crate::domain::geometry::{PixelBox, Size, Upright};
use crate::domain::picture::Picture;

/// The pixels of `picture`, which is in full size, within `area`.
///
/// # Errors
/// [`Error::Broken`], which a picture whose bytes fit its size never is.
pub fn cut(picture: &Picture, area: PixelBox<Upright>) -> Result<Picture, Error> {
    let size = picture.size();
    let [x0, y0, x1, y1] = area.corners();
    let pixel = |at: f32, end: u32| (at.max(0.0) as u32).min(end);
    let (left, top) = (pixel(x0, size.width - 1), pixel(y0, size.height - 1));
    let (right, bottom) =
        (pixel(x1.ceil(), size.width).max(left + 1), pixel(y1.ceil(), size.height).max(top + 1));
    let (width, height) = (right - left, bottom - top);
    let mut rgb = Vec::with_capacity(3 * width as usize * height as usize);
    for row in top..bottom {
        let start = 3 * (row as usize * size.width as usize + left as usize);
        rgb.extend_from_slice(&picture.rgb()[start..start + 3 * width as usize]);
    }
    Picture::new(Size::new(width, height), Size::new(width, height), rgb)
        .map_err(|error| Error::broken(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 4 by 3, each pixel of its own colour.
    fn picture() -> Picture {
        let rgb = (0..36).collect();
        Picture::new(Size::new(4, 3), Size::new(4, 3), rgb).expect("as long as its size")
    }

    fn area(corners: [f32; 4]) -> PixelBox<Upright> {
        corners.try_into().expect("a box")
    }

    #[test]
    fn the_right_pixels_are_cut_out() {
        let check = |corners, size: (u32, u32), first: u8, last: u8| {
            let part = cut(&picture(), area(corners)).expect("cuts");
            assert_eq!(part.size(), Size::new(size.0, size.1), "{corners:?}");
            assert_eq!((part.rgb()[0], *part.rgb().last().expect("pixels")), (first, last), "{corners:?}");
        };
        check([0.0, 0.0, 4.0, 3.0], (4, 3), 0, 35);
        check([1.0, 1.0, 3.0, 2.0], (2, 1), 15, 20);
        check([2.4, 0.2, 3.1, 2.6], (2, 3), 6, 35);
        check([-5.0, -5.0, 90.0, 90.0], (4, 3), 0, 35);
    }
}
