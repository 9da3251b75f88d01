//! Boxes, labels and heat drawn onto a picture.

use font8x8::legacy::BASIC_LEGACY;

use crate::domain::geometry::{PixelBox, Upright, Working};
use crate::domain::picture::Picture;

/// Sides of a glyph in the font, in pixels.
const GLYPH: u32 = 8;

/// Colours that stay apart for people with any kind of colour vision, on walls and concrete
/// (Okabe and Ito, 2008, without black and grey).
const COLOURS: [[u8; 3]; 6] =
    [[213, 94, 0], [0, 114, 178], [204, 121, 167], [0, 158, 115], [230, 159, 0], [86, 180, 233]];

/// Something to draw around.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// Where, in upright photo pixels.
    pub area: PixelBox<Upright>,
    /// What it is; decides the colour.
    pub class: String,
    /// The words on it, ASCII.
    pub label: String,
}

/// The colour of a class: always the same one, whatever else is in the photo.
pub fn colour(class: &str) -> [u8; 3] {
    // FNV-1a, because the standard hasher may change between compilers; shifted so that the shipped
    // classes differ.
    let hash =
        class.bytes().fold(0x811C_9DC5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    COLOURS[(hash >> 1) as usize % COLOURS.len()]
}

/// A copy of `picture` with every mark drawn on it.
#[must_use]
pub fn draw(picture: &Picture, marks: &[Mark]) -> Picture {
    let mut canvas = Canvas::of(picture);
    for mark in marks {
        canvas.mark(mark);
    }
    canvas.into_picture(picture)
}

/// Values over the whole photo on a grid of cells that starts at its top left corner.
#[derive(Debug, Clone, PartialEq)]
pub struct Heat {
    /// Cells across.
    pub columns: usize,
    /// Values 0..=1, row by row.
    pub values: Vec<f32>,
    /// Upright photo pixels across and down one cell.
    pub cell: (f32, f32),
}

/// A copy of `picture` with `heat` laid over it.
#[must_use]
pub fn heat(picture: &Picture, heat: &Heat) -> Picture {
    let mut canvas = Canvas::of(picture);
    let cell = (heat.cell.0 * canvas.scale.0, heat.cell.1 * canvas.scale.1);
    for y in 0..canvas.height {
        for x in 0..canvas.width {
            let (column, row) = (((x as f32 + 0.5) / cell.0) as usize, ((y as f32 + 0.5) / cell.1) as usize);
            if column < heat.columns
                && let Some(&value) = heat.values.get(row * heat.columns + column)
            {
                canvas.blend(x, y, [255, 40, 0], value.clamp(0.0, 1.0) * 0.65);
            }
        }
    }
    canvas.into_picture(picture)
}

struct Canvas {
    width: u32,
    height: u32,
    rgb: Vec<u8>,
    /// Photo pixels to canvas pixels.
    scale: (f32, f32),
    /// Thickness of lines and pixels per font pixel.
    stroke: u32,
}

impl Canvas {
    fn of(picture: &Picture) -> Self {
        let (size, photo) = (picture.size(), picture.photo());
        Self {
            width: size.width,
            height: size.height,
            rgb: picture.rgb().to_vec(),
            scale: (
                size.width as f32 / photo.width.max(1) as f32,
                size.height as f32 / photo.height.max(1) as f32,
            ),
            stroke: (size.long_side() / 500).max(1),
        }
    }

    fn into_picture(self, original: &Picture) -> Picture {
        Picture::new(original.size(), original.photo(), self.rgb).expect("drawing keeps the size")
    }

    fn mark(&mut self, mark: &Mark) {
        let [x0, y0, x1, y1] = mark.area.scaled::<Working>(self.scale.0, self.scale.1).corners();
        let (x0, y0) = (x0.floor() as u32, y0.floor() as u32);
        let (x1, y1) = ((x1.ceil() as u32).min(self.width), (y1.ceil() as u32).min(self.height));
        let (line, colour) = (self.stroke, colour(&mark.class));
        self.fill(x0, y0, x1, y0 + line, colour);
        self.fill(x0, y1.saturating_sub(line), x1, y1, colour);
        self.fill(x0, y0, x0 + line, y1, colour);
        self.fill(x1.saturating_sub(line), y0, x1, y1, colour);
        self.label(x0, y0, &mark.label, colour);
    }

    /// Words above `y`, or below it where there is no room, shifted left to stay on the picture.
    fn label(&mut self, x: u32, y: u32, words: &str, colour: [u8; 3]) {
        let (font, pad) = (self.stroke, self.stroke);
        let glyph = GLYPH * font;
        let (width, height) = (words.chars().count() as u32 * glyph + 2 * pad, glyph + 2 * pad);
        let x = x.min(self.width.saturating_sub(width));
        let y = y.checked_sub(height).unwrap_or(y);
        self.fill(x, y, x + width, y + height, colour);
        for (place, letter) in words.chars().enumerate() {
            let rows = BASIC_LEGACY.get(letter as usize).unwrap_or(&BASIC_LEGACY['?' as usize]);
            self.glyph(x + pad + place as u32 * glyph, y + pad, *rows);
        }
    }

    fn glyph(&mut self, x: u32, y: u32, rows: [u8; 8]) {
        let font = self.stroke;
        for (row, bits) in (0..GLYPH).zip(rows) {
            for column in (0..GLYPH).filter(|column| bits & (1 << column) != 0) {
                let (left, top) = (x + column * font, y + row * font);
                self.fill(left, top, left + font, top + font, [255, 255, 255]);
            }
        }
    }

    fn fill(&mut self, x0: u32, y0: u32, x1: u32, y1: u32, colour: [u8; 3]) {
        for y in y0..y1.min(self.height) {
            for x in x0..x1.min(self.width) {
                self.blend(x, y, colour, 1.0);
            }
        }
    }

    fn blend(&mut self, x: u32, y: u32, colour: [u8; 3], share: f32) {
        let at = (y as usize * self.width as usize + x as usize) * 3;
        for (own, new) in self.rgb[at..at + 3].iter_mut().zip(colour) {
            *own = (f32::from(*own) + (f32::from(new) - f32::from(*own)) * share).round() as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::geometry::Size;

    fn grey(width: u32, height: u32) -> Picture {
        let rgb = vec![128; (width * height * 3) as usize];
        Picture::new(Size::new(width, height), Size::new(width * 4, height * 4), rgb).expect("sized")
    }

    #[test]
    fn marks_stay_on_the_picture_wherever_they_are() {
        for corners in [[0.0, 0.0, 400.0, 300.0], [396.0, 296.0, 400.0, 300.0], [-40.0, -9.0, 900.0, 900.0]] {
            let mark = Mark {
                area: corners.try_into().expect("a box"),
                class: "crack".into(),
                label: "crack 0.97 \u{2713} and a label that is far too long".into(),
            };
            let drawn = draw(&grey(100, 75), &[mark]);
            assert_ne!(drawn, grey(100, 75));
        }
    }

    #[test]
    fn classes_keep_their_colours() {
        let shipped = ["crack", "spalling", "peeling_paint", "biological_growth", "surface_mark"];
        let mut colours = shipped.map(colour).to_vec();
        colours.sort_unstable();
        colours.dedup();
        assert_eq!(colours.len(), shipped.len(), "the shipped classes look different");
    }

    #[test]
    fn heat_covers_its_cells_only() {
        // The picture shows the photo at a quarter of its size.
        let heated = heat(&grey(32, 16), &Heat { columns: 2, values: vec![0.0, 1.0], cell: (64.0, 64.0) });
        let pixel = |x: usize| heated.rgb()[x * 3];
        assert_eq!((pixel(0), pixel(15)), (128, 128));
        assert!(pixel(16) > 128 && pixel(31) > 128);
    }
}
