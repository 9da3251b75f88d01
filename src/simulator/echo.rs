//! How Procore shows what it was sent: its texts are not always the sender's bytes, and its photos not always the
//! sender's ids.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use unicode_normalization::UnicodeNormalization as _;

use crate::domain::ids::ImageId;

/// What differs from what was sent.
#[expect(clippy::struct_excessive_bools, reason = "independent switches, as JSON names them")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Echo {
    /// Line breaks come back as CRLF.
    pub crlf: bool,
    /// `&`, `<`, `>` and quotation marks come back as HTML entities.
    pub entities: bool,
    /// Space at the end of lines and around the text is cut off.
    pub trimmed: bool,
    /// Letters with accents come back decomposed (NFD).
    pub decomposed: bool,
    /// What `images[]` of a punch item holds.
    pub images: EchoedImages,
}

/// What the deprecated `images[]` of a punch item holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EchoedImages {
    /// The photos with their ids in the Photos tool.
    #[default]
    AsSent,
    /// Nothing; the photos are among `attachments[]`, with the ids of files.
    Empty,
    /// The photos with the ids of their files, which the Photos tool does not know.
    FileIds,
}

impl Echo {
    /// `text` as it is shown.
    pub(super) fn text(self, text: &str) -> String {
        let mut shown = text.to_owned();
        if self.trimmed {
            let lines: Vec<&str> = shown.lines().map(str::trim_end).collect();
            lines.join("\n").trim().clone_into(&mut shown);
        }
        if self.decomposed {
            shown = shown.nfd().collect();
        }
        if self.entities {
            shown = html_escape::encode_quoted_attribute(&shown).into_owned();
        }
        if self.crlf {
            shown = shown.replace("\r\n", "\n").replace('\n', "\r\n");
        }
        shown
    }
}

/// The id of the file behind a photo that is attached to a punch item.
pub(super) fn file_id(image: ImageId) -> Value {
    const APART: i64 = 7_000_000_000;
    json!(image.value().saturating_add(APART))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_as_the_switches_say() {
        let sent = "Caf\u{e9} & bar \n\"A\" < B\n";
        assert_eq!(Echo::default().text(sent), sent);
        let crlf = Echo { crlf: true, ..Echo::default() };
        assert_eq!(crlf.text("a\nb\r\nc"), "a\r\nb\r\nc");
        let trimmed = Echo { trimmed: true, ..Echo::default() };
        assert_eq!(trimmed.text(sent), "Caf\u{e9} & bar\n\"A\" < B");
        let all = Echo { crlf: true, entities: true, trimmed: true, decomposed: true, ..Echo::default() };
        assert_eq!(all.text(sent), "Cafe\u{301} &amp; bar\r\n&quot;A&quot; &lt; B");
    }
}
