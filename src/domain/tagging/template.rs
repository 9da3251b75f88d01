//! Texts with named gaps.

use serde::Deserialize;

/// A gap in a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// What it is.
    Class,
    /// Where on site.
    Place,
    /// What is seen, how large and where in the photo.
    Seen,
    /// How sure the model is.
    Score,
    /// The place with what speaks for it.
    Evidence,
    /// When the photo was taken.
    Taken,
    /// Where to look at the photo.
    Link,
    /// The model's name and version.
    Model,
}

impl Field {
    const ALL: [(&'static str, Self); 8] = [
        ("class", Self::Class),
        ("place", Self::Place),
        ("seen", Self::Seen),
        ("score", Self::Score),
        ("evidence", Self::Evidence),
        ("taken", Self::Taken),
        ("link", Self::Link),
        ("model", Self::Model),
    ];

    fn named(name: &str) -> Result<Self, String> {
        if let Some((_, field)) = Self::ALL.iter().find(|(known, _)| *known == name) {
            return Ok(*field);
        }
        let likeness = |known: &&(&str, Self)| (strsim::jaro_winkler(known.0, name) * 1000.0) as u32;
        let nearest = Self::ALL.iter().max_by_key(likeness).map_or("class", |(known, _)| known);
        Err(format!("there is no {{{name}}}, did you mean {{{nearest}}}?"))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Gap(Field),
}

/// A text with gaps, read and checked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Template {
    lines: Vec<Vec<Part>>,
}

impl Template {
    /// The template as one line. An unknown gap takes the dashes and spaces before it along.
    pub(super) fn line(&self, fill: &dyn Fn(Field) -> Option<String>) -> String {
        let mut line = String::new();
        for part in self.lines.iter().flatten() {
            match part {
                Part::Text(text) => line.push_str(text),
                Part::Gap(field) => match fill(*field) {
                    Some(text) => line.push_str(&text),
                    None => line.truncate(line.trim_end_matches([' ', '-', '–', '—', ',', ':']).len()),
                },
            }
        }
        line.trim().to_owned()
    }

    /// The template as lines. A line with an unknown gap is left out.
    pub(super) fn lines(&self, fill: &dyn Fn(Field) -> Option<String>) -> String {
        let line = |parts: &Vec<Part>| -> Option<String> {
            let texts = parts.iter().map(|part| match part {
                Part::Text(text) => Some(text.clone()),
                Part::Gap(field) => fill(*field),
            });
            texts.collect()
        };
        let lines: Vec<String> = self.lines.iter().filter_map(line).collect();
        lines.join("\n").trim().to_owned()
    }
}

impl TryFrom<String> for Template {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let lines = text.lines().map(parts).collect::<Result<Vec<_>, _>>()?;
        if lines.iter().all(Vec::is_empty) {
            return Err("the text is empty".into());
        }
        Ok(Self { lines })
    }
}

fn parts(line: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = line;
    while let Some((text, after)) = rest.split_once('{') {
        let (name, after) =
            after.split_once('}').ok_or_else(|| format!("'{{{after}' has no closing brace"))?;
        if !text.is_empty() {
            parts.push(Part::Text(text.into()));
        }
        parts.push(Part::Gap(Field::named(name)?));
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.into()));
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> Template {
        Template::try_from(text.to_owned()).expect(text)
    }

    fn fill(field: Field) -> Option<String> {
        (field == Field::Class).then(|| "Crack".to_owned())
    }

    #[test]
    fn unknown_gaps_leave_no_traces() {
        assert_eq!(template("{class} – {place}").line(&fill), "Crack");
        assert_eq!(template("{place}: {class}").line(&fill), ": Crack");
        assert_eq!(template("Seen: {class}\nTaken: {taken}\n\nEnd").lines(&fill), "Seen: Crack\n\nEnd");
    }

    #[test]
    fn wrong_gaps_are_refused() {
        for (text, expected) in [
            ("{plce}", "there is no {plce}, did you mean {place}?"),
            ("{class", "'{class' has no closing brace"),
            ("\n", "the text is empty"),
        ] {
            assert_eq!(Template::try_from(text.to_owned()), Err(expected.into()));
        }
    }
}
