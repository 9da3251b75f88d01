//! The texts of EXIF, XMP and IPTC to plain strings.
//!
//! Writers get character sets and byte orders wrong. A text is taken for what it can only be; where it could be
//! several things it is left out, as a person's words are better absent than garbled.

mod utf16;

use encoding_rs::{ISO_2022_JP, SHIFT_JIS, WINDOWS_1252};

/// Longest text that is kept, in characters: a description, not a document.
const MAX_CHARS: usize = 1000;

/// What cameras write into the description without being asked.
const PLACEHOLDERS: [&str; 12] = [
    "OLYMPUS DIGITAL CAMERA",
    "SONY DSC",
    "DIGITAL CAMERA",
    "DEFAULT",
    "SAMSUNG DIGITAL CAMERA",
    "MINOLTA DIGITAL CAMERA",
    "KONICA MINOLTA DIGITAL CAMERA",
    "KODAK DIGITAL STILL CAMERA",
    "SAMSUNG",
    "SCREENSHOT",
    "CREATED WITH GIMP",
    "UNTITLED",
];

/// A byte string without a declared character set, up to the first zero: UTF-8 where it is, else Windows-1252, which
/// extends Latin-1. None where it is neither.
pub(super) fn plain(bytes: &[u8]) -> Option<String> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let bytes = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
    match std::str::from_utf8(bytes) {
        Ok(text) => tidy(&twice_encoded(text).unwrap_or_else(|| text.to_owned())),
        // UTF-8, cut in the middle of a character.
        Err(error) if error.error_len().is_none() && !bytes[..error.valid_up_to()].is_ascii() => {
            tidy(&String::from_utf8_lossy(&bytes[..error.valid_up_to()]))
        }
        Err(_) => western(bytes).and_then(|text| tidy(&text)),
    }
}

/// Windows-1252 where most letters are ASCII; of other character sets nothing tells which one it is.
fn western(bytes: &[u8]) -> Option<String> {
    let high = bytes.iter().filter(|byte| !byte.is_ascii()).count();
    let letters = bytes.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    let (text, _) = WINDOWS_1252.decode_without_bom_handling(bytes);
    (high <= letters.max(1)).then(|| text.into_owned())
}

/// UTF-8 that was taken for Windows-1252 or Latin-1 and encoded again: `RiÃŸ` is `Riß`.
fn twice_encoded(text: &str) -> Option<String> {
    if text.is_ascii() {
        return None;
    }
    let bytes: Option<Vec<u8>> = text.chars().map(western_byte).collect();
    String::from_utf8(bytes?).ok()
}

/// The byte that stands for `character` in Latin-1, else in Windows-1252.
fn western_byte(character: char) -> Option<u8> {
    u8::try_from(character).ok().or_else(|| {
        let mut text = [0; 4];
        let (bytes, _, unknown) = WINDOWS_1252.encode(character.encode_utf8(&mut text));
        bytes.first().copied().filter(|_| !unknown)
    })
}

/// A `UserComment`: eight bytes name the character set, the text follows (Exif 2.32, 4.6.5.D). Some writers leave
/// them out, pad them with spaces, or name another one than they use.
pub(super) fn user_comment(bytes: &[u8], little_endian: bool) -> Option<String> {
    let Some((charset, text)) = bytes.split_at_checked(8) else { return guess(bytes, little_endian) };
    let name = charset.split(|byte| matches!(byte, 0 | b' ')).next().unwrap_or_default();
    match name {
        b"" | b"ASCII" => guess(text, little_endian),
        b"UNICODE" | b"Unicode" => unicode(text, little_endian),
        b"JIS" => japanese(text),
        _ => guess(bytes, little_endian),
    }
}

/// A text of no declared character set: UTF-16 where every other byte is zero or a mark says so, else bytes.
pub(super) fn guess(bytes: &[u8], little_endian: bool) -> Option<String> {
    if utf16::is_likely(bytes) { utf16(bytes, little_endian) } else { plain(bytes) }
}

/// Declared as Unicode: UTF-16 before Exif 3.0, UTF-8 since. `little_endian` is what the file says.
fn unicode(bytes: &[u8], little_endian: bool) -> Option<String> {
    let until_zero = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
    let padding_only = bytes[until_zero.len()..].iter().all(|byte| matches!(byte, 0 | b' '));
    let utf8 = std::str::from_utf8(until_zero).is_ok() && utf16::reads_as_words(until_zero);
    // One letter and zeros is UTF-16 of that letter.
    if utf8 && padding_only && until_zero.len() > 1 { plain(bytes) } else { utf16(bytes, little_endian) }
}

/// UTF-16 in the byte order of a mark, else in the one that gives words, else in that of the file.
pub(super) fn utf16(bytes: &[u8], little_endian: bool) -> Option<String> {
    tidy(&utf16::decode(bytes, little_endian)?)
}

/// JIS X 0208 with escapes, or Shift JIS; none where it is neither.
fn japanese(bytes: &[u8]) -> Option<String> {
    let end = bytes.iter().rposition(|byte| !matches!(byte, 0 | b' ')).map_or(0, |last| last + 1);
    let bytes = &bytes[..end];
    let encodings = [ISO_2022_JP, SHIFT_JIS];
    let read = |encoding: &&'static encoding_rs::Encoding| {
        encoding.decode_without_bom_handling_and_without_replacement(bytes).map(std::borrow::Cow::into_owned)
    };
    encodings.iter().find_map(read).and_then(|text| tidy(&text))
}

/// Whether a camera or a program wrote `text` without being asked, as far as can be told.
pub(super) fn is_placeholder(text: &str) -> bool {
    PLACEHOLDERS.iter().any(|placeholder| placeholder.eq_ignore_ascii_case(text))
}

/// One line without control characters, cut to length; none where nothing is left.
pub(super) fn tidy(text: &str) -> Option<String> {
    let visible = |c: char| !c.is_control() && !matches!(c, '\u{FEFF}' | '\u{FFFE}');
    let visible = text.chars().map(|c| if visible(c) { c } else { ' ' }).collect::<String>();
    let words: Vec<&str> = visible.split_whitespace().collect();
    let line: String = words.join(" ").chars().take(MAX_CHARS).collect();
    (!line.is_empty()).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn big(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_be_bytes).collect()
    }

    fn little(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    fn comment(charset: &[u8], text: &[u8]) -> Vec<u8> {
        [charset, text].concat()
    }

    #[test]
    fn byte_strings_are_utf_8_or_western() {
        let table: [(&[u8], Option<&str>); 12] = [
            (b"Crack  at\tdoor\0junk", Some("Crack at door")),
            ("Riß".as_bytes(), Some("Riß")),
            ("\u{FEFF}Riß".as_bytes(), Some("Riß")),
            (b"Ri\xDF", Some("Riß")),
            (b"\x93Kitchen\x94 \x96 leak", Some("“Kitchen” – leak")),
            ("RiÃŸ im TÃ¼rsturz".as_bytes(), Some("Riß im Türsturz")),
            ("Ã".as_bytes(), Some("Ã")),
            ("ÉTAGE à côté".as_bytes(), Some("ÉTAGE à côté")),
            ("裂缝 3 楼".as_bytes(), Some("裂缝 3 楼")),
            // Shift JIS, or any other character set: nothing says which.
            (b"\x82\xD0\x82\xD1\x8A\x84\x82\xEA", None),
            (b"  \0", None),
            (b"", None),
        ];
        for (bytes, expected) in table {
            assert_eq!(plain(bytes).as_deref(), expected, "{bytes:?}");
        }
        assert_eq!(plain(&"Türriß".as_bytes()[..7]).as_deref(), Some("Türri"), "cut inside a character");
        assert_eq!(plain("x".repeat(5000).as_bytes()).map(|text| text.len()), Some(MAX_CHARS));
    }

    #[test]
    fn comments_are_read_whatever_their_prefix_says() {
        const WORDS: &str = "Crack at unit 204, north stair";
        let marked = |mark: [u8; 2], text: Vec<u8>| [mark.to_vec(), text].concat();
        let table: [Vec<u8>; 14] = [
            comment(b"ASCII\0\0\0", WORDS.as_bytes()),
            comment(b"ASCII   ", WORDS.as_bytes()),
            comment(b"\0\0\0\0\0\0\0\0", WORDS.as_bytes()),
            comment(b"        ", WORDS.as_bytes()),
            comment(b"UNICODE\0", &big(WORDS)),
            comment(b"UNICODE\0", &little(WORDS)),
            comment(b"UNICODE ", &little(WORDS)),
            comment(b"UNICODE\0", &marked([0xFF, 0xFE], little(WORDS))),
            comment(b"UNICODE\0", &marked([0xFE, 0xFF], big(WORDS))),
            comment(b"UNICODE\0", WORDS.as_bytes()),
            comment(b"UNICODE\0", &[WORDS.as_bytes(), &[0; 40]].concat()),
            comment(b"JIS\0\0\0\0\0", WORDS.as_bytes()),
            WORDS.as_bytes().to_vec(),
            comment(b"ASCII\0\0\0", &little(WORDS)),
        ];
        for bytes in table {
            for little_endian in [false, true] {
                let read = user_comment(&bytes, little_endian);
                assert_eq!(read.as_deref(), Some(WORDS), "{bytes:?} {little_endian}");
            }
        }
    }

    #[test]
    fn other_scripts_are_read_in_both_byte_orders() {
        for words in [
            "Riß",
            "Трещина у двери",
            "裂缝在三楼厨房",
            "ひび割れ、北階段",
            "균열 204호",
            "شق في الجدار",
            "Ρωγμή",
        ] {
            for text in [big(words), little(words)] {
                for little_endian in [false, true] {
                    let read = user_comment(&comment(b"UNICODE\0", &text), little_endian);
                    assert_eq!(read.as_deref(), Some(words), "{little_endian}");
                }
            }
            let utf8 = user_comment(&comment(b"UNICODE\0", words.as_bytes()), true);
            assert_eq!(utf8.as_deref(), Some(words), "Exif 3.0");
        }
    }

    #[test]
    fn japanese_is_read_in_its_own_character_sets() {
        let (jis, _, _) = ISO_2022_JP.encode("ひび割れ");
        let (shifted, _, _) = SHIFT_JIS.encode("ひび割れ");
        assert_eq!(user_comment(&comment(b"JIS\0\0\0\0\0", &jis), true).as_deref(), Some("ひび割れ"));
        assert_eq!(user_comment(&comment(b"JIS\0\0\0\0\0", &shifted), true).as_deref(), Some("ひび割れ"));
        assert_eq!(user_comment(&comment(b"JIS\0\0\0\0\0", b"\xFF\xFE\xFD"), true), None);
    }

    #[test]
    fn placeholders_are_no_descriptions() {
        assert!(is_placeholder("Olympus Digital Camera") && !is_placeholder("north stair"));
        assert_eq!(user_comment(b"short", true).as_deref(), Some("short"));
        assert_eq!(user_comment(&comment(b"UNICODE\0", &[0; 200]), true), None);
        assert_eq!(user_comment(&comment(b"UNICODE\0", b"\0A"), false).as_deref(), Some("A"));
    }
}
