//! What an item of the container shows, from its declaration to pixels.

use heifer_isobmff::{HeifFile, ItemId};

use super::Raster;
use super::colour::Colours;
use super::container::{self, container as container_error};
use super::hevc::Demand;
use super::lines::Lines;
use super::overlay::Overlay;
use super::view::View;
use crate::domain::geometry::{Size, Stored};
use crate::photo::Error;
use crate::photo::codec::reduce::Reducer;
use crate::photo::header::Memory;

/// Most derivations of one item from another. Phones need one: a grid.
const MAX_DEPTH: u32 = 4;

/// An image item with all that is done to it.
#[derive(Debug)]
pub(super) struct Image {
    pub(super) source: Source,
    /// The plane that says how opaque each pixel is, and whether colours are multiplied by it.
    alpha: Option<(Box<Image>, bool)>,
    view: View,
}

/// Where pixels come from.
#[derive(Debug)]
pub(super) enum Source {
    Tiles(Tiles),
    Overlay(Overlay),
}

/// Coded pictures side by side; a picture of its own is one of one.
#[derive(Debug)]
pub(super) struct Tiles {
    pub(super) ids: Vec<ItemId>,
    pub(super) columns: u32,
    /// Width and height of a tile.
    pub(super) tile: (u32, u32),
    /// Width and height of all of them, without what stands over.
    pub(super) size: (u32, u32),
    /// What the grid's own `colr` box says, which goes before the tiles'.
    pub(super) colours: Option<(u16, u16, bool)>,
    pub(super) demand: Demand,
}

impl Image {
    /// The picture that the file shows.
    pub(super) fn primary(file: &HeifFile<'_>) -> Result<Self, Error> {
        Self::item(file, file.primary_id, 0)
    }

    pub(super) fn item(file: &HeifFile<'_>, id: ItemId, depth: u32) -> Result<Self, Error> {
        if depth > MAX_DEPTH {
            return Err(Error::broken("HEIC pictures are derived from each other too deeply"));
        }
        let item = file.item(id).map_err(container_error)?;
        let mut image = match &item.item_type.0 {
            b"hvc1" => Self::plain(Source::Tiles(Tiles::single(file, id)?)),
            b"grid" => Self::plain(Source::Tiles(Tiles::grid(file, id)?)),
            b"iovl" => Self::plain(Source::Overlay(Overlay::read(file, id, depth)?)),
            b"iden" => match file.referenced_items(id, b"dimg") {
                [source] => Self::item(file, *source, depth + 1)?,
                _ => return Err(Error::broken("a HEIC picture is derived from none or several")),
            },
            b"av01" => return Err(Error::unsupported("an AVIF picture")),
            other => {
                let kind = other.escape_ascii();
                return Err(Error::unsupported(format!("a HEIF picture coded as \"{kind}\"")));
            }
        };
        if let Some((plane, multiplied)) = container::alpha(file, id).filter(|_| depth <= MAX_DEPTH) {
            image.alpha = Some((Box::new(Self::item(file, plane, MAX_DEPTH)?), multiplied));
        }
        for property in file.item_properties(id).map_err(container_error)? {
            image.view = image.view.then(property)?;
        }
        Ok(image)
    }

    fn plain(source: Source) -> Self {
        let (width, height) = source.size();
        Self { source, alpha: None, view: View::whole(width, height) }
    }

    /// Its size once cut and turned.
    pub(super) fn upright(&self) -> Size<Stored> {
        let Size { width, height, .. } = self.view.size();
        Size::new(width, height)
    }

    /// What rendering it takes.
    pub(super) fn memory(&self) -> Memory {
        let own = self.source.memory();
        match &self.alpha {
            None => own,
            Some((alpha, _)) => {
                let alpha = alpha.source.memory();
                Memory { kept: own.kept + alpha.kept, working: own.working.max(alpha.working), per_pixel: 3 }
            }
        }
    }

    /// Its pixels at one `reduction`th of the size; what is transparent is laid on white.
    pub(super) fn render(&self, file: &HeifFile<'_>, reduction: u32) -> Result<Raster, Error> {
        let mut lines = self.source.lines(file)?;
        let mut alpha = match &self.alpha {
            None => None,
            Some((image, multiplied)) => Some((image.source.lines(file)?, image.source.size(), *multiplied)),
        };
        let (width, height) = self.source.size();
        let part = self.view.part;
        let mut line = vec![0; width as usize * 3];
        let mut opacity =
            alpha.as_ref().map_or_else(Vec::new, |(_, (width, _), _)| vec![0; *width as usize * 3]);
        let mut reducer = Reducer::new((part.width, part.height), reduction, self.view.orientation());
        let inside = part.left as usize * 3..(part.left + part.width) as usize * 3;
        for y in part.top..part.top + part.height {
            lines.read(y, &mut line)?;
            if let Some((lines, (_, rows), multiplied)) = &mut alpha {
                lines.read((u64::from(y) * u64::from(*rows) / u64::from(height)) as u32, &mut opacity)?;
                lay_on_white(&mut line, &opacity, *multiplied);
            }
            reducer.push(&line[inside.clone()]);
        }
        Ok(reducer.finish())
    }
}

/// Lays a line of RGB on white. `opacity` is grey as RGB, perhaps of another width.
fn lay_on_white(line: &mut [u8], opacity: &[u8], multiplied: bool) {
    let (width, own) = (line.len() / 3, opacity.len() / 3);
    for (x, pixel) in line.chunks_exact_mut(3).enumerate() {
        let alpha = u32::from(opacity[x * own / width * 3]);
        for channel in pixel {
            let share = if multiplied { 255 } else { alpha };
            let value = (u32::from(*channel) * share + 255 * (255 - alpha) + 127) / 255;
            *channel = value.min(255) as u8;
        }
    }
}

impl Source {
    fn size(&self) -> (u32, u32) {
        match self {
            Self::Tiles(tiles) => tiles.size,
            Self::Overlay(overlay) => overlay.size,
        }
    }

    fn memory(&self) -> Memory {
        match self {
            Self::Tiles(tiles) => tiles.memory(),
            Self::Overlay(overlay) => overlay.memory(),
        }
    }

    fn lines<'f>(&'f self, file: &'f HeifFile<'f>) -> Result<Lines<'f>, Error> {
        match self {
            Self::Tiles(tiles) => Ok(Lines::of_tiles(file, tiles)),
            Self::Overlay(overlay) => Ok(Lines::of_pixels(overlay.draw(file)?)),
        }
    }
}

impl Tiles {
    fn single(file: &HeifFile<'_>, id: ItemId) -> Result<Self, Error> {
        let size = file.image_size(id).map_err(container_error)?;
        let size = size.filter(|(width, height)| *width > 0 && *height > 0);
        let size = size.ok_or_else(|| Error::broken("a HEIC picture has no size"))?;
        let demand = Demand::of(container::config(file, id)?)?;
        if size.0 > demand.coded.0 || size.1 > demand.coded.1 {
            return Err(Error::broken("a HEIC picture is smaller than its size"));
        }
        Ok(Self { ids: vec![id], columns: 1, tile: size, size, colours: container::nclx(file, id)?, demand })
    }

    fn grid(file: &HeifFile<'_>, id: ItemId) -> Result<Self, Error> {
        let grid = file.grid(id).map_err(container_error)?;
        let ids = file.referenced_items(id, b"dimg").to_vec();
        let (columns, rows) = (u32::from(grid.columns), u32::from(grid.rows));
        let first = match ids.first() {
            Some(first) if ids.len() == columns as usize * rows as usize => Self::single(file, *first)?,
            _ => return Err(Error::broken("tiles of the HEIC photo are missing")),
        };
        let (across, down) = first.tile;
        let size = (grid.output_width, grid.output_height);
        let covers = |tile: u32, count: u32, side: u32| {
            side > 0 && u64::from(side) <= u64::from(tile) * u64::from(count)
        };
        if !covers(across, columns, size.0) || !covers(down, rows, size.1) {
            return Err(Error::broken("the tiles of the HEIC photo do not cover it"));
        }
        for tile in &ids {
            if file.item(*tile).map_err(container_error)?.item_type.0 != *b"hvc1" {
                return Err(Error::unsupported("a HEIC photo whose tiles are not plain HEVC pictures"));
            }
        }
        Ok(Self { ids, columns, size, colours: container::nclx(file, id)?, ..first })
    }

    /// A row of tiles is kept; one tile at a time is worked on.
    fn memory(&self) -> Memory {
        let kept = self.demand.planes * u64::from(self.columns);
        Memory { kept, working: self.demand.working, per_pixel: 3 }
    }

    /// What a tile's samples mean.
    pub(super) fn colours(&self, file: &HeifFile<'_>, id: ItemId) -> Result<Option<(u16, u16, bool)>, Error> {
        match self.colours {
            Some(own) => Ok(Some(own)),
            None => container::nclx(file, id),
        }
    }
}

impl Tiles {
    /// Colours of a decoded tile.
    pub(super) fn meaning(
        &self,
        file: &HeifFile<'_>,
        id: ItemId,
        picture: &super::hevc::Picture,
    ) -> Result<Colours, Error> {
        Ok(Colours::of(self.colours(file, id)?, picture.vui()))
    }
}
