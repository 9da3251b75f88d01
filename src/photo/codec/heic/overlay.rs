//! Pictures laid over each other on a canvas (`iovl`, ISO/IEC 23008-12, 6.6.2.2).

use heifer_isobmff::{HeifFile, ItemId};

use super::Raster;
use super::container::container as container_error;
use super::image::Image;
use crate::photo::Error;
use crate::photo::header::Memory;

/// Most pictures on one canvas.
const MAX_LAYERS: usize = 16;

/// A canvas and what lies on it, bottom first.
#[derive(Debug)]
pub(super) struct Overlay {
    pub(super) size: (u32, u32),
    fill: [u8; 3],
    layers: Vec<(Image, (i64, i64))>,
}

impl Overlay {
    pub(super) fn read(file: &HeifFile<'_>, id: ItemId, depth: u32) -> Result<Self, Error> {
        let data = file.item_data(id).map_err(container_error)?;
        let layers = file.referenced_items(id, b"dimg");
        if layers.is_empty() || layers.len() > MAX_LAYERS {
            return Err(Error::unsupported(format!("a HEIC photo of none or more than {MAX_LAYERS} layers")));
        }
        let (&[0, flags], rest) = data.split_first_chunk().ok_or_else(cut_off)? else {
            return Err(Error::unsupported("a HEIC photo of layers in a later form"));
        };
        let mut numbers = Numbers { rest, wide: flags & 1 == 1 };
        let mut fill = [0_u16; 4];
        for channel in &mut fill {
            *channel = numbers.take::<2>().map(u16::from_be_bytes)?;
        }
        let size = (numbers.unsigned()?, numbers.unsigned()?);
        if size.0 == 0 || size.1 == 0 {
            return Err(Error::broken("the canvas of a HEIC photo has no size"));
        }
        let place =
            |id: &ItemId| Ok((Image::item(file, *id, depth + 1)?, (numbers.signed()?, numbers.signed()?)));
        let layers = layers.iter().map(place).collect::<Result<Vec<_>, Error>>()?;
        let [red, green, blue, alpha] = fill.map(|value| u32::from(value >> 8));
        let on_white = |value: u32| ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8;
        Ok(Self { size, fill: [red, green, blue].map(on_white), layers })
    }

    /// The canvas is kept; beside it one layer at a time is rendered in full.
    pub(super) fn memory(&self) -> Memory {
        let canvas = u64::from(self.size.0) * u64::from(self.size.1) * 3;
        let layer = |(image, _): &(Image, _)| {
            let size = image.upright();
            image.memory().of(size.pixels())
        };
        let working = self.layers.iter().map(layer).max().unwrap_or(0);
        Memory { kept: canvas, working, per_pixel: 3 }
    }

    /// The canvas with its layers.
    pub(super) fn draw(&self, file: &HeifFile<'_>) -> Result<Raster, Error> {
        let (width, height) = self.size;
        let mut rgb = self.fill.repeat(width as usize * height as usize);
        for (image, (left, top)) in &self.layers {
            let layer = image.render(file, 1)?;
            draw(&mut rgb, self.size, &layer, (*left, *top));
        }
        Ok(Raster { width, height, rgb })
    }
}

/// Copies what of `layer` lies on the canvas.
fn draw(canvas: &mut [u8], size: (u32, u32), layer: &Raster, (left, top): (i64, i64)) {
    let visible = |offset: i64, length: u32, side: u32| {
        let (length, side) = (i64::from(length), i64::from(side));
        (-offset).clamp(0, length)..(side - offset).clamp(0, length)
    };
    let (across, down) = (visible(left, layer.width, size.0), visible(top, layer.height, size.1));
    if across.is_empty() {
        return;
    }
    let length = (across.end - across.start) as usize * 3;
    for y in down {
        let from = (y * i64::from(layer.width) + across.start) as usize * 3;
        let to = ((y + top) * i64::from(size.0) + across.start + left) as usize * 3;
        canvas[to..to + length].copy_from_slice(&layer.rgb[from..from + length]);
    }
}

/// Numbers of 16 or 32 bits.
struct Numbers<'d> {
    rest: &'d [u8],
    wide: bool,
}

impl Numbers<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (number, rest) = self.rest.split_first_chunk().ok_or_else(cut_off)?;
        self.rest = rest;
        Ok(*number)
    }

    fn unsigned(&mut self) -> Result<u32, Error> {
        if self.wide {
            self.take().map(u32::from_be_bytes)
        } else {
            self.take().map(u16::from_be_bytes).map(u32::from)
        }
    }

    fn signed(&mut self) -> Result<i64, Error> {
        if self.wide {
            self.take().map(i32::from_be_bytes).map(i64::from)
        } else {
            self.take().map(i16::from_be_bytes).map(i64::from)
        }
    }
}

fn cut_off() -> Error {
    Error::broken("the layers of a HEIC photo are cut off")
}
