//! UTF-16 whose byte order is declared wrongly or not at all.

/// Share of characters that must belong to one script before it counts as that script's text.
const COHERENT: f64 = 0.8;

/// The text up to the first zero, in the byte order of a mark, else in the one that gives words, else in the declared
/// one. None where neither gives text.
pub(super) fn decode(bytes: &[u8], declared_little: bool) -> Option<String> {
    match bytes {
        [0xFF, 0xFE, rest @ ..] => return text(rest, true),
        [0xFE, 0xFF, rest @ ..] => return text(rest, false),
        _ => {}
    }
    let little = text(bytes, true).map(|text| (plausibility(&text), text));
    let big = text(bytes, false).map(|text| (plausibility(&text), text));
    let (declared, other) = if declared_little { (little, big) } else { (big, little) };
    let best = match (declared, other) {
        (Some(declared), Some(other)) => Some(if other.0 > declared.0 { other } else { declared }),
        (only, None) | (None, only) => only,
    };
    best.filter(|(plausibility, _)| *plausibility > 0.0).map(|(_, text)| text)
}

/// Whether bytes of no declared character set are UTF-16: by a mark, or by the zeros of Latin letters.
pub(super) fn is_likely(bytes: &[u8]) -> bool {
    if matches!(bytes, [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..]) {
        return true;
    }
    let pairs = bytes.as_chunks::<2>().0;
    let zeros = |at: usize| pairs.iter().filter(|pair| pair[at] == 0 && pair[1 - at] != 0).count();
    pairs.len() > 1 && zeros(0).max(zeros(1)) * 2 > pairs.len()
}

/// Whether single bytes read as words: letters, digits, spaces and what stands between them, or other letters.
pub(super) fn reads_as_words(bytes: &[u8]) -> bool {
    let usual = |byte: &u8| byte.is_ascii_alphanumeric() || b" .,;:-+/#'\"()&\r\n\t".contains(byte);
    let odd = bytes.iter().filter(|byte| byte.is_ascii() && !usual(byte)).count();
    odd * 8 <= bytes.len()
}

fn text(bytes: &[u8], little_endian: bool) -> Option<String> {
    let units = bytes.as_chunks::<2>().0.iter();
    let units =
        units.map(|&pair| if little_endian { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) });
    let units: Vec<u16> = units.take_while(|&unit| unit != 0).collect();
    String::from_utf16(&units).ok()
}

/// How much `text` looks like somebody's words, 0 to 1: the share of its characters in one script. The wrong byte
/// order scatters characters over scripts, but makes Latin letters Chinese signs, whose lower byte is always zero.
fn plausibility(text: &str) -> f64 {
    let characters = text.chars().count();
    if characters == 0 {
        return 0.0;
    }
    let mut of_script = [0_usize; SCRIPTS.len()];
    let (mut everywhere, mut round, mut junk) = (0_usize, 0_usize, 0_usize);
    for character in text.chars() {
        let code = u32::from(character);
        round += usize::from(code.trailing_zeros() >= 8);
        match SCRIPTS
            .iter()
            .position(|ranges| ranges.iter().any(|(first, last)| (*first..=*last).contains(&code)))
        {
            Some(script) => of_script[script] += 1,
            None if is_everywhere(code) => everywhere += 1,
            None => junk += 1,
        }
    }
    // One sign in 256 ends in a zero byte by chance.
    if round > 1 && round * 2 > characters || round * 4 > characters * 3 {
        return 0.0;
    }
    let most = of_script.iter().copied().max().unwrap_or(0);
    let coherent = (most + everywhere) as f64 / characters as f64;
    let junk = junk as f64 / characters as f64;
    if coherent >= COHERENT { coherent } else { (coherent - junk).max(0.0) / 2.0 }
}

/// Scripts in which people write, as ranges of code points.
const SCRIPTS: [&[(u32, u32)]; 12] = [
    // Latin.
    &[(0x41, 0x5A), (0x61, 0x7A), (0xC0, 0x24F), (0x1E00, 0x1EFF)],
    // Chinese and Japanese.
    &[(0x3040, 0x30FF), (0x4E00, 0x9FFF)],
    // Korean.
    &[(0x1100, 0x11FF), (0x3130, 0x318F), (0xAC00, 0xD7A3)],
    // Cyrillic.
    &[(0x400, 0x52F)],
    // Greek.
    &[(0x370, 0x3FF), (0x1F00, 0x1FFF)],
    // Hebrew.
    &[(0x590, 0x5FF)],
    // Arabic.
    &[(0x600, 0x6FF), (0x750, 0x77F)],
    // India.
    &[(0x900, 0xDFF)],
    // Thai and Lao.
    &[(0xE00, 0xEFF)],
    // Georgian.
    &[(0x10A0, 0x10FF)],
    // Armenian.
    &[(0x530, 0x58F)],
    // Emoji.
    &[(0x1F300, 0x1FAFF)],
];

/// Digits, spaces and marks that stand in text of any script.
fn is_everywhere(code: u32) -> bool {
    matches!(code, 0x09..=0x0D | 0x20..=0x40 | 0x5B..=0x60 | 0x7B..=0x7E | 0xA0..=0xBF
        | 0x2010..=0x2046 | 0x20A0..=0x20BF | 0x2100..=0x214F | 0x3001..=0x3011 | 0xFF01..=0xFF5E | 0xFE00..=0xFE0F)
}
