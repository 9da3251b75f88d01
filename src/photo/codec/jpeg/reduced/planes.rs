//! The scan: entropy-coded units to one plane of samples a component.

use super::frame::{COMPONENTS, Frame, Tables};
use super::{block, idct};
use crate::photo::codec::jpeg::bits::Bits;

/// The first of the eight markers between restart intervals, which follow in turn.
const RESTART: usize = 0xD0;

/// A plane for each component, whole blocks.
pub(super) struct Planes {
    pub(super) each: [Plane; COMPONENTS],
    /// Luma samples to one of chroma, across and down.
    pub(super) luma: (usize, usize),
}

/// Samples of one component, row by row.
pub(super) struct Plane {
    pub(super) samples: Vec<u8>,
    pub(super) stride: usize,
}

impl Planes {
    /// Decodes the scan with `SIDE` × `SIDE` pixels a block (none: it is only read through); none where it is damaged.
    /// What follows the last block does not matter: an end marker may be lacking.
    pub(super) fn decode<const SIDE: usize>(frame: &Frame) -> Option<Self> {
        let (across, down) = frame.luma;
        let columns = usize::from(frame.width).div_ceil(8 * across);
        let rows = usize::from(frame.height).div_ceil(8 * down);
        let plane = |(across, down): (usize, usize)| {
            let stride = columns * across * SIDE;
            Plane { samples: vec![0; stride * rows * down * SIDE], stride }
        };
        let mut planes = Self { each: [plane(frame.luma), plane((1, 1)), plane((1, 1))], luma: frame.luma };
        let mut scan = Scan::<SIDE> {
            bits: Bits::new(frame.scan),
            tables: [frame.tables(0)?, frame.tables(1)?, frame.tables(2)?],
            dc: [0; COMPONENTS],
            luma: frame.luma,
        };
        for y in 0..rows {
            for x in 0..columns {
                scan.restart_before(y * columns + x, frame.restart_interval)?;
                scan.unit(&mut planes.each, x, y)?;
            }
            if scan.bits.overdrawn() {
                return None;
            }
        }
        Some(planes)
    }
}

struct Scan<'a, const SIDE: usize> {
    bits: Bits<'a>,
    tables: [Tables<'a>; COMPONENTS],
    dc: [i32; COMPONENTS],
    luma: (usize, usize),
}

impl<const SIDE: usize> Scan<'_, SIDE> {
    /// Passes the restart marker before the unit number `unit`, where there is one.
    fn restart_before(&mut self, unit: usize, interval: usize) -> Option<()> {
        if interval == 0 || unit == 0 || !unit.is_multiple_of(interval) {
            return Some(());
        }
        self.dc = [0; COMPONENTS];
        let number = (unit / interval - 1) % 8;
        let (marker, after) = self.bits.adjacent_marker()?;
        self.bits = after;
        (usize::from(marker) == RESTART + number).then_some(())
    }

    /// Reads the unit at `x`, `y` (in units): the blocks of luma row by row, then one of each colour.
    #[inline]
    fn unit(&mut self, planes: &mut [Plane; COMPONENTS], x: usize, y: usize) -> Option<()> {
        let (across, down) = self.luma;
        for row in 0..down {
            for column in 0..across {
                self.block(planes, 0, x * across + column, y * down + row)?;
            }
        }
        self.block(planes, 1, x, y)?;
        self.block(planes, 2, x, y)
    }

    #[inline]
    fn block(
        &mut self,
        planes: &mut [Plane; COMPONENTS],
        component: usize,
        x: usize,
        y: usize,
    ) -> Option<()> {
        let low = block::read::<SIDE>(&mut self.bits, &self.tables[component], &mut self.dc[component])?;
        if SIDE == 0 {
            return Some(());
        }
        let plane = &mut planes[component];
        let start = (y * plane.stride + x) * SIDE;
        idct::write::<SIDE>(&low, plane.samples.get_mut(start..)?, plane.stride);
        Some(())
    }
}
