//! The blocks of a scan (ITU-T T.81, F.2.2 and G.2), coefficients in the order of the file.

use super::entropy::Entropy;
use crate::photo::codec::jpeg::huffman::Codes;

/// The coefficients of a block.
pub(super) type Block = [i16; 64];

/// The tables of a component in a scan; a table that the scan does not need may be missing.
pub(super) struct Tables {
    pub(super) dc: Option<Codes>,
    pub(super) ac: Option<Codes>,
}

/// What a scan sends of each block, and how.
#[derive(Clone, Copy)]
pub(super) enum Coding {
    /// All coefficients.
    Sequential,
    /// The DC coefficient, without its `low` lowest bits.
    DcFirst { low: u32 },
    /// One more bit of the DC coefficient.
    DcRefined { low: u32 },
    /// The coefficients `first` to `last`, without their `low` lowest bits.
    AcFirst { first: usize, last: usize, low: u32 },
    /// One more bit of them.
    AcRefined { first: usize, last: usize, low: u32 },
}

/// What goes over from one block to the next.
#[derive(Default, Clone, Copy)]
pub(super) struct State {
    /// The last DC coefficient, for each component of the scan.
    pub(super) dc: [i32; 4],
    /// Blocks that end with the band they are in, this one included.
    ended: u32,
}

impl Coding {
    /// Of a scan of the coefficients `band` with the bit positions `bits` of a progressive file.
    pub(super) fn progressive((first, last): (usize, usize), (high, low): (u32, u32)) -> Self {
        match (first, high) {
            (0, 0) => Self::DcFirst { low },
            (0, _) => Self::DcRefined { low },
            (_, 0) => Self::AcFirst { first, last, low },
            _ => Self::AcRefined { first, last, low },
        }
    }

    /// Whether it takes a DC and an AC table.
    pub(super) fn takes(self) -> (bool, bool) {
        match self {
            Self::Sequential => (true, true),
            Self::DcFirst { .. } => (true, false),
            Self::DcRefined { .. } => (false, false),
            Self::AcFirst { .. } | Self::AcRefined { .. } => (false, true),
        }
    }

    /// Reads one block of the scan's component number `place`.
    pub(super) fn read(
        self,
        entropy: &mut Entropy,
        tables: &Tables,
        state: &mut State,
        place: usize,
        block: &mut Block,
    ) {
        let dc = &mut state.dc[place];
        match (self, &tables.dc, &tables.ac) {
            (Self::Sequential, Some(dc_codes), Some(ac_codes)) => {
                block[0] = next_dc(entropy, dc_codes, dc) as i16;
                all(entropy, ac_codes, block);
            }
            (Self::DcFirst { low }, Some(codes), _) => block[0] = (next_dc(entropy, codes, dc) << low) as i16,
            (Self::DcRefined { low }, ..) => block[0] |= (entropy.unsigned(1) << low) as i16,
            (Self::AcFirst { first, last, low }, _, Some(codes)) => {
                band(entropy, codes, &mut state.ended, &mut block[..=last], first, low);
            }
            (Self::AcRefined { first, last, low }, _, Some(codes)) => {
                refine(entropy, codes, &mut state.ended, &mut block[..=last], first, low);
            }
            _ => entropy.lose(),
        }
    }
}

fn next_dc(entropy: &mut Entropy, codes: &Codes, dc: &mut i32) -> i32 {
    let category = entropy.symbol(codes) & 15;
    *dc = dc.wrapping_add(entropy.signed(category));
    *dc
}

fn all(entropy: &mut Entropy, codes: &Codes, block: &mut Block) {
    let mut index = 1;
    while index < block.len() {
        let symbol = entropy.symbol(codes);
        let (zeros, size) = (usize::from(symbol >> 4), symbol & 15);
        if size == 0 && zeros != 15 {
            break;
        }
        index += zeros;
        if size > 0 {
            let value = entropy.signed(size);
            match block.get_mut(index) {
                Some(coefficient) => *coefficient = value as i16,
                None => entropy.lose(),
            }
        }
        index += 1;
    }
}

/// The first look at coefficients `first` to the end of `block`.
fn band(entropy: &mut Entropy, codes: &Codes, ended: &mut u32, block: &mut [i16], first: usize, low: u32) {
    if *ended > 0 {
        *ended -= 1;
        return;
    }
    let mut index = first;
    while index < block.len() {
        let symbol = entropy.symbol(codes);
        let (zeros, size) = (symbol >> 4, symbol & 15);
        if size == 0 && zeros != 15 {
            *ended = (1 << zeros) + entropy.unsigned(zeros) - 1;
            break;
        }
        index += usize::from(zeros);
        if size > 0 {
            let value = entropy.signed(size);
            match block.get_mut(index) {
                Some(coefficient) => *coefficient = (value << low) as i16,
                None => entropy.lose(),
            }
        }
        index += 1;
    }
}

/// One more bit of the coefficients `first` to the end of `block`; some become more than zero by it.
fn refine(entropy: &mut Entropy, codes: &Codes, ended: &mut u32, block: &mut [i16], first: usize, low: u32) {
    let bit = 1_i16 << low;
    let mut index = first;
    while *ended == 0 && index < block.len() {
        let symbol = entropy.symbol(codes);
        let (mut zeros, size) = (symbol >> 4, symbol & 15);
        if size == 0 && zeros != 15 {
            *ended = (1 << zeros) + entropy.unsigned(zeros);
            break;
        }
        if size > 1 {
            entropy.lose();
        }
        let value = match size {
            0 => 0,
            _ if entropy.unsigned(1) == 1 => bit,
            _ => -bit,
        };
        // The zeros are those that stay; what is not zero already lies between them.
        while let Some(coefficient) = block.get_mut(index) {
            if *coefficient != 0 {
                sharpen(entropy, coefficient, bit);
            } else if zeros == 0 {
                *coefficient = value;
                break;
            } else {
                zeros -= 1;
            }
            index += 1;
        }
        index += 1;
    }
    if *ended > 0 {
        for coefficient in block.iter_mut().skip(index).filter(|coefficient| **coefficient != 0) {
            sharpen(entropy, coefficient, bit);
        }
        *ended -= 1;
    }
}

fn sharpen(entropy: &mut Entropy, coefficient: &mut i16, bit: i16) {
    if entropy.unsigned(1) == 1 && *coefficient & bit == 0 {
        *coefficient = coefficient.wrapping_add(bit * coefficient.signum());
    }
}
