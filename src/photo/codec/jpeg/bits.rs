//! Bits of an entropy-coded segment, zeros stuffed after 0xFF left out (ITU-T T.81, F.2.2.5).

use crate::photo::jpeg_header::next_marker;

/// Hands out bits, most significant first; zeros past the segment's end. A copy goes on by itself: loops work on one of
/// their own, which stays in registers.
#[derive(Clone, Copy)]
pub(super) struct Bits<'a> {
    data: &'a [u8],
    at: usize,
    /// The next bits, at the top.
    buffer: u64,
    /// How many bits of the buffer are there.
    count: u32,
    /// How many of them, the last, are made up.
    beyond: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0, buffer: 0, count: 0, beyond: 0 }
    }

    /// Sees to it that at least 56 bits are there.
    #[inline]
    pub(super) fn refill(&mut self) {
        if let Some(next) = self.data.get(self.at..).and_then(|rest| rest.first_chunk::<8>()) {
            let next = u64::from_be_bytes(*next);
            if !has_ff(next) {
                // Bits below `count` are true ones of the byte that is only partly taken; it is read again.
                self.buffer |= next >> self.count;
                self.at += ((63 - self.count) >> 3) as usize;
                // As many as whole bytes make with those that were there.
                self.count |= 0x38;
                return;
            }
        }
        *self = self.refilled_bytewise();
    }

    #[cold]
    #[inline(never)]
    fn refilled_bytewise(mut self) -> Self {
        while self.count < 56 {
            let rest = self.data.get(self.at..).unwrap_or_default();
            let fill = rest.iter().take_while(|&&byte| byte == 0xFF).count();
            let byte = match (fill, rest.get(fill)) {
                (0, Some(&byte)) => {
                    self.at += 1;
                    byte
                }
                // Fill bytes may come before a stuffed zero, as before a marker.
                (1.., Some(0)) => {
                    self.at += fill + 1;
                    0xFF
                }
                _ => {
                    // All but one of the fill bytes, so that they are not counted again.
                    self.at += fill.saturating_sub(1);
                    self.beyond += 8;
                    0
                }
            };
            self.buffer |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
        self
    }

    /// The next `count` (1 to 32) bits, which stay.
    #[inline]
    pub(super) fn peek(&self, count: u32) -> u32 {
        (self.buffer >> (64 - count)) as u32
    }

    /// Passes over `count` bits, of which there must be as many.
    #[inline]
    pub(super) fn skip(&mut self, count: u32) {
        self.buffer <<= count;
        self.count -= count;
    }

    /// How many bits are there without another refill.
    #[inline]
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Whether more was taken than there was.
    pub(super) fn overdrawn(&self) -> bool {
        self.count < self.beyond
    }

    /// The next marker, whatever lies before it, and the bits from that marker on, of which there are none.
    pub(super) fn marker(&self) -> Option<(u8, Self)> {
        let (marker, after) = next_marker(self.data.get(self.at..)?)?;
        Some((marker, Self { at: self.data.len() - after.len() - 2, ..Self::new(self.data) }))
    }

    /// The bits that follow the marker that is next.
    #[must_use]
    pub(super) fn after_marker(&self) -> Self {
        Self { at: self.at + 2, ..Self::new(self.data) }
    }

    /// The marker that is next but for less than a byte of padding, and the bits that follow it.
    pub(super) fn adjacent_marker(mut self) -> Option<(u8, Self)> {
        self.refill();
        if self.overdrawn() || self.count - self.beyond >= 8 {
            return None;
        }
        let (marker, at) = self.marker()?;
        Some((marker, at.after_marker()))
    }

    /// The bytes that were not taken yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.data.get(self.at..).unwrap_or_default()
    }
}

/// Whether one of the eight bytes is 0xFF.
#[inline]
fn has_ff(word: u64) -> bool {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    (!word).wrapping_sub(LOW) & word & HIGH != 0
}
