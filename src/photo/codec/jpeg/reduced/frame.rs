//! The headers up to the scan (ITU-T T.81, annex B).

use super::huffman::{AcTable, DcTable};
use crate::photo::jpeg_header::{next_marker, segment};

/// Components: luma, blue and red difference.
pub(super) const COMPONENTS: usize = 3;

/// What the headers declare, and the entropy-coded bytes that follow them.
pub(super) struct Frame<'a> {
    pub(super) width: u16,
    pub(super) height: u16,
    /// Blocks of luma in a unit, across and down; chroma has one.
    pub(super) luma: (usize, usize),
    /// Units between restart markers; 0 where there are none.
    pub(super) restart_interval: usize,
    pub(super) components: [Component; COMPONENTS],
    dc: [Option<DcTable>; 4],
    ac: [Option<Box<AcTable>>; 4],
    quantisation: [Option<[u16; 64]>; 4],
    pub(super) scan: &'a [u8],
}

/// One component's choice of tables.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Component {
    id: u8,
    sampling: u8,
    quantisation: u8,
    dc: u8,
    ac: u8,
}

/// One component's tables.
pub(super) struct Tables<'a> {
    pub(super) dc: &'a DcTable,
    pub(super) ac: &'a AcTable,
    /// In the order of the file.
    pub(super) quantisation: &'a [u16; 64],
}

impl<'a> Frame<'a> {
    /// Reads the headers; none for a kind that is left to the library.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut frame = Self {
            width: 0,
            height: 0,
            luma: (0, 0),
            restart_interval: 0,
            components: [Component::default(); COMPONENTS],
            dc: [const { None }; 4],
            ac: [const { None }; 4],
            quantisation: [None; 4],
            scan: &[],
        };
        let (mut jfif, mut adobe) = (false, None);
        let mut rest = bytes.get(2..)?;
        loop {
            let (marker, after) = next_marker(rest)?;
            rest = after;
            let Some(body) = segment(marker, &mut rest).ok()? else { continue };
            match marker {
                0xC0 | 0xC1 => frame.header(body)?,
                0xC4 => frame.huffman(body)?,
                0xDB => frame.quantisation(body)?,
                0xDD => frame.restart_interval = usize::from(u16::from_be_bytes(body.try_into().ok()?)),
                0xE0 => jfif |= body.starts_with(b"JFIF\0"),
                0xEE if body.starts_with(b"Adobe") => adobe = body.get(11).copied(),
                0xDA => {
                    frame.scan_header(body)?;
                    frame.scan = rest;
                    return frame.is_ycbcr(jfif, adobe).then_some(frame);
                }
                // Other frames; a height that comes later; other ways of coding.
                0xC2..=0xCF | 0xD9 | 0xDC => return None,
                _ => {}
            }
        }
    }

    /// A component's tables; none where the file does not define them.
    pub(super) fn tables(&self, component: usize) -> Option<Tables<'_>> {
        let chosen = self.components[component];
        Some(Tables {
            dc: self.dc.get(usize::from(chosen.dc))?.as_ref()?,
            ac: self.ac.get(usize::from(chosen.ac))?.as_ref()?,
            quantisation: self.quantisation.get(usize::from(chosen.quantisation))?.as_ref()?,
        })
    }

    fn header(&mut self, body: &[u8]) -> Option<()> {
        let &[8, h1, h0, w1, w0, 3, ref components @ ..] = body else { return None };
        if self.width > 0 {
            return None;
        }
        (self.width, self.height) = (u16::from_be_bytes([w1, w0]), u16::from_be_bytes([h1, h0]));
        let (triples, []) = components.as_chunks::<3>() else { return None };
        let triples: &[_; COMPONENTS] = triples.try_into().ok()?;
        self.components = triples.map(|[id, sampling, quantisation]| Component {
            id,
            sampling,
            quantisation,
            ..Component::default()
        });
        self.luma = match self.components.map(|component| component.sampling) {
            [luma @ (0x11 | 0x12 | 0x21 | 0x22), 0x11, 0x11] => {
                (usize::from(luma >> 4), usize::from(luma & 15))
            }
            _ => return None,
        };
        (self.width > 0 && self.height > 0).then_some(())
    }

    fn huffman(&mut self, mut body: &[u8]) -> Option<()> {
        while let Some((&kind, after)) = body.split_first() {
            let (counts, after) = after.split_first_chunk::<16>()?;
            let total = counts.iter().map(|&count| usize::from(count)).sum();
            let (symbols, after) = after.split_at_checked(total)?;
            let index = usize::from(kind & 15);
            match kind >> 4 {
                0 => *self.dc.get_mut(index)? = Some(DcTable::new(counts, symbols)?),
                1 => *self.ac.get_mut(index)? = Some(Box::new(AcTable::new(counts, symbols)?)),
                _ => return None,
            }
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

    /// One scan of all components and all coefficients, components in the order of the frame.
    fn scan_header(&mut self, body: &[u8]) -> Option<()> {
        let &[3, a, ta, b, tb, c, tc, 0, 63, 0] = body else { return None };
        for (component, (id, tables)) in self.components.iter_mut().zip([(a, ta), (b, tb), (c, tc)]) {
            if component.id != id {
                return None;
            }
            (component.dc, component.ac) = (tables >> 4, tables & 15);
        }
        (self.width > 0).then_some(())
    }

    /// Whether the components are luma and colour differences, as files say it in several ways.
    fn is_ycbcr(&self, jfif: bool, adobe: Option<u8>) -> bool {
        match self.components.map(|component| component.id) {
            [1, 2, 3] => true,
            [1, 34, 35] | [82, 71, 66] | [114, 103, 98] => false,
            _ => jfif || adobe.is_none_or(|transform| transform == 1),
        }
    }
}
