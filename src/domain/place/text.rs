//! Finds the locations that a photo's texts name.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::domain::place::resolve::PlaceQuery;
use crate::domain::place::{Location, LocationTree, TextSource, tree};

/// Characters of one text that are read; nobody puts a room number behind more.
const TEXT_MAX: usize = 2_000;

/// How texts are read: the section `[place.text]` of `tagging.toml`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextRules {
    /// Which texts are read, the most telling first.
    pub sources: Vec<TextSource>,
    /// Short forms and what they stand for, e.g. `bldg = "building"`.
    pub abbreviations: BTreeMap<String, String>,
    /// Words before a bare number or letter that make it a name, e.g. `room 204`.
    pub lead_words: Vec<String>,
    /// Fixed phrases and the location that each stands for, by name of the rule; they come first.
    pub phrases: BTreeMap<String, Phrase>,
}

/// A phrase that stands for a location.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phrase {
    /// The words, in any letter case.
    pub contains: String,
    /// The location, e.g. `Building A>Floor 2`.
    pub location: String,
}

/// What texts name.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Named {
    /// The locations that fit best, ordered by path; more than one is a tie.
    pub(super) candidates: Vec<Location>,
    /// The text that names the first of them.
    pub(super) source: TextSource,
    /// The words in it.
    pub(super) matched: String,
    /// Whether every name of the path was there.
    pub(super) whole_path: bool,
}

impl Named {
    fn nothing() -> Self {
        let matched = String::new();
        Self { candidates: Vec::new(), source: TextSource::Description, matched, whole_path: false }
    }

    /// Only what lies in one of `outer` or is it.
    pub(super) fn within(mut self, outer: &[Location]) -> Self {
        self.candidates.retain(|node| outer.iter().any(|outer| tree::is_within(&node.path, &outer.path)));
        self
    }
}

/// A text in words: lower case, split at everything that is no letter or digit and between
/// letters and digits, numbers without leading zeros, short forms spelt out.
type Words = Vec<String>;

pub(super) fn by_text(query: &PlaceQuery<'_>, tree: &LocationTree, rules: &TextRules) -> Named {
    let texts = texts(query, rules);
    phrase(&texts, tree, rules).unwrap_or_else(|| names(&texts, tree, rules))
}

fn texts(query: &PlaceQuery<'_>, rules: &TextRules) -> Vec<(TextSource, Words)> {
    let own = query.capture.description.as_option().map(String::as_str);
    let of_source = |source: TextSource| match source {
        TextSource::FileLocation => [query.capture.location_text.as_deref(), None],
        TextSource::Description => [query.description, own],
        TextSource::FileName => [Some(stem(query.filename)), None],
        TextSource::Album => [query.album, None],
    };
    let each = rules.sources.iter().flat_map(|&source| {
        of_source(source).into_iter().flatten().map(move |text| (source, words(text, rules)))
    });
    each.filter(|(_, words)| !words.is_empty()).collect()
}

fn stem(filename: &str) -> &str {
    filename.rsplit_once('.').map_or(filename, |(stem, _)| stem)
}

fn phrase(texts: &[(TextSource, Words)], tree: &LocationTree, rules: &TextRules) -> Option<Named> {
    texts.iter().find_map(|(source, text)| {
        let hit = |phrase: &&Phrase| find(text, &words(&phrase.contains, rules)).is_some();
        let phrase = rules.phrases.values().find(hit)?;
        let node = tree.by_name(&phrase.location)?;
        let matched = phrase.contains.clone();
        Some(Named { candidates: vec![node.clone()], source: *source, matched, whole_path: true })
    })
}

/// The nodes of which the texts tell most names, the node's own among them.
fn names(texts: &[(TextSource, Words)], tree: &LocationTree, rules: &TextRules) -> Named {
    let mut best = Named::nothing();
    let mut most = 0;
    // Of many nodes with one name, the name is looked for once.
    let mut seen: BTreeMap<String, Option<Hit>> = BTreeMap::new();
    for node in tree.locations() {
        let mut told = 0;
        for name in &node.path {
            let hit = seen.entry(tree::fold(name)).or_insert_with(|| named_in(texts, name, rules));
            told += usize::from(hit.is_some());
        }
        let own = node.path.last().and_then(|name| seen.get(&tree::fold(name)));
        let Some(Some(own)) = own else { continue };
        let whole_path = told == node.path.len();
        if told > most {
            most = told;
            best = Named {
                candidates: vec![node.clone()],
                source: own.source,
                matched: own.words.clone(),
                whole_path,
            };
        } else if told == most {
            best.candidates.push(node.clone());
        }
    }
    best
}

/// Where a name was found.
#[derive(Debug, Clone)]
struct Hit {
    source: TextSource,
    words: String,
}

fn named_in(texts: &[(TextSource, Words)], name: &str, rules: &TextRules) -> Option<Hit> {
    let wanted = words(name, rules);
    texts.iter().find_map(|(source, text)| {
        let words = if speaks_for_itself(&wanted) {
            find(text, &wanted).map(|_| wanted.join(" "))
        } else {
            led(text, &wanted, rules)
        };
        Some(Hit { source: *source, words: words? })
    })
}

/// A number, a letter or a very short word is in too many texts by chance to name a place alone.
fn speaks_for_itself(name: &Words) -> bool {
    match name.as_slice() {
        [] => false,
        [word] => word.chars().count() > 3 && word.chars().all(char::is_alphabetic),
        _ => true,
    }
}

/// The name right behind a word such as `room`.
fn led(text: &Words, name: &Words, rules: &TextRules) -> Option<String> {
    rules.lead_words.iter().map(|lead| words(lead, rules)).find_map(|mut phrase| {
        if name.is_empty() {
            return None;
        }
        phrase.extend(name.iter().cloned());
        find(text, &phrase).map(|_| phrase.join(" "))
    })
}

fn find(text: &Words, wanted: &Words) -> Option<usize> {
    if wanted.is_empty() {
        return None;
    }
    text.windows(wanted.len()).position(|window| window == wanted.as_slice())
}

/// `text` in words, see [`Words`].
fn words(text: &str, rules: &TextRules) -> Words {
    let mut words: Words = Vec::new();
    for word in split(text) {
        let spelt = rules.abbreviations.get(&word).cloned().unwrap_or(word);
        words.extend(spelt.split_whitespace().map(str::to_owned));
    }
    ordinals(&words)
}

fn split(text: &str) -> Words {
    let mut words: Words = Vec::new();
    let mut last = None;
    for letter in text.chars().take(TEXT_MAX).flat_map(char::to_lowercase) {
        let kind = match letter {
            '0'..='9' => Some(true),
            letter if letter.is_alphabetic() => Some(false),
            _ => None,
        };
        match kind {
            Some(_) if kind == last => words.last_mut().expect("a word has begun").push(letter),
            Some(_) => words.push(letter.into()),
            None => {}
        }
        last = kind;
    }
    for word in &mut words {
        let bare = word.trim_start_matches('0');
        if bare.len() < word.len() {
            *word = if bare.is_empty() { "0".into() } else { bare.to_owned() };
        }
    }
    words
}

/// `2 nd floor` becomes `floor 2`.
fn ordinals(words: &Words) -> Words {
    let mut turned = Vec::with_capacity(words.len());
    let mut rest = words.as_slice();
    while let Some((first, after)) = rest.split_first() {
        match after {
            [suffix, noun, ..] if is_ordinal(first, suffix) => {
                turned.extend([noun.clone(), first.clone()]);
                rest = &after[2..];
            }
            _ => {
                turned.push(first.clone());
                rest = after;
            }
        }
    }
    turned
}

fn is_ordinal(number: &str, suffix: &str) -> bool {
    number.bytes().all(|byte| byte.is_ascii_digit()) && matches!(suffix, "st" | "nd" | "rd" | "th")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> TextRules {
        let abbreviations = [("bldg", "building"), ("fl", "floor"), ("apt", "unit")];
        TextRules {
            sources: vec![TextSource::Description, TextSource::FileName, TextSource::Album],
            abbreviations: abbreviations.map(|(short, long)| (short.into(), long.into())).into(),
            lead_words: vec!["room".into()],
            phrases: BTreeMap::new(),
        }
    }

    #[test]
    fn texts_become_words() {
        let cases = [
            ("Bldg. A, Fl 02 – Apt204", "building a floor 2 unit 204"),
            ("IMG_20260602_0007", "img 20260602 7"),
            ("2nd floor, 000", "floor 2 0"),
            ("3rd", "3 rd"),
            ("ÉTAGE 4", "étage 4"),
            ("  ", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(words(text, &rules()).join(" "), expected, "{text}");
        }
    }

    #[test]
    fn short_names_need_a_word_before_them() {
        let texts = [(TextSource::FileName, words("room 204 lobby a 7", &rules()))];
        let named = |name: &str| named_in(&texts, name, &rules()).map(|hit| hit.words);
        assert_eq!(named("204"), Some("room 204".into()));
        assert_eq!(named("7"), None);
        assert_eq!(named("A"), None);
        assert_eq!(named("Lobby"), Some("lobby".into()));
        assert_eq!(named("Room 204"), Some("room 204".into()));
        assert_eq!(named("--"), None);
    }
}
