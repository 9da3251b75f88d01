//! Whether two texts are the same words: Procore does not give every text back byte by byte.

use unicode_normalization::UnicodeNormalization as _;

/// Whether `one` and `other` differ in nothing but line breaks, spaces, HTML entities and the composition of letters
/// (Unicode NFC, UAX #15).
pub fn same_words(one: &str, other: &str) -> bool {
    one == other || plain(one) == plain(other)
}

fn plain(text: &str) -> String {
    let composed: String = html_escape::decode_html_entities(text).nfc().collect();
    composed.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_procore_does_to_texts_is_no_edit() {
        let same = [
            ("a\nb", "a\r\nb"),
            ("a \n\nb\n", "a\r\n\r\nb"),
            ("Door & frame", "Door &amp; frame"),
            ("\"A\" <B> 'c'", "&quot;A&quot; &lt;B&gt; &#39;c&#39;"),
            ("Caf\u{e9}", "Cafe\u{301}"),
            ("a b", "a\u{a0}b"),
            ("a b", "a&nbsp;b"),
        ];
        for (one, other) in same {
            assert!(same_words(one, other), "{one:?} {other:?}");
        }
        for (one, other) in
            [("Crack", "Cracks"), ("A", "a"), ("a b", "ab"), ("Cafe", "Caf\u{e9}"), ("1 < 2", "1 > 2")]
        {
            assert!(!same_words(one, other), "{one:?} {other:?}");
        }
    }
}
