//! Codes and bits of a scan, as libjpeg reads them: past the end of the data there are zeros, and after a restart marker
//! reading goes on.

use crate::photo::codec::jpeg::bits::Bits;
use crate::photo::codec::jpeg::huffman::{Codes, magnitude};

const RESTART: u8 = 0xD0;
const LAST_RESTART: u8 = 0xD7;
/// Below it no marker opens a segment of a frame.
const FIRST_FRAME: u8 = 0xC0;
/// How many bits libjpeg takes for a code that is in no table.
const NO_CODE: u32 = 17;
/// The most bits that follow a code.
const MOST_BITS: u32 = 15;

pub(super) struct Entropy<'a> {
    bits: Bits<'a>,
    /// Units between restart markers; 0 where there are none.
    interval: usize,
    /// Units until the next.
    left: usize,
    /// The number of the next restart marker, 0 to 7.
    number: u8,
    /// Whether the segment ended before its last unit.
    exhausted: bool,
    /// Whether a code was met that no table has: what follows in this segment is not to be trusted.
    lost: bool,
}

impl<'a> Entropy<'a> {
    pub(super) fn new(data: &'a [u8], interval: usize) -> Self {
        Self { bits: Bits::new(data), interval, left: interval, number: 0, exhausted: false, lost: false }
    }

    /// Goes to the next segment where the next unit is the first of one; true if it did.
    pub(super) fn before_unit(&mut self) -> bool {
        if self.interval == 0 {
            return false;
        }
        let restarts = self.left == 0;
        if restarts {
            self.restart();
            self.left = self.interval;
        }
        self.left -= 1;
        restarts
    }

    /// Whether the segment has data left.
    pub(super) fn has_data(&self) -> bool {
        !self.exhausted
    }

    /// Whether nothing can follow any more.
    pub(super) fn is_over(&self) -> bool {
        self.exhausted && self.interval == 0
    }

    /// To be called after each unit: whether all of it was there.
    pub(super) fn after_unit(&mut self) -> bool {
        self.exhausted |= self.bits.overdrawn();
        !self.exhausted && !self.lost
    }

    /// The bytes after the scan.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.bits.rest()
    }

    /// Takes a code's symbol; 0 where there is no such code, as libjpeg does. The bits that may follow a code are there
    /// after it.
    #[inline]
    pub(super) fn symbol(&mut self, codes: &Codes) -> u8 {
        self.refill(NO_CODE + MOST_BITS);
        if let Some((symbol, length)) = codes.find(self.bits.peek(16)) {
            self.bits.skip(length);
            return symbol;
        }
        self.bits.skip(NO_CODE);
        self.lost = true;
        0
    }

    /// The signed number that the next `count` (at most 15) bits after a code stand for.
    #[inline]
    pub(super) fn signed(&mut self, count: u8) -> i32 {
        magnitude(&mut self.bits, count.into())
    }

    /// The next `count` (at most 15) bits.
    #[inline]
    pub(super) fn unsigned(&mut self, count: u8) -> u32 {
        if count == 0 {
            return 0;
        }
        self.refill(MOST_BITS);
        let value = self.bits.peek(count.into());
        self.bits.skip(count.into());
        value
    }

    #[inline]
    fn refill(&mut self, needed: u32) {
        if self.bits.count() < needed {
            self.bits.refill();
        }
    }

    /// Notes that the data say what no file may say.
    pub(super) fn lose(&mut self) {
        self.lost = true;
    }

    /// `jpeg_resync_to_restart` of libjpeg's `jdmarker.c`.
    fn restart(&mut self) {
        let wanted = self.number;
        self.number = (wanted + 1) % 8;
        self.lost = false;
        loop {
            let Some((marker, at)) = self.bits.marker() else {
                self.exhausted = true;
                return;
            };
            self.bits = at;
            let ahead = match marker {
                RESTART..=LAST_RESTART => (marker - RESTART + 8 - wanted) % 8,
                // No marker of a frame: it is passed over.
                0..FIRST_FRAME => 7,
                _ => 1,
            };
            match ahead {
                // A segment is missing: the marker stays, and this segment has no data.
                1 | 2 => return,
                // A marker of an earlier segment.
                6 | 7 => self.bits = self.bits.after_marker(),
                // The one that is wanted, or one that is too far off to be trusted.
                _ => {
                    self.bits = self.bits.after_marker();
                    self.exhausted = false;
                    return;
                }
            }
        }
    }
}
