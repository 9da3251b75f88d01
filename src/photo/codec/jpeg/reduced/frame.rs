//! Which files are read here, and their tables.

use crate::photo::codec::jpeg::headers::{Colour, Headers};
use crate::photo::codec::jpeg::huffman::{AcTable, DcTable};

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
    components: [Component<'a>; COMPONENTS],
    dc: [Option<DcTable>; 4],
    ac: [Option<Box<AcTable>>; 4],
    pub(super) scan: &'a [u8],
}

/// One component's choice of tables.
#[derive(Clone, Copy)]
struct Component<'a> {
    dc: usize,
    ac: usize,
    quantisation: &'a [u16; 64],
}

/// One component's tables.
pub(super) struct Tables<'a> {
    pub(super) dc: &'a DcTable,
    pub(super) ac: &'a AcTable,
    /// In the order of the file.
    pub(super) quantisation: &'a [u16; 64],
}

impl<'a> Frame<'a> {
    /// None for a kind that is left to the library.
    pub(super) fn of(headers: &'a Headers<'a>) -> Option<Self> {
        let (frame, scan) = (&headers.frame, &headers.scan);
        let [luma, (1, 1), (1, 1)] = *frame.components.iter().map(|each| each.sampling).collect::<Vec<_>>()
        else {
            return None;
        };
        let in_order = scan.components.iter().map(|each| each.index).eq(0..COMPONENTS);
        let usual = !frame.progressive && in_order && luma.0 <= 2 && luma.1 <= 2;
        if !usual || frame.width == 0 || frame.height == 0 || headers.colour() != Colour::YCbCr {
            return None;
        }
        let (mut dc, mut ac) = ([const { None }; 4], [const { None }; 4]);
        let mut components = Vec::with_capacity(COMPONENTS);
        for each in &scan.components {
            let (dc, ac) = (dc.get_mut(each.dc)?, ac.get_mut(each.ac)?);
            if dc.is_none() {
                *dc = Some(DcTable::new(headers.dc(each.dc)?)?);
            }
            if ac.is_none() {
                *ac = Some(Box::new(AcTable::new(headers.ac(each.ac)?)?));
            }
            let quantisation = headers.quantisation_of(each.index)?;
            components.push(Component { dc: each.dc, ac: each.ac, quantisation });
        }
        Some(Self {
            width: frame.width,
            height: frame.height,
            luma,
            restart_interval: headers.restart_interval,
            components: components.try_into().ok()?,
            dc,
            ac,
            scan: headers.rest,
        })
    }

    /// A component's tables.
    pub(super) fn tables(&self, component: usize) -> Option<Tables<'_>> {
        let Component { dc, ac, quantisation } = self.components[component];
        Some(Tables { dc: self.dc[dc].as_ref()?, ac: self.ac[ac].as_ref()?, quantisation })
    }
}
