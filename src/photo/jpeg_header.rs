//! The parts of a JPEG's headers that say what decoding it would cost (ITU-T T.81, annex B).

use super::Error;

/// What the frame header declares, and how many scans follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct JpegHeader {
    pub(super) width: u16,
    pub(super) height: u16,
    pub(super) components: u8,
    /// Whether one scan alone does not make the picture: every coefficient is held until the last one.
    pub(super) several_scans: bool,
    /// Scans in the file; counted where several make the picture, otherwise 1.
    pub(super) scans: u32,
}

/// A frame header with the kinds that no decoder here reads refused by name.
fn frame(marker: u8, body: &[u8]) -> Result<JpegHeader, Error> {
    let &[precision, h1, h0, w1, w0, components, ..] = body else {
        return Err(Error::broken("the JPEG frame header is cut off"));
    };
    match marker {
        0xC0..=0xC2 => {}
        0xC3 => return Err(Error::unsupported("a lossless JPEG")),
        0xC9..=0xCB => return Err(Error::unsupported("an arithmetically coded JPEG")),
        _ => return Err(Error::unsupported("a hierarchical JPEG")),
    }
    if precision != 8 {
        return Err(Error::unsupported(format!("a JPEG with {precision} bits a sample")));
    }
    let (width, height) = (u16::from_be_bytes([w1, w0]), u16::from_be_bytes([h1, h0]));
    match (width, height, components) {
        (0, _, _) => Err(Error::broken("the JPEG declares no width")),
        (_, 0, _) => Err(Error::unsupported("a JPEG whose height is declared after its pixels")),
        (_, _, 1 | 3 | 4) => {
            Ok(JpegHeader { width, height, components, several_scans: marker == 0xC2, scans: 1 })
        }
        _ => Err(Error::unsupported(format!("a JPEG with {components} colour components"))),
    }
}

/// Walks the markers of `bytes` up to the pixels; through all scans where several make the picture,
/// but no further than one scan past `max_scans`.
pub(super) fn parse(bytes: &[u8], max_scans: u32) -> Result<JpegHeader, Error> {
    let mut found: Option<JpegHeader> = None;
    let mut scans = 0;
    let mut rest = bytes.get(2..).unwrap_or_default();
    while let Some((marker, after)) = next_marker(rest) {
        rest = after;
        // The end, or another picture after a file that lacks it.
        if marker == 0xD9 || (scans > 0 && (marker == 0xD8 || is_frame(marker))) {
            break;
        }
        let body = match segment(marker, &mut rest) {
            Ok(Some(body)) => body,
            Ok(None) => continue,
            Err(_) if scans > 0 => break,
            Err(error) => return Err(error),
        };
        match (marker, &mut found) {
            (marker, Some(_)) if is_frame(marker) => {
                return Err(Error::unsupported("a JPEG with several frames"));
            }
            (marker, None) if is_frame(marker) => found = Some(frame(marker, body)?),
            (0xDA, None) => return Err(Error::broken("pixels come before the JPEG frame header")),
            (0xDA, Some(header)) => {
                scans += 1;
                header.several_scans |= body.first().is_some_and(|&count| count < header.components);
                if !header.several_scans {
                    return Ok(*header);
                }
            }
            _ => {}
        }
        if scans > max_scans {
            break;
        }
    }
    match found {
        Some(header) if scans > 0 => Ok(JpegHeader { scans, ..header }),
        _ => Err(Error::broken("the JPEG ends before its pixels")),
    }
}

/// Whether `marker` opens a frame header: C4, C8 and CC are tables.
fn is_frame(marker: u8) -> bool {
    matches!(marker, 0xC0..=0xCF) && !matches!(marker, 0xC4 | 0xC8 | 0xCC)
}

/// The body of the segment that `marker` opens, or none where the marker stands alone.
pub(super) fn segment<'a>(marker: u8, rest: &mut &'a [u8]) -> Result<Option<&'a [u8]>, Error> {
    if matches!(marker, 0x01 | 0xD0..=0xD8) {
        return Ok(None);
    }
    let cut_off = || Error::broken("the JPEG ends inside its headers");
    let length = usize::from(u16::from_be_bytes(*rest.first_chunk().ok_or_else(cut_off)?));
    let body = rest.get(2..length.max(2)).ok_or_else(cut_off)?;
    *rest = &rest[length.max(2)..];
    Ok(Some(body))
}

/// The next marker and what follows it. Skips fill bytes, stuffed zeros and entropy-coded data.
pub(super) fn next_marker(mut rest: &[u8]) -> Option<(u8, &[u8])> {
    loop {
        let at = rest.iter().position(|&byte| byte == 0xFF)?;
        rest = &rest[at + 1..];
        match *rest.first()? {
            0x00 | 0xFF => {}
            marker => return Some((marker, &rest[1..])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(frame_marker: u8, precision: u8, size: [u8; 4], components: u8, scans: usize) -> Vec<u8> {
        let mut bytes = vec![0xFF, 0xD8, 0xFF, 0xE0, 0, 4, 1, 2, 0xFF, frame_marker, 0, 8, precision];
        bytes.extend(size);
        bytes.push(components);
        for _ in 0..scans {
            bytes.extend([0xFF, 0xDA, 0, 4, components, 9, 0x12, 0xFF, 0x00, 0xFF, 0xD0, 0x34]);
        }
        bytes.extend([0xFF, 0xD9]);
        bytes
    }

    #[test]
    fn sizes_and_scans_are_read() {
        let baseline = parse(&file(0xC0, 8, [0x0B, 0xD0, 0x0F, 0xC0], 3, 1), 10).expect("read");
        assert_eq!((baseline.width, baseline.height, baseline.several_scans), (4032, 3024, false));
        let progressive = parse(&file(0xC2, 8, [0, 8, 0, 8], 3, 7), 10).expect("read");
        assert_eq!((progressive.several_scans, progressive.scans), (true, 7));
        let mut cut = file(0xC2, 8, [0, 8, 0, 8], 3, 7);
        cut.truncate(cut.len() - 2);
        cut.extend([0xFF, 0xC4, 9, 9]);
        assert_eq!(parse(&cut, 10).expect("read").scans, 7, "a file cut in its eighth scan");
        let bomb = parse(&file(0xC2, 8, [0, 8, 0, 8], 3, 500), 10).expect("read");
        assert_eq!(bomb.scans, 11, "counting stops past the limit");
    }

    #[test]
    fn kinds_that_are_not_read_are_named() {
        let eight = [0, 8, 0, 8];
        let table = [
            (file(0xC3, 8, eight, 3, 1), "unsupported", "lossless"),
            (file(0xC9, 8, eight, 3, 1), "unsupported", "arithmetic"),
            (file(0xC5, 8, eight, 3, 1), "unsupported", "hierarchical"),
            (file(0xC1, 12, eight, 3, 1), "unsupported", "12 bits"),
            (file(0xC0, 8, eight, 2, 1), "unsupported", "2 colour"),
            (file(0xC0, 8, [0, 0, 0, 8], 3, 1), "unsupported", "height"),
            (file(0xC0, 8, [0, 8, 0, 0], 3, 1), "broken", "width"),
            (file(0xC0, 8, eight, 3, 0), "broken", "before its pixels"),
            (vec![0xFF, 0xD8, 0xFF, 0xE1, 0xFF, 0xFF, 1], "broken", "headers"),
            (vec![0xFF, 0xD8, 0xFF], "broken", "before its pixels"),
        ];
        for (bytes, code, word) in table {
            let error = parse(&bytes, 10).expect_err(word);
            assert!(error.code() == code && error.to_string().contains(word), "{error}");
        }
    }
}
