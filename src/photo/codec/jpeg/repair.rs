//! A JPEG read as libjpeg, and so every browser, reads it, and written anew as a plain one.
//!
//! Files that lack tables or markers, that are cut or damaged, and kinds that are rare (progressive, scans of single
//! components) come this way: all that is odd about them ends here, and what decodes pixels sees only sequential files
//! of one interleaved scan. The coefficients stay as they are. What a damaged segment does not hold is left at zero,
//! which is grey, and its rows are counted as missing.
//!
//! After a damaged segment libjpeg goes on at the next restart marker (`jpeg_resync_to_restart`); so does this.

mod blocks;
mod entropy;
mod picture;
mod write;

use super::headers::{Headers, Next};
use crate::photo::Error;
use entropy::Entropy;
use picture::Picture;
use write::Writer;

/// A file written anew.
pub(super) struct Repaired {
    /// A sequential JPEG of one scan.
    pub(super) bytes: Vec<u8>,
    /// Rows of pixels that the file holds.
    pub(super) rows: u32,
    /// Whether it holds everything.
    pub(super) whole: bool,
}

/// Reads all scans of the file whose first one `headers` have come to.
pub(super) fn repair(mut headers: Headers) -> Result<Repaired, Error> {
    let rows = headers.frame.units().1;
    let mut writer = Writer::new(&headers.frame)?;
    if !headers.holds_coefficients() {
        // One row of units is held at a time; libjpeg looks at no second scan either.
        let mut picture = Picture::new(&headers, 1)?;
        picture.take_tables(&headers)?;
        writer.start(&headers, &picture);
        let _after = picture.scan(&headers, |picture, row| {
            writer.row(picture, row);
            picture.clear();
        })?;
        return Ok(picture.repaired(writer.finish(), true));
    }
    let mut picture = Picture::new(&headers, rows)?;
    let ended = loop {
        picture.take_tables(&headers)?;
        headers.rest = picture.scan(&headers, |_, _| {})?;
        match headers.next_scan()? {
            Next::Scan => {}
            Next::End => break true,
            Next::Nothing => break false,
        }
    };
    writer.start(&headers, &picture);
    for row in 0..writer.rows {
        writer.row(&picture, row);
    }
    Ok(picture.repaired(writer.finish(), ended))
}

#[cfg(test)]
mod tests;
