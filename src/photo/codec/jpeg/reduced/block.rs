//! The coefficients of a block that a reduction keeps.

use super::frame::Tables;
use crate::photo::codec::jpeg::bits::Bits;
use crate::photo::codec::jpeg::huffman::{BEYOND, Span, Step, magnitude};

/// The lowest coefficients of a block, dequantised: the mean, the first across, the first down, the first of both.
pub(super) type Low = [i32; 4];

/// The longest code with what follows it, or the longest span.
const MOST_BITS: u32 = 31;

/// Where the coefficients of the file's order lie among the lowest; past them for those that are not kept (ITU-T T.81,
/// figure 5).
const PLACE: [usize; 5] = [0, 1, 2, NOT_KEPT, 3];
const NOT_KEPT: usize = 4;

/// Where in the file's order the last coefficient lies that `side` × `side` pixels are made of, and one more. No pixels
/// (side 0) take as many as one.
const fn kept(side: usize) -> usize {
    if side < 2 { 1 } else { PLACE.len() }
}

/// Reads a block, of which only what `SIDE` × `SIDE` pixels are made of is looked at.
#[inline]
pub(super) fn read<const SIDE: usize>(scan: &mut Bits, tables: &Tables, dc: &mut i32) -> Option<Low> {
    let mut low = [0; NOT_KEPT + 1];
    let mut bits = *scan;
    bits.refill();
    *dc = i32::from(dc.wrapping_add(tables.dc.difference(&mut bits)?) as i16);
    low[0] = *dc * i32::from(tables.quantisation[0]);
    let mut index = 1;
    while index < kept(SIDE) {
        refill(&mut bits);
        let whole = tables.ac.whole(&bits);
        let value = if whole.bits > 0 {
            bits.skip(whole.bits.into());
            index += usize::from(whole.zeros);
            i32::from(whole.value)
        } else {
            let value;
            (bits, index, value) = next(bits, tables, index)?;
            value
        };
        if let (Some(&place), Some(&scale)) = (PLACE.get(index), tables.quantisation.get(index)) {
            low[place] = value * i32::from(scale);
        }
        index += 1;
    }
    if index <= ENDED {
        bits = pass(bits, tables, index)?;
    }
    *scan = bits;
    low.first_chunk().copied()
}

/// Where the index is at least once a block was ended by its code.
const ENDED: usize = 64;

/// Takes one code: the index of its coefficient, and that.
#[cold]
#[inline(never)]
fn next<'a>(mut bits: Bits<'a>, tables: &Tables, index: usize) -> Option<(Bits<'a>, usize, i32)> {
    Some(match tables.ac.step(&mut bits)? {
        Step::End => (bits, index + usize::from(BEYOND), 0),
        Step::Zeros => (bits, index + 15, 0),
        Step::Coefficient { zeros, bits: count } => {
            let value = magnitude(&mut bits, count);
            (bits, index + zeros, value)
        }
    })
}

/// Reads past the rest of a block, from coefficient `index` on.
#[expect(clippy::inline_always, reason = "half of all decoding: the bits must stay in registers")]
#[inline(always)]
fn pass<'a>(mut bits: Bits<'a>, tables: &Tables, mut index: usize) -> Option<Bits<'a>> {
    while index < ENDED {
        refill(&mut bits);
        let span = tables.ac.span(&bits);
        let after = index + span.coefficients();
        if fits(span, after) {
            bits.skip(span.bits());
            if span.ends_block() {
                return Some(bits);
            }
            index = after;
        } else {
            let place;
            (bits, place, _) = next(bits, tables, index)?;
            if place >= index + usize::from(BEYOND) {
                return Some(bits);
            }
            index = place + 1;
        }
    }
    (index == ENDED).then_some(bits)
}

/// Whether all codes of a span belong to this block: a block that is full has no end code.
#[inline]
fn fits(span: Span, after: usize) -> bool {
    span.bits() > 0 && after + usize::from(span.ends_block()) <= ENDED
}

#[inline]
fn refill(bits: &mut Bits) {
    if bits.count() < MOST_BITS {
        bits.refill();
    }
}
