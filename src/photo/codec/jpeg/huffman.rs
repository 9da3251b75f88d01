//! Huffman tables (ITU-T T.81, annex C and F.2.2), and one that reads past several codes at once.

use super::bits::Bits;

/// Bits that the table of single codes is asked with; longer codes are rare.
const LOOK: u32 = 10;
/// Bits that the table of several codes is asked with: 8 kB a table, two of which the first cache holds.
const SPAN: u32 = 12;

/// As a run of zeros: past the end of any block.
pub(super) const BEYOND: u8 = 64;

/// A table as a file defines it: how many codes of each length there are, and their symbols.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TableSpec {
    pub(super) counts: [u8; 16],
    pub(super) symbols: Vec<u8>,
    /// Whether it is one that files may leave out.
    pub(super) standard: bool,
}

/// Codes in the order of their length.
pub(super) struct Codes {
    /// What the next `LOOK` bits start with: the symbol, and the code's length from bit 8 on; 0 for a longer code.
    short: [u16; 1 << LOOK],
    /// For each length the first code past the last of that length, left-aligned in 16 bits.
    ends: [u32; 17],
    /// For each length: index of its first symbol less its first code.
    starts: [i32; 17],
    symbols: Vec<u8>,
}

impl Codes {
    /// None where there are more codes than fit.
    pub(super) fn new(TableSpec { counts, symbols, .. }: &TableSpec) -> Option<Self> {
        let mut codes =
            Self { short: [0; 1 << LOOK], ends: [0; 17], starts: [0; 17], symbols: symbols.clone() };
        let (mut code, mut index) = (0_u32, 0_usize);
        for (length, &count) in (1_u32..).zip(counts) {
            let place = length as usize;
            codes.starts[place] = i32::try_from(index).ok()? - i32::try_from(code).ok()?;
            for &symbol in symbols.get(index..index + usize::from(count))? {
                if code >= 1 << length {
                    return None;
                }
                if length <= LOOK {
                    let first = (code << (LOOK - length)) as usize;
                    let entry = (length << 8) as u16 | u16::from(symbol);
                    codes.short[first..first + (1 << (LOOK - length))].fill(entry);
                }
                code += 1;
            }
            codes.ends[place] = code << (16 - length);
            index += usize::from(count);
            code <<= 1;
        }
        Some(codes)
    }

    /// The symbol that 16 bits start with, and its code's length.
    #[inline]
    pub(super) fn find(&self, sixteen: u32) -> Option<(u8, u32)> {
        match self.short[(sixteen >> (16 - LOOK)) as usize & ((1 << LOOK) - 1)] {
            0 => self.find_long(sixteen),
            entry => Some((entry as u8, u32::from(entry >> 8))),
        }
    }

    #[cold]
    fn find_long(&self, sixteen: u32) -> Option<(u8, u32)> {
        let length = (LOOK + 1..=16).find(|&length| sixteen < self.ends[length as usize])?;
        let index = self.starts[length as usize] + (sixteen >> (16 - length)).cast_signed();
        Some((*self.symbols.get(usize::try_from(index).ok()?)?, length))
    }
}

/// Codes of the categories of DC differences.
pub(super) struct DcTable(Codes);

impl DcTable {
    pub(super) fn new(table: &TableSpec) -> Option<Self> {
        Codes::new(table).map(Self)
    }

    /// The next difference. Takes at most 27 bits, which must be there.
    #[inline]
    pub(super) fn difference(&self, bits: &mut Bits) -> Option<i32> {
        let (category, length) = self.0.find(bits.peek(16))?;
        bits.skip(length);
        (category <= 11).then(|| magnitude(bits, category.into()))
    }
}

/// Codes of runs of zeros and the coefficient that ends them.
pub(super) struct AcTable {
    codes: Codes,
    /// What the next `LOOK` bits start with, coefficient and all.
    whole: [Whole; 1 << LOOK],
    /// What the next `SPAN` bits hold in whole codes.
    spans: [Span; 1 << SPAN],
}

/// Several codes in a row: bits 0 to 4 their length in bits with what follows them, 5 to 10 the coefficients they
/// cover, 11 whether the last one ends the block. 0: not even one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span(u16);

impl Span {
    #[inline]
    pub(super) fn bits(self) -> u32 {
        u32::from(self.0 & 31)
    }

    #[inline]
    pub(super) fn coefficients(self) -> usize {
        usize::from(self.0 >> 5 & 63)
    }

    #[inline]
    pub(super) fn ends_block(self) -> bool {
        self.0 & 1 << 11 != 0
    }
}

/// A coefficient, the zeros before it, and the bits that say so; no bits where they are more than `LOOK`. The end of a
/// block is a run of zeros beyond it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Whole {
    pub(super) value: i16,
    pub(super) zeros: u8,
    pub(super) bits: u8,
}

/// One code: what it says of the coefficients from here on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// So many zeros, then a coefficient of so many bits, which follow.
    Coefficient { zeros: usize, bits: u32 },
    /// Sixteen zeros.
    Zeros,
    /// Nothing but zeros to the block's end.
    End,
}

impl AcTable {
    pub(super) fn new(table: &TableSpec) -> Option<Self> {
        let codes = Codes::new(table)?;
        let mut spans = [Span(0); 1 << SPAN];
        for (window, span) in (0_u32..).zip(spans.iter_mut()) {
            *span = span_of(&codes, window);
        }
        let mut whole = [Whole::default(); 1 << LOOK];
        for (window, whole) in (0_u32..).zip(whole.iter_mut()) {
            *whole = whole_of(&codes, window).unwrap_or_default();
        }
        Some(Self { codes, whole, spans })
    }

    /// The next coefficient, if so few bits hold it; not passed over.
    #[inline]
    pub(super) fn whole(&self, bits: &Bits) -> Whole {
        self.whole[bits.peek(LOOK) as usize & ((1 << LOOK) - 1)]
    }

    /// The next code, passed over. Takes at most 16 bits, which must be there; none if no file may hold it.
    #[inline]
    pub(super) fn step(&self, bits: &mut Bits) -> Option<Step> {
        let (symbol, length) = self.codes.find(bits.peek(16))?;
        bits.skip(length);
        step_of(symbol)
    }

    /// As many whole codes as the next bits hold; not passed over.
    #[inline]
    pub(super) fn span(&self, bits: &Bits) -> Span {
        self.spans[bits.peek(SPAN) as usize & ((1 << SPAN) - 1)]
    }
}

#[inline]
fn step_of(symbol: u8) -> Option<Step> {
    match (symbol >> 4, symbol & 15) {
        (0, 0) => Some(Step::End),
        (15, 0) => Some(Step::Zeros),
        (_, 0) => None,
        (zeros, size) => Some(Step::Coefficient { zeros: zeros.into(), bits: size.into() }),
    }
}

/// The coefficient that the `LOOK` bits of `window` start with.
fn whole_of(codes: &Codes, window: u32) -> Option<Whole> {
    let (symbol, length) = codes.find(window << (16 - LOOK))?;
    let (zeros, count) = match step_of(symbol)? {
        Step::Coefficient { zeros, bits } => (zeros as u8, bits),
        Step::Zeros => return None,
        Step::End => (BEYOND, 0),
    };
    let left = LOOK.checked_sub(length + count)?;
    let value = extend((window >> left & ((1 << count) - 1)).cast_signed(), count) as i16;
    Some(Whole { value, zeros, bits: (length + count) as u8 })
}

/// What the `SPAN` bits of `window` hold: codes whose last bit lies within, while they cover fewer than 64 coefficients.
fn span_of(codes: &Codes, window: u32) -> Span {
    let (mut bits, mut covered) = (0, 0);
    let mut ends = false;
    while bits < SPAN && !ends {
        let next = (window << (16 - SPAN) << bits) & 0xFFFF;
        let Some((symbol, length)) = codes.find(next).filter(|(_, length)| bits + length <= SPAN) else {
            break;
        };
        let (more, behind) = match step_of(symbol) {
            Some(Step::Coefficient { zeros, bits }) => (zeros as u32 + 1, bits),
            Some(Step::Zeros) => (16, 0),
            Some(Step::End) => (0, 0),
            None => break,
        };
        if covered + more > 63 {
            break;
        }
        (bits, covered, ends) = (bits + length + behind, covered + more, more == 0);
    }
    Span((bits | covered << 5 | u32::from(ends) << 11) as u16)
}

/// The signed number that the next `count` bits stand for, passed over.
#[inline]
pub(super) fn magnitude(bits: &mut Bits, count: u32) -> i32 {
    if count == 0 {
        return 0;
    }
    let value = bits.peek(count).cast_signed();
    bits.skip(count);
    extend(value, count)
}

/// The signed number that a `value` of `count` bits stands for (ITU-T T.81, F.2.2.1, EXTEND).
#[inline]
fn extend(value: i32, count: u32) -> i32 {
    if value < (1 << count) >> 1 { value - (1 << count) + 1 } else { value }
}
