//! EXIF's kinds of text to plain strings.

/// Longest text that is kept, in characters: a description, not a document.
const MAX_CHARS: usize = 1000;

/// What cameras write into the description without being asked.
const PLACEHOLDERS: [&str; 6] = [
    "OLYMPUS DIGITAL CAMERA",
    "SONY DSC",
    "DIGITAL CAMERA",
    "DEFAULT",
    "SAMSUNG DIGITAL CAMERA",
    "MINOLTA DIGITAL CAMERA",
];

/// A byte string that should be ASCII: UTF-8 where it is, else Latin-1, up to the first zero.
pub(super) fn plain(bytes: &[u8]) -> Option<String> {
    let bytes = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
    match std::str::from_utf8(bytes) {
        Ok(text) => tidy(text),
        Err(_) => tidy(&bytes.iter().map(|&byte| char::from(byte)).collect::<String>()),
    }
}

/// A `UserComment`: eight bytes name the character set, the text follows (Exif 2.32, 4.6.5.D).
pub(super) fn user_comment(bytes: &[u8], little_endian: bool) -> Option<String> {
    let (charset, text) = bytes.split_at_checked(8)?;
    match charset {
        b"ASCII\0\0\0" | b"\0\0\0\0\0\0\0\0" | b"        " => plain(text),
        b"UNICODE\0" => utf16(text, little_endian),
        // JIS X 0208 would need its own table; a person's words are better absent than garbled.
        _ => None,
    }
}

/// UTF-16 in the byte order of the file, unless a byte order mark says otherwise.
pub(super) fn utf16(bytes: &[u8], little_endian: bool) -> Option<String> {
    let (bytes, little_endian) = match bytes {
        [0xFF, 0xFE, rest @ ..] => (rest, true),
        [0xFE, 0xFF, rest @ ..] => (rest, false),
        _ => (bytes, little_endian),
    };
    let units = bytes.as_chunks::<2>().0.iter();
    let units =
        units.map(|&pair| if little_endian { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) });
    let text: Vec<u16> = units.take_while(|&unit| unit != 0).collect();
    tidy(&String::from_utf16_lossy(&text))
}

/// Whether a person wrote `text`, as far as can be told.
pub(super) fn is_placeholder(text: &str) -> bool {
    PLACEHOLDERS.iter().any(|placeholder| placeholder.eq_ignore_ascii_case(text))
}

/// One line without control characters, cut to length; none where nothing is left.
fn tidy(text: &str) -> Option<String> {
    let visible = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
    let words: Vec<&str> = visible.split_whitespace().collect();
    let line: String = words.join(" ").chars().take(MAX_CHARS).collect();
    (!line.is_empty()).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_every_kind() {
        let big: Vec<u8> = "Riß".encode_utf16().flat_map(u16::to_be_bytes).collect();
        let little: Vec<u8> = "Riß".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let comment = |charset: &[u8; 8], text: &[u8]| [charset.as_slice(), text].concat();
        let table: [(Option<String>, Option<&str>); 10] = [
            (plain(b"Crack  at\tdoor\0junk"), Some("Crack at door")),
            (plain("Riß".as_bytes()), Some("Riß")),
            (plain(b"Ri\xDF"), Some("Riß")),
            (plain(b"  \0"), None),
            (user_comment(&comment(b"ASCII\0\0\0", b"leak"), true), Some("leak")),
            (user_comment(&comment(b"UNICODE\0", &big), false), Some("Riß")),
            (
                user_comment(&comment(b"UNICODE\0", &[&[0xFF, 0xFE], little.as_slice()].concat()), false),
                Some("Riß"),
            ),
            (user_comment(&comment(b"JIS\0\0\0\0\0", b"xx"), false), None),
            (user_comment(b"short", true), None),
            (utf16(&little, true), Some("Riß")),
        ];
        for (found, expected) in table {
            assert_eq!(found.as_deref(), expected);
        }
        assert_eq!(plain("x".repeat(5000).as_bytes()).map(|text| text.len()), Some(MAX_CHARS));
        assert!(is_placeholder("Olympus Digital Camera") && !is_placeholder("north stair"));
    }
}
