//! The lines of a picture from top to bottom, with no more of it decoded than a row of tiles.

use heifer_isobmff::HeifFile;

use super::Raster;
use super::colour::Converter;
use super::container;
use super::hevc::{self, Picture};
use super::image::Tiles;
use crate::photo::Error;

/// Lines of RGB.
pub(super) enum Lines<'f> {
    Tiles { file: &'f HeifFile<'f>, tiles: &'f Tiles, row: Option<u32>, decoded: Vec<(Picture, Converter)> },
    Pixels(Raster),
}

impl<'f> Lines<'f> {
    pub(super) fn of_tiles(file: &'f HeifFile<'f>, tiles: &'f Tiles) -> Self {
        Self::Tiles { file, tiles, row: None, decoded: Vec::new() }
    }

    pub(super) fn of_pixels(raster: Raster) -> Self {
        Self::Pixels(raster)
    }

    /// Line `y`, as long as the picture is wide.
    pub(super) fn read(&mut self, y: u32, rgb: &mut [u8]) -> Result<(), Error> {
        match self {
            Self::Pixels(raster) => {
                let start = y as usize * rgb.len();
                rgb.copy_from_slice(&raster.rgb[start..start + rgb.len()]);
            }
            Self::Tiles { file, tiles, row, decoded } => {
                let (width, height) = tiles.tile;
                let own = y / height;
                if *row != Some(own) {
                    decoded.clear();
                    *row = None;
                    for column in 0..tiles.columns {
                        decoded.push(decode(file, tiles, (own * tiles.columns + column) as usize)?);
                    }
                    *row = Some(own);
                }
                for ((picture, converter), part) in decoded.iter().zip(rgb.chunks_mut(width as usize * 3)) {
                    converter.line(picture, y % height, part);
                }
            }
        }
        Ok(())
    }
}

fn decode(file: &HeifFile<'_>, tiles: &Tiles, index: usize) -> Result<(Picture, Converter), Error> {
    let id = tiles.ids[index];
    let config = container::config(file, id)?;
    let data = file.item_data(id).map_err(container::container)?;
    let picture = hevc::decode(config, &data, tiles.demand)?;
    let (width, height) = picture.size();
    if width < tiles.tile.0 || height < tiles.tile.1 {
        return Err(Error::broken("a HEIC picture is smaller than its size"));
    }
    let converter = Converter::new(tiles.meaning(file, id, &picture)?, &picture)?;
    Ok((picture, converter))
}
