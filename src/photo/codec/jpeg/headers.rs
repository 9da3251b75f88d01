//! The marker segments of a JPEG (ITU-T T.81, annex B), read as libjpeg reads them, which is how browsers do.

use super::huffman::TableSpec;
use super::standard;
use crate::photo::Error;
use crate::photo::jpeg_header::{next_marker, segment};

/// What the segments up to the current scan declare.
pub(super) struct Headers<'a> {
    pub(super) frame: Frame,
    /// By class (DC, AC) and number. Sequential files may leave out the standard ones (libjpeg's `std_huff_tables`).
    huffman: [[Option<TableSpec>; 4]; 2],
    /// Quantisation tables by number, in the order of the file.
    quantisation: [Option<[u16; 64]>; 4],
    /// Units between restart markers; 0 where there are none.
    pub(super) restart_interval: usize,
    jfif: bool,
    /// The colour transform of Adobe's segment.
    adobe: Option<u8>,
    pub(super) scan: Scan,
    /// What follows the scan header, or the last segment that was read.
    pub(super) rest: &'a [u8],
}

/// The frame header.
#[derive(Debug, Clone, Default)]
pub(super) struct Frame {
    pub(super) width: u16,
    pub(super) height: u16,
    pub(super) progressive: bool,
    pub(super) components: Vec<Component>,
}

/// A colour component of the frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Component {
    pub(super) id: u8,
    /// Blocks in a unit, across and down.
    pub(super) sampling: (usize, usize),
    quantisation: u8,
}

/// The scan header.
#[derive(Debug, Clone, Default)]
pub(super) struct Scan {
    pub(super) components: Vec<ScanComponent>,
    /// First and last coefficient, in the order of the file.
    pub(super) band: (usize, usize),
    /// The lowest bit that earlier scans sent, plus one, and the lowest that this one sends.
    pub(super) bits: (u32, u32),
}

/// A component of a scan: its index in the frame and the numbers of its tables.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScanComponent {
    pub(super) index: usize,
    pub(super) dc: usize,
    pub(super) ac: usize,
}

/// What comes after a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Another scan.
    Scan,
    /// The end marker.
    End,
    /// No end marker: the file is over, or goes on with something else.
    Nothing,
}

/// What the components mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colour {
    Grey,
    YCbCr,
    Rgb,
    Cmyk,
    Ycck,
}

/// The most blocks of all components in a unit (ITU-T T.81, B.2.3).
pub(super) const MOST_BLOCKS: usize = 10;

impl<'a> Headers<'a> {
    /// Reads up to the first scan.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut headers = Self {
            frame: Frame::default(),
            huffman: standard::tables(),
            quantisation: [None; 4],
            restart_interval: 0,
            jfif: false,
            adobe: None,
            scan: Scan::default(),
            rest: bytes.get(2..).unwrap_or_default(),
        };
        match headers.next_scan()? {
            Next::Scan => Ok(headers),
            Next::End | Next::Nothing => Err(Error::broken("the JPEG ends before its pixels")),
        }
    }

    /// Reads up to the next scan.
    pub(super) fn next_scan(&mut self) -> Result<Next, Error> {
        while let Some((marker, after)) = next_marker(self.rest) {
            let another = !self.scan.components.is_empty();
            match marker {
                0xD9 => return Ok(Next::End),
                // Another picture.
                0xD8 | 0xC0..=0xC2 if another => return Ok(Next::Nothing),
                _ => {}
            }
            let mut rest = after;
            let body = match segment(marker, &mut rest) {
                Ok(body) => body.unwrap_or_default(),
                Err(_) if another => return Ok(Next::Nothing),
                Err(error) => return Err(error),
            };
            self.rest = rest;
            match marker {
                0xC0..=0xC2 => self.frame = Frame::read(marker, body)?,
                0xC4 => self.huffman(body).ok_or_else(|| Error::broken("a Huffman table is malformed"))?,
                0xDB => {
                    self.quantisation(body)
                        .ok_or_else(|| Error::broken("a quantisation table is cut off"))?;
                }
                0xDD => {
                    let interval =
                        body.first_chunk().ok_or_else(|| Error::broken("the restart interval is cut off"))?;
                    self.restart_interval = u16::from_be_bytes(*interval).into();
                }
                0xE0 => self.jfif |= body.starts_with(b"JFIF\0") && body.len() >= 14,
                0xEE if body.starts_with(b"Adobe") => self.adobe = body.get(11).copied().or(self.adobe),
                0xDA => {
                    self.scan = Scan::read(&self.frame, body)?;
                    return Ok(Next::Scan);
                }
                _ => {}
            }
        }
        self.rest = &[];
        Ok(Next::Nothing)
    }

    /// Whether every coefficient must be held until the last scan was read.
    pub(super) fn holds_coefficients(&self) -> bool {
        self.frame.progressive || self.scan.components.len() < self.frame.components.len()
    }

    /// A component's quantisation table, if it is there.
    pub(super) fn quantisation_of(&self, component: usize) -> Option<&[u16; 64]> {
        let number = self.frame.components.get(component)?.quantisation;
        self.quantisation.get(usize::from(number))?.as_ref()
    }

    /// The DC table `number`; progressive files have no standard ones.
    pub(super) fn dc(&self, number: usize) -> Option<&TableSpec> {
        self.table(0, number)
    }

    /// The AC table `number`.
    pub(super) fn ac(&self, number: usize) -> Option<&TableSpec> {
        self.table(1, number)
    }

    fn table(&self, class: usize, number: usize) -> Option<&TableSpec> {
        let table = self.huffman[class].get(number)?.as_ref()?;
        (!(self.frame.progressive && table.standard)).then_some(table)
    }

    /// What the components mean, as libjpeg decides it (`default_decompress_parms`).
    pub(super) fn colour(&self) -> Colour {
        let ids: Vec<u8> = self.frame.components.iter().map(|component| component.id).collect();
        let named_rgb = ids == *b"RGB";
        match (ids.len(), self.adobe) {
            (1, _) => Colour::Grey,
            (3, adobe) if !self.jfif && (adobe == Some(0) || adobe.is_none() && named_rgb) => Colour::Rgb,
            (3, _) => Colour::YCbCr,
            (_, None | Some(0)) => Colour::Cmyk,
            _ => Colour::Ycck,
        }
    }

    fn huffman(&mut self, mut body: &[u8]) -> Option<()> {
        while let Some((&kind, after)) = body.split_first() {
            let (counts, after) = after.split_first_chunk::<16>()?;
            let total = counts.iter().map(|&count| usize::from(count)).sum();
            let (symbols, after) = after.split_at_checked(total)?;
            let table = TableSpec { counts: *counts, symbols: symbols.to_vec(), standard: false };
            let class = self.huffman.get_mut(usize::from(kind >> 4))?;
            *class.get_mut(usize::from(kind & 15))? = Some(table);
            body = after;
        }
        Some(())
    }

    fn quantisation(&mut self, mut body: &[u8]) -> Option<()> {
        while let Some((&kind, after)) = body.split_first() {
            let mut table = [0; 64];
            body = if kind >> 4 == 0 {
                let (values, after) = after.split_first_chunk::<64>()?;
                table = values.map(u16::from);
                after
            } else {
                let (values, after) = after.split_first_chunk::<128>()?;
                for (entry, value) in table.iter_mut().zip(values.as_chunks().0) {
                    *entry = u16::from_be_bytes(*value);
                }
                after
            };
            *self.quantisation.get_mut(usize::from(kind & 15))? = Some(table);
        }
        Some(())
    }
}

impl Frame {
    fn read(marker: u8, body: &[u8]) -> Result<Self, Error> {
        let cut_off = || Error::broken("the JPEG frame header is cut off");
        let &[8, h1, h0, w1, w0, count, ref components @ ..] = body else { return Err(cut_off()) };
        let triples = components.as_chunks::<3>().0.get(..usize::from(count)).ok_or_else(cut_off)?;
        let mut frame = Self {
            width: u16::from_be_bytes([w1, w0]),
            height: u16::from_be_bytes([h1, h0]),
            progressive: marker == 0xC2,
            components: Vec::with_capacity(triples.len()),
        };
        for &[id, sampling, quantisation] in triples {
            let sampling = match (sampling >> 4, sampling & 15) {
                // One component alone is never interleaved: its factors say nothing.
                (1..=4, 1..=4) if count == 1 => (1, 1),
                (across @ 1..=4, down @ 1..=4) => (across.into(), down.into()),
                _ => return Err(Error::broken("the JPEG has a sampling factor that does not exist")),
            };
            frame.components.push(Component { id, sampling, quantisation });
        }
        Ok(frame)
    }

    /// The largest sampling factors, across and down.
    pub(super) fn most_sampling(&self) -> (usize, usize) {
        let most = |side: fn(&Component) -> usize| self.components.iter().map(side).max().unwrap_or(1);
        (most(|component| component.sampling.0), most(|component| component.sampling.1))
    }

    /// The same frame with the least sampling factors that say the same.
    pub(super) fn with_least_sampling(&self) -> Self {
        let common = |side: fn(&Component) -> usize| {
            (2..=4)
                .rev()
                .find(|by| self.components.iter().all(|each| side(each).is_multiple_of(*by)))
                .unwrap_or(1)
        };
        let by = (common(|each| each.sampling.0), common(|each| each.sampling.1));
        let mut frame = self.clone();
        for Component { sampling, .. } in &mut frame.components {
            *sampling = (sampling.0 / by.0, sampling.1 / by.1);
        }
        frame
    }

    /// Blocks in a unit.
    pub(super) fn blocks(&self) -> usize {
        self.components.iter().map(|each| each.sampling.0 * each.sampling.1).sum()
    }

    /// Interleaved units, across and down.
    pub(super) fn units(&self) -> (usize, usize) {
        let (across, down) = self.most_sampling();
        (usize::from(self.width).div_ceil(8 * across), usize::from(self.height).div_ceil(8 * down))
    }
}

impl Scan {
    fn read(frame: &Frame, body: &[u8]) -> Result<Self, Error> {
        let cut_off = || Error::broken("a JPEG scan header is cut off");
        let (&count, rest) = body.split_first().ok_or_else(cut_off)?;
        let (pairs, rest) = rest.split_at_checked(2 * usize::from(count)).ok_or_else(cut_off)?;
        let &[first, last, approximation, ..] = rest else { return Err(cut_off()) };
        let mut components: Vec<ScanComponent> = Vec::with_capacity(usize::from(count));
        for &[id, tables] in pairs.as_chunks::<2>().0 {
            let index = frame.components.iter().position(|component| component.id == id);
            let index = index.filter(|index| components.iter().all(|other| other.index != *index));
            let index =
                index.ok_or_else(|| Error::broken("a JPEG scan names a component that the frame has not"))?;
            components.push(ScanComponent { index, dc: (tables >> 4).into(), ac: (tables & 15).into() });
        }
        let blocks = |component: &ScanComponent| {
            let (across, down) = frame.components[component.index].sampling;
            across * down
        };
        if components.is_empty() || (count > 1 && components.iter().map(blocks).sum::<usize>() > MOST_BLOCKS)
        {
            return Err(Error::broken("a JPEG scan has no blocks, or too many in a unit"));
        }
        let (band, bits) = if frame.progressive {
            ((first.into(), last.into()), ((approximation >> 4).into(), (approximation & 15).into()))
        } else {
            ((0, 63), (0, 0))
        };
        let scan = Self { components, band, bits };
        if frame.progressive && !scan.is_progression() {
            return Err(Error::broken("a progressive JPEG scan has a range that does not exist"));
        }
        Ok(scan)
    }

    /// As libjpeg checks it (`start_pass_phuff_decoder`).
    fn is_progression(&self) -> bool {
        let ((first, last), (high, low)) = (self.band, self.bits);
        let band =
            if first == 0 { last == 0 } else { first <= last && last < 64 && self.components.len() == 1 };
        band && low <= 13 && (high == 0 || high == low + 1)
    }
}
