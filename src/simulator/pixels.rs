//! Width and height from the first bytes of a file, the way a storage service reads them.

/// Width and height as stored, for JPEG and PNG; nothing for anything else or broken.
pub(super) fn pixels(bytes: &[u8]) -> Option<(u32, u32)> {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Some((long(bytes, 16)?, long(bytes, 20)?));
    }
    bytes.starts_with(&[0xff, 0xd8]).then(|| frame_header(bytes))?
}

/// Walks the JPEG segments to the first SOF (ITU T.81, B.2.2).
fn frame_header(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut at = 2;
    loop {
        let [0xff, marker] = *bytes.get(at..at + 2)? else { return None };
        match marker {
            0xff => at += 1,
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                return Some((short(bytes, at + 7)?, short(bytes, at + 5)?));
            }
            0x01 | 0xd0..=0xd8 => at += 2,
            0xd9 | 0xda => return None,
            _ => at += 2 + short(bytes, at + 2)? as usize,
        }
    }
}

fn short(bytes: &[u8], at: usize) -> Option<u32> {
    let two: [u8; 2] = bytes.get(at..at + 2)?.try_into().ok()?;
    Some(u16::from_be_bytes(two).into())
}

fn long(bytes: &[u8], at: usize) -> Option<u32> {
    let four: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(u32::from_be_bytes(four))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_tell_the_size() {
        let jpeg = [0xff, 0xd8, 0xff, 0xe0, 0, 4, 9, 9, 0xff, 0xc0, 0, 17, 8, 0x0b, 0xd0, 0x0f, 0xc0];
        assert_eq!(pixels(&jpeg), Some((4032, 3024)));
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x02\0\0\0\x01";
        assert_eq!(pixels(png), Some((2, 1)));
        for broken in [&jpeg[..11], &[0xff, 0xd8, 0xff, 0xda], b"GIF89a", b"", &png[..17]] {
            assert_eq!(pixels(broken), None);
        }
    }
}
