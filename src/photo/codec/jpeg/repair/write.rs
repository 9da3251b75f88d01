//! A picture's coefficients as a sequential JPEG of one scan (ITU-T T.81, B.2 and F.1.2).

use super::blocks::Block;
use super::picture::Picture;
use crate::photo::Error;
use crate::photo::codec::jpeg::headers::{Colour, Frame, Headers, MOST_BLOCKS};
use crate::photo::codec::jpeg::huffman::TableSpec;
use crate::photo::codec::jpeg::standard;

/// The largest coefficients that 8-bit samples lead to; larger ones are damage and would have no code.
const MOST_DC: i16 = 1023;
const MOST_AC: i16 = 1023;
/// Sixteen zeros, and the end of a block, as symbols.
const ZEROS: usize = 0xF0;
const END: usize = 0;

pub(super) struct Writer {
    out: Vec<u8>,
    /// Bits that are not written yet, the last ones of `pending`.
    bits: u64,
    pending: u32,
    /// Blocks in a unit, across and down, and the component's last DC coefficient.
    components: Vec<((usize, usize), i16)>,
    units: usize,
    /// Rows of units.
    pub(super) rows: usize,
    dc: Codes,
    ac: Codes,
}

impl Writer {
    pub(super) fn new(frame: &Frame) -> Result<Self, Error> {
        // Only scans of single components may have more.
        let least = if frame.blocks() > MOST_BLOCKS { frame.with_least_sampling() } else { frame.clone() };
        if least.blocks() > MOST_BLOCKS {
            return Err(Error::unsupported("a JPEG with more than ten blocks in a unit"));
        }
        let (units, rows) = least.units();
        let [[dc, ..], [ac, ..]] = standard::tables();
        let codes = |table: Option<TableSpec>| table.as_ref().map_or_else(Codes::default, Codes::of);
        Ok(Self {
            out: Vec::new(),
            bits: 0,
            pending: 0,
            components: least.components.iter().map(|each| (each.sampling, 0)).collect(),
            units,
            rows,
            dc: codes(dc),
            ac: codes(ac),
        })
    }

    /// Writes all that comes before the first block.
    pub(super) fn start(&mut self, headers: &Headers, picture: &Picture) {
        let frame = &headers.frame;
        let count = frame.components.len() as u8;
        self.out.extend([0xFF, 0xD8]);
        let transform = match headers.colour() {
            Colour::Grey | Colour::Rgb | Colour::Cmyk => 0,
            Colour::YCbCr => 1,
            Colour::Ycck => 2,
        };
        self.segment(0xEE, &[b"Adobe\0\x64\0\0\0\0".as_slice(), &[transform]].concat());
        for component in 0..count {
            let table = picture.quantisation(component.into()).into_iter().flat_map(u16::to_be_bytes);
            self.segment(0xDB, &std::iter::once(0x10 | component).chain(table).collect::<Vec<_>>());
        }
        let [h1, h0] = frame.height.to_be_bytes();
        let [w1, w0] = frame.width.to_be_bytes();
        let components = (0..count).zip(&self.components);
        let components = components.flat_map(|(id, ((h, v), _))| [id + 1, (h << 4 | v) as u8, id]);
        let body: Vec<u8> = [8, h1, h0, w1, w0, count].into_iter().chain(components).collect();
        self.segment(0xC1, &body);
        let [[dc, ..], [ac, ..]] = standard::tables();
        for (class, table) in [(0x00, dc), (0x10, ac)] {
            let Some(table) = table else { continue };
            self.segment(0xC4, &[[class].as_slice(), &table.counts, &table.symbols].concat());
        }
        let ids = (0..count).flat_map(|id| [id + 1, 0]);
        self.segment(0xDA, &std::iter::once(count).chain(ids).chain([0, 63, 0]).collect::<Vec<_>>());
    }

    /// Writes row `row` of units.
    pub(super) fn row(&mut self, picture: &Picture, row: usize) {
        for unit in 0..self.units {
            for component in 0..self.components.len() {
                let (across, down) = self.components[component].0;
                for y in row * down..(row + 1) * down {
                    for x in unit * across..(unit + 1) * across {
                        self.block(component, picture.block(component, x, y));
                    }
                }
            }
        }
    }

    /// The file.
    pub(super) fn finish(mut self) -> Vec<u8> {
        // Padded with ones.
        self.put((0x7F, 7), 0, 0);
        while self.pending >= 8 {
            self.pending -= 8;
            self.out_one((self.bits >> self.pending) as u8);
        }
        self.out.extend([0xFF, 0xD9]);
        self.out
    }

    fn segment(&mut self, marker: u8, body: &[u8]) {
        self.out.extend([0xFF, marker]);
        self.out.extend((body.len() as u16 + 2).to_be_bytes());
        self.out.extend(body);
    }

    fn block(&mut self, component: usize, block: &Block) {
        let dc = block[0].clamp(-MOST_DC - 1, MOST_DC);
        let last = std::mem::replace(&mut self.components[component].1, dc);
        let (bits, size) = bits_of(dc - last);
        self.put(self.dc.0[size as usize], bits, size);
        // A bit for each coefficient that is not zero: most are.
        let mut left = block[1..].iter().rev().fold(0_u64, |left, &value| left << 1 | u64::from(value != 0));
        let mut index = 1;
        while left != 0 {
            let mut zeros = left.trailing_zeros() as usize;
            index += zeros;
            left = left >> zeros >> 1;
            while zeros > 15 {
                self.put(self.ac.0[ZEROS], 0, 0);
                zeros -= 16;
            }
            let (bits, size) = bits_of(block[index].clamp(-MOST_AC, MOST_AC));
            self.put(self.ac.0[zeros << 4 | size as usize], bits, size);
            index += 1;
        }
        if index < block.len() {
            self.put(self.ac.0[END], 0, 0);
        }
    }

    /// Writes a code and the `size` (at most 15) bits that follow it.
    #[inline]
    fn put(&mut self, (code, length): (u32, u32), bits: u32, size: u32) {
        self.bits = (self.bits << length | u64::from(code)) << size | u64::from(bits);
        self.pending += length + size;
        if self.pending >= 32 {
            self.pending -= 32;
            let four = (self.bits >> self.pending) as u32;
            self.out_four(four);
        }
    }

    #[inline]
    fn out_four(&mut self, four: u32) {
        let bytes = four.to_be_bytes();
        if bytes.contains(&0xFF) {
            for byte in bytes {
                self.out_one(byte);
            }
        } else {
            self.out.extend_from_slice(&bytes);
        }
    }

    /// A zero is stuffed after 0xFF.
    fn out_one(&mut self, byte: u8) {
        self.out.push(byte);
        if byte == 0xFF {
            self.out.push(0);
        }
    }
}

/// The bits that stand for `value`, and how many they are (ITU-T T.81, F.1.2.1).
fn bits_of(value: i16) -> (u32, u32) {
    let size = i16::BITS - value.unsigned_abs().leading_zeros();
    let bits = if value < 0 { value - 1 } else { value };
    (u32::from(bits.cast_unsigned()) & ((1 << size) - 1), size)
}

/// For each symbol its code and the code's length.
struct Codes(Vec<(u32, u32)>);

impl Default for Codes {
    fn default() -> Self {
        Self(vec![(0, 0); 256])
    }
}

impl Codes {
    fn of(table: &TableSpec) -> Self {
        let mut codes = Self::default();
        let mut symbols = table.symbols.iter();
        let mut code = 0;
        for (length, &count) in (1..).zip(&table.counts) {
            for &symbol in symbols.by_ref().take(count.into()) {
                codes.0[usize::from(symbol)] = (code, length);
                code += 1;
            }
            code <<= 1;
        }
        codes
    }
}
