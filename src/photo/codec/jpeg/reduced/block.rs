//! The coefficients of a block that a reduction keeps.

use super::bits::Bits;
use super::frame::Tables;
use super::huffman::{Span, Step, magnitude};

/// The lowest coefficients of a block, dequantised: row by row, four a row.
pub(super) type Low = [i32; 16];

/// The longest code with what follows it, or the longest span.
const MOST_BITS: u32 = 31;

/// Where the coefficients of the file's order lie among the lowest sixteen; 16 for the others (ITU-T T.81, figure 5).
const PLACE: [u8; 25] =
    [0, 1, 4, 8, 5, 2, 3, 6, 9, 12, 16, 13, 10, 7, 16, 16, 16, 11, 14, 16, 16, 16, 16, 16, 15];

/// Where in the file's order the last coefficient lies that `side` × `side` pixels are made of, and one more.
const fn kept(side: usize) -> usize {
    match side {
        1 => 1,
        2 => 5,
        _ => 25,
    }
}

/// Reads a block, of which only what `SIDE` × `SIDE` pixels are made of is looked at.
#[inline]
pub(super) fn read<const SIDE: usize>(bits: &mut Bits, tables: &Tables, dc: &mut i32) -> Option<Low> {
    let mut low = [0; 17];
    bits.refill();
    *dc = i32::from(dc.wrapping_add(tables.dc.difference(bits)?) as i16);
    low[0] = *dc * i32::from(tables.quantisation[0]);
    let mut index = 1;
    while index < kept(SIDE) {
        refill(bits);
        match tables.ac.step(bits)? {
            Step::End => return Some(lowest(low)),
            Step::Zeros => index += 16,
            Step::Coefficient { zeros, bits: count } => {
                index += zeros;
                let value = magnitude(bits, count);
                if let (Some(&place), Some(&scale)) = (PLACE.get(index), tables.quantisation.get(index)) {
                    low[usize::from(place)] = value * i32::from(scale);
                }
                index += 1;
            }
        }
    }
    pass(bits, tables, index)?;
    Some(lowest(low))
}

/// Reads past the rest of a block, from coefficient `index` on.
#[inline]
fn pass(bits: &mut Bits, tables: &Tables, mut index: usize) -> Option<()> {
    while index < 64 {
        refill(bits);
        let span = tables.ac.span(bits);
        let next = index + span.coefficients();
        if fits(span, next) {
            bits.skip(span.bits());
            if span.ends_block() {
                return Some(());
            }
            index = next;
        } else {
            index = pass_one(bits, tables, index)?;
        }
    }
    (index == 64).then_some(())
}

/// Whether all codes of a span belong to this block: a block that is full has no end code.
#[inline]
fn fits(span: Span, next: usize) -> bool {
    span.bits() > 0 && next + usize::from(span.ends_block()) <= 64
}

/// Reads past one code; the index after it.
#[cold]
fn pass_one(bits: &mut Bits, tables: &Tables, index: usize) -> Option<usize> {
    Some(match tables.ac.step(bits)? {
        Step::End => 64,
        Step::Zeros => index + 16,
        Step::Coefficient { zeros, bits: count } => {
            bits.skip(count);
            index + zeros + 1
        }
    })
}

#[inline]
fn refill(bits: &mut Bits) {
    if bits.count() < MOST_BITS {
        bits.refill();
    }
}

/// Without the place where the coefficients go that are not kept.
#[inline]
fn lowest(low: [i32; 17]) -> Low {
    let mut kept = [0; 16];
    kept.copy_from_slice(&low[..16]);
    kept
}
