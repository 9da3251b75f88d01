//! Photos in which the shipped model finds something, each of another wall: cuts of the committed fixtures.

use std::path::Path;

use image::RgbImage;

/// Fixtures of two megapixels with defects all over.
const WALLS: [&str; 8] = [
    "crack-plaster.jpg",
    "growth-corner.jpg",
    "growth-marks.jpg",
    "marks-drips.jpg",
    "peel-crack.jpg",
    "peel-wall.jpg",
    "spall-concrete.jpg",
    "spall-plaster.jpg",
];

/// The size of a photo, in pixels: small, so that the work around it is what takes the time.
const WIDTH: u32 = 400;
const HEIGHT: u32 = 300;

/// Cuts of one wall lie on a grid of this many columns and rows, and each is there mirrored, too.
const COLUMNS: u32 = 5;
const ROWS: u32 = 4;

/// Where photos are cut from.
pub(crate) struct Photos {
    walls: Vec<RgbImage>,
}

impl Photos {
    pub(crate) fn read() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/photos");
        let read = |name| image::open(folder.join(name)).expect("a fixture").to_rgb8();
        Self { walls: WALLS.map(read).into() }
    }

    /// Photo number `number`: the same bytes for the same number.
    pub(crate) fn cut(&self, number: usize) -> Vec<u8> {
        let (number, walls) = (number as u32, self.walls.len() as u32);
        let wall = &self.walls[(number % walls) as usize];
        let (place, mirrored) = (number / walls / 2, number / walls % 2 == 1);
        // Six tenths of the wall, so that there is room to move the cut about.
        let (width, height) = (wall.width() * 6 / 10, wall.height() * 6 / 10);
        let left = (wall.width() - width) * (place % COLUMNS) / (COLUMNS - 1);
        let top = (wall.height() - height) * (place / COLUMNS % ROWS) / (ROWS - 1);
        // Beyond the grid: the same cuts, a little lighter each time.
        let lighter = (place / COLUMNS / ROWS * 6) as u8;
        let cut = RgbImage::from_fn(WIDTH, HEIGHT, |x, y| {
            let x = if mirrored { WIDTH - 1 - x } else { x };
            let pixel = wall.get_pixel(left + x * width / WIDTH, top + y * height / HEIGHT);
            image::Rgb(pixel.0.map(|value| value.saturating_add(lighter)))
        });
        let mut bytes = Vec::new();
        image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 90)
            .encode_image(&cut)
            .expect("encodes");
        bytes
    }
}
