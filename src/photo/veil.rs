//! What cells say of a photo, as a veil to lie over it: what the cells point at stays clear and keeps its own colours,
//! the rest goes dim. A tint would hide the defect that it marks, and would mean nothing to who cannot tell it apart.

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder as _};

use super::Error;
use super::annotate::Heat;
use crate::domain::geometry::{PixelBox, Size, Upright};

/// Grey of the veil: not black, so that it shows on dark photos too.
const GREY: u8 = 38;

/// How much of the photo the veil hides where a cell says nothing, 0..=255: the surroundings stay recognisable.
const THICKEST: f32 = 191.0;

/// A veil and what it covers.
#[derive(Debug, Clone, PartialEq)]
pub struct Veil {
    /// A PNG with one pixel for each cell.
    pub png: Vec<u8>,
    /// What it covers: all of the photo, and as much beyond its right and lower edge as the last cells stick out.
    pub area: PixelBox<Upright>,
}

/// The veil of `heat` over a photo of `size`; none of cells that have no size.
///
/// # Errors
/// When the cells are too many for a PNG.
pub fn veil(heat: &Heat, size: Size<Upright>) -> Result<Option<Veil>, Error> {
    let rows = heat.values.len().checked_div(heat.columns).unwrap_or(0);
    // Cells of which the photo shows less than half are not there: their neighbours stand in for them.
    let (across, down) =
        ((size.width as f32 / heat.cell.0).ceil(), (size.height as f32 / heat.cell.1).ceil());
    if rows == 0 || !(across >= 1.0 && down >= 1.0 && across * down <= heat.values.len() as f32 * 4.0) {
        return Ok(None);
    }
    let mut pixels = Vec::with_capacity(2 * across as usize * down as usize);
    for row in 0..down as usize {
        for column in 0..across as usize {
            let value = heat.values[row.min(rows - 1) * heat.columns + column.min(heat.columns - 1)];
            pixels.extend([GREY, (THICKEST * (1.0 - value.clamp(0.0, 1.0))).round() as u8]);
        }
    }
    let mut png = Vec::new();
    PngEncoder::new(&mut png)
        .write_image(&pixels, across as u32, down as u32, ExtendedColorType::La8)
        .map_err(|error| Error::unsupported(format!("a map of {across}×{down} cells ({error})")))?;
    let area = PixelBox::new(0.0, 0.0, across * heat.cell.0, down * heat.cell.1);
    Ok(area.ok().map(|area| Veil { png, area }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pixels(veil: &Veil) -> ((u32, u32), Vec<u8>) {
        let read = image::load_from_memory(&veil.png).expect("a PNG").to_luma_alpha8();
        (read.dimensions(), read.pixels().map(|pixel| pixel.0[1]).collect())
    }

    #[test]
    fn what_a_cell_is_sure_of_stays_clear() {
        let heat = Heat { columns: 2, values: vec![0.0, 1.0, 0.5, 2.0], cell: (50.0, 40.0) };
        let veil = veil(&heat, Size::new(100, 80)).expect("encodes").expect("has cells");
        assert_eq!(veil.area, PixelBox::new(0.0, 0.0, 100.0, 80.0).expect("a box"));
        assert_eq!(pixels(&veil), ((2, 2), vec![191, 0, 96, 0]));
    }

    #[test]
    fn no_edge_of_the_photo_is_left_clear_for_want_of_a_cell() {
        // 110 pixels are two cells of 50 and a fifth of one that is not there.
        let heat = Heat { columns: 2, values: vec![0.0, 0.5], cell: (50.0, 40.0) };
        let veil = veil(&heat, Size::new(110, 40)).expect("encodes").expect("has cells");
        assert_eq!(veil.area, PixelBox::new(0.0, 0.0, 150.0, 40.0).expect("a box"));
        assert_eq!(pixels(&veil), ((3, 1), vec![191, 96, 96]));
    }

    #[test]
    fn without_cells_there_is_no_veil() {
        for (columns, values, cell) in [
            (0, vec![], (1.0, 1.0)),
            (2, vec![], (1.0, 1.0)),
            (1, vec![0.5], (f32::NAN, 1.0)),
            (1, vec![0.5], (0.0, 1.0)),
        ] {
            assert_eq!(
                veil(&Heat { columns, values, cell }, Size::new(100, 80)),
                Ok(None),
                "{columns} {cell:?}"
            );
        }
    }
}
