//! The coefficients of a picture, and which of them came.

use super::blocks::{Block, Coding, State, Tables};
use super::{Entropy, Repaired};
use crate::photo::Error;
use crate::photo::codec::jpeg::headers::{Frame, Headers};
use crate::photo::codec::jpeg::huffman::{Codes, TableSpec};

/// The lowest bit that came of a coefficient of which none did.
const NOTHING: u8 = u8::MAX;
/// A row counts as there when no more than this many bits of its coefficients are missing: that is a file saved at half
/// the quality, and no less of a photo.
const MOST_MISSING_BITS: u8 = 1;

pub(super) struct Picture {
    frame: Frame,
    planes: Vec<Plane>,
    /// Whether a scan lacked a row.
    damaged: bool,
}

/// A component's blocks.
struct Plane {
    blocks: Vec<Block>,
    /// Blocks in a row of units.
    across: usize,
    /// Rows of units that are held at a time.
    held: usize,
    /// Rows of blocks in a row of units.
    down: usize,
    /// The table of the component's first scan, as in libjpeg (`latch_quant_tables`).
    quantisation: Option<[u16; 64]>,
    /// For each row of units and each coefficient, the lowest bit that came.
    lowest: Vec<[u8; 64]>,
}

impl Plane {
    /// Where the block at `x`, `y` (in blocks) is held.
    fn place(&self, x: usize, y: usize) -> usize {
        y % (self.held * self.down) * self.across + x
    }
}

impl Picture {
    /// The block of a component at `x`, `y` (in blocks).
    pub(super) fn block(&self, component: usize, x: usize, y: usize) -> &Block {
        let plane = &self.planes[component];
        &plane.blocks[plane.place(x, y)]
    }

    /// A component's quantisation table; of ones where no scan named the component.
    pub(super) fn quantisation(&self, component: usize) -> [u16; 64] {
        self.planes[component].quantisation.unwrap_or([1; 64])
    }

    /// Room for `held` rows of units.
    pub(super) fn new(headers: &Headers, held: usize) -> Result<Self, Error> {
        let frame = headers.frame.clone();
        let (across, rows) = frame.units();
        if across == 0 || rows == 0 {
            return Err(Error::broken("the JPEG declares no pixels"));
        }
        let plane = |(h, down): (usize, usize)| Plane {
            blocks: vec![[0; 64]; across * h * down * held],
            across: across * h,
            held,
            down,
            quantisation: None,
            lowest: vec![[NOTHING; 64]; rows],
        };
        let planes = frame.components.iter().map(|component| plane(component.sampling)).collect();
        Ok(Self { frame, planes, damaged: false })
    }

    /// Takes the quantisation tables of the components that are in a scan for the first time.
    pub(super) fn take_tables(&mut self, headers: &Headers) -> Result<(), Error> {
        for each in &headers.scan.components {
            let table = &mut self.planes[each.index].quantisation;
            if table.is_none() {
                let found = headers.quantisation_of(each.index);
                *table = Some(*found.ok_or_else(|| Error::broken("a JPEG scan has no quantisation table"))?);
            }
        }
        Ok(())
    }

    /// Reads a scan; `after_row` is called after each row of units of all components. Gives the bytes after the scan.
    pub(super) fn scan<'a>(
        &mut self,
        headers: &Headers<'a>,
        mut after_row: impl FnMut(&mut Self, usize),
    ) -> Result<&'a [u8], Error> {
        let coding = if headers.frame.progressive {
            Coding::progressive(headers.scan.band, headers.scan.bits)
        } else {
            Coding::Sequential
        };
        let units = Units::of(headers);
        let mut reader = Reader {
            entropy: Entropy::new(headers.rest, headers.restart_interval),
            tables: tables(headers, coding)?,
            state: State::default(),
            coding,
            units,
        };
        for row in 0..units.rows.div_ceil(units.rows_held_together) {
            let mut whole = true;
            let first = row * units.rows_held_together;
            for y in first..units.rows.min(first + units.rows_held_together) {
                whole &= reader.row(headers, self, y);
            }
            if whole {
                self.came(headers, row);
            }
            self.damaged |= !whole;
            after_row(self, row);
        }
        Ok(reader.entropy.rest())
    }

    /// Makes the blocks held zero again.
    pub(super) fn clear(&mut self) {
        for plane in &mut self.planes {
            plane.blocks.fill([0; 64]);
        }
    }

    /// Notes that the scan sent a row of units.
    fn came(&mut self, headers: &Headers, row: usize) {
        let (first, last) = headers.scan.band;
        let low = headers.scan.bits.1 as u8;
        for each in &headers.scan.components {
            for lowest in &mut self.planes[each.index].lowest[row][first..=last] {
                *lowest = low.min(*lowest);
            }
        }
    }

    /// The picture's file written anew as `bytes`; `ended` if the end marker was met.
    pub(super) fn repaired(&self, bytes: Vec<u8>, ended: bool) -> Repaired {
        let height = usize::from(self.frame.height);
        let down = 8 * self.frame.most_sampling().1;
        let all = |row: usize, missing: u8, first: usize| {
            self.planes.iter().all(|plane| plane.lowest[row][..first].iter().all(|&lowest| lowest <= missing))
        };
        let rows = self.frame.units().1;
        let finished = (0..rows).all(|row| all(row, 0, 64));
        // A file that ends as it should may leave out what it likes but the blocks' means.
        let whole = finished || (ended && !self.damaged && (0..rows).all(|row| all(row, NOTHING - 1, 1)));
        let there = (0..rows).filter(|&row| whole || all(row, MOST_MISSING_BITS, 64));
        let rows = there.map(|row| down.min(height - row * down)).sum::<usize>() as u32;
        Repaired { bytes, rows, whole }
    }
}

/// The units of a scan.
#[derive(Clone, Copy)]
struct Units {
    across: usize,
    rows: usize,
    /// Rows that make up a row of units of all components.
    rows_held_together: usize,
    interleaved: bool,
}

impl Units {
    /// A component alone is not padded to whole units of all components (ITU-T T.81, A.2.2).
    fn of(headers: &Headers) -> Self {
        let frame = &headers.frame;
        if let [alone] = *headers.scan.components {
            let (across, down) = frame.components[alone.index].sampling;
            let most = frame.most_sampling();
            let blocks = |side: u16, own: usize, most: usize| (usize::from(side) * own).div_ceil(8 * most);
            Self {
                across: blocks(frame.width, across, most.0),
                rows: blocks(frame.height, down, most.1),
                rows_held_together: down,
                interleaved: false,
            }
        } else {
            let (across, rows) = frame.units();
            Self { across, rows, rows_held_together: 1, interleaved: true }
        }
    }
}

/// What a scan is read with.
struct Reader<'a> {
    entropy: Entropy<'a>,
    tables: Vec<Tables>,
    state: State,
    coding: Coding,
    units: Units,
}

impl Reader<'_> {
    /// Reads row `y` of the scan's units: whether all of it was there.
    fn row(&mut self, headers: &Headers, picture: &mut Picture, y: usize) -> bool {
        if self.entropy.is_over() {
            return false;
        }
        let mut whole = true;
        for x in 0..self.units.across {
            if self.entropy.before_unit() {
                self.state = State::default();
            }
            if self.entropy.has_data() {
                self.unit(headers, picture, x, y);
            }
            whole &= self.entropy.after_unit();
        }
        whole
    }

    fn unit(&mut self, headers: &Headers, picture: &mut Picture, x: usize, y: usize) {
        for (place, each) in headers.scan.components.iter().enumerate() {
            let (across, down) =
                if self.units.interleaved { picture.frame.components[each.index].sampling } else { (1, 1) };
            let plane = &mut picture.planes[each.index];
            for row in 0..down {
                for column in 0..across {
                    let at = plane.place(x * across + column, y * down + row);
                    let block = &mut plane.blocks[at];
                    let tables = &self.tables[place];
                    self.coding.read(&mut self.entropy, tables, &mut self.state, place, block);
                }
            }
        }
    }
}

/// The tables of the scan's components.
fn tables(headers: &Headers, coding: Coding) -> Result<Vec<Tables>, Error> {
    let missing = || Error::broken("a JPEG scan has no Huffman table");
    let codes = |wanted: bool, table: Option<&TableSpec>| {
        wanted.then(|| table.and_then(Codes::new).ok_or_else(missing)).transpose()
    };
    let (dc, ac) = coding.takes();
    let each = headers.scan.components.iter();
    each.map(|each| Ok(Tables { dc: codes(dc, headers.dc(each.dc))?, ac: codes(ac, headers.ac(each.ac))? }))
        .collect()
}
