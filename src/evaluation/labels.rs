//! A manifest of labelled pictures: one JSON object a line, in the form that training reads too
//! (`models/training/README.md`).

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::domain::geometry::{PixelBox, Size, Upright};

/// What is known of the sources that the shipped models were trained on; training reads the same file.
const SHIPPED_RULES: &str = include_str!("../../models/training/sources.toml");

/// A source without a `val` part gives every so many-th group of its `train` part to it, as training does.
const HELD_OUT: u32 = 5;

/// Other names for classes of the shipped models.
const ALIASES: [(&str, &str); 3] =
    [("stain", "surface_mark"), ("mould", "biological_growth"), ("algae", "biological_growth")];

/// What is known of each source beyond its rows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rules(BTreeMap<String, SourceRule>);

/// What is known of one source beyond its rows. Keys that only training needs are passed over.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
struct SourceRule {
    /// Classes that are labelled wherever they occur; none: all.
    annotates: Option<BTreeSet<String>>,
    /// Classes that do not occur although nobody labelled them.
    #[serde(default)]
    absent: BTreeSet<String>,
    /// The colours of a source's masks that show several classes in one picture.
    #[serde(default)]
    mask: BTreeMap<String, [u8; 3]>,
}

impl Rules {
    /// The rules of the sources that the shipped models were trained on.
    pub fn shipped() -> Self {
        Self::parse(SHIPPED_RULES).expect("the shipped rules parse")
    }

    /// Reads rules in TOML, a table for each source.
    ///
    /// # Errors
    /// With the place and what is wrong there.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map(Self).map_err(|error| error.to_string())
    }
}

/// A picture of cells or pixels of a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mask {
    pub(super) class: String,
    pub(super) file: PathBuf,
    /// Its colour there; none: whatever is brighter than half.
    pub(super) colour: Option<[u8; 3]>,
}

/// What is known of one picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub file: PathBuf,
    /// Its path as the manifest has it.
    pub name: String,
    /// The collection that it is of.
    pub source: String,
    /// Which part it belongs to: `train`, `val` or `test`.
    pub split: String,
    /// Classes that it shows.
    pub present: BTreeSet<String>,
    /// Whether it is labelled as showing nothing at all.
    pub clean: bool,
    pub(super) boxes: Vec<(String, [f32; 4])>,
    pub(super) masks: Vec<Mask>,
    size: Option<[u32; 2]>,
    group: String,
    rule: SourceRule,
}

impl Row {
    /// Whether it shows `class`; none: nobody knows.
    pub fn shows(&self, class: &str) -> Option<bool> {
        let annotated = self.rule.annotates.as_ref().is_none_or(|classes| classes.contains(class));
        let present = self.present.contains(class);
        (present || annotated || self.rule.absent.contains(class)).then_some(present)
    }

    /// The labelled boxes of `class`, in pixels of the photo, whose size is `photo`.
    pub fn boxes_of(&self, class: &str, photo: Size<Upright>) -> Vec<PixelBox<Upright>> {
        let [width, height] = self.size.unwrap_or([photo.width, photo.height]);
        let (x, y) = (photo.width as f32 / width.max(1) as f32, photo.height as f32 / height.max(1) as f32);
        let corners = |&[left, top, width, height]: &[f32; 4]| [left, top, left + width, top + height];
        let of_class = self.boxes.iter().filter(|(name, _)| name == class);
        of_class
            .filter_map(|(_, area)| PixelBox::<Upright>::try_from(corners(area)).ok())
            .map(|area| area.scaled(x, y))
            .collect()
    }
}

#[derive(Deserialize)]
struct Line {
    image: PathBuf,
    width: Option<u32>,
    height: Option<u32>,
    source: Option<String>,
    split: Option<String>,
    group: Option<String>,
    labels: Option<Vec<String>>,
    #[serde(default)]
    boxes: Vec<BoxLine>,
    #[serde(default)]
    masks: BTreeMap<String, PathBuf>,
    mask: Option<PathBuf>,
}

#[derive(Deserialize)]
struct BoxLine {
    class: String,
    x: f32,
    y: f32,
    w: f32,
    h: f32,
}

fn canonical(name: String) -> String {
    let alias = ALIASES.iter().find(|(alias, _)| *alias == name);
    alias.map_or(name, |(_, class)| (*class).to_owned())
}

impl Line {
    fn into_row(self, folder: &Path, rules: &Rules) -> Row {
        let name = self.image.display().to_string();
        let source = self.source.unwrap_or_else(|| "pictures".to_owned());
        let rule = rules.0.get(&source).cloned().unwrap_or_default();
        let boxes: Vec<(String, [f32; 4])> =
            self.boxes.into_iter().map(|b| (canonical(b.class), [b.x, b.y, b.w, b.h])).collect();
        let whole = |(class, file): (String, PathBuf)| Mask {
            class: canonical(class),
            file: folder.join(file),
            colour: None,
        };
        let mut masks: Vec<Mask> = self.masks.into_iter().map(whole).collect();
        let labelled = self.labels.is_some();
        let labels = self.labels.unwrap_or_default().into_iter().map(canonical);
        let present: BTreeSet<String> = labels
            .chain(boxes.iter().map(|(class, _)| class.clone()))
            .chain(masks.iter().map(|mask| mask.class.clone()))
            .collect();
        if let Some(file) = self.mask {
            masks.extend(coloured(&folder.join(file), &present, &rule));
        }
        Row {
            file: folder.join(&self.image),
            group: format!("{source}/{}", self.group.unwrap_or_else(|| name.clone())),
            split: self.split.unwrap_or_else(|| "val".to_owned()),
            clean: labelled && present.is_empty(),
            size: self.width.zip(self.height).map(|(width, height)| [width, height]),
            name,
            source,
            present,
            boxes,
            masks,
            rule,
        }
    }
}

/// The masks in one `file` that shows several classes by colour, or the only class that the picture shows.
fn coloured(file: &Path, present: &BTreeSet<String>, rule: &SourceRule) -> Vec<Mask> {
    let mask = |class: &str, colour| Mask { class: class.to_owned(), file: file.to_owned(), colour };
    if !rule.mask.is_empty() {
        let shown = rule.mask.iter().filter(|(class, _)| present.contains(*class));
        return shown.map(|(class, colour)| mask(class, Some(*colour))).collect();
    }
    match present.first() {
        Some(class) if present.len() == 1 => vec![mask(class, None)],
        _ => Vec::new(),
    }
}

/// Reads the manifest `file`; its paths are relative to its folder.
///
/// # Errors
/// When it cannot be read, or with the line and what is wrong there.
pub fn read(file: &Path, rules: &Rules) -> Result<Vec<Row>, String> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    let folder = file.parent().unwrap_or(Path::new(""));
    parse(&text, folder, rules).map_err(|what| format!("{}, {what}", file.display()))
}

pub(super) fn parse(text: &str, folder: &Path, rules: &Rules) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let line: Line =
            serde_json::from_str(line).map_err(|error| format!("line {}: {error}", number + 1))?;
        rows.push(line.into_row(folder, rules));
    }
    hold_out(&mut rows);
    Ok(rows)
}

/// Gives a `val` part to the sources that have none, by a checksum of the group's name, so that it
/// is the same part everywhere.
fn hold_out(rows: &mut [Row]) {
    let complete: HashSet<String> =
        rows.iter().filter(|row| row.split == "val").map(|row| row.source.clone()).collect();
    for row in rows.iter_mut().filter(|row| row.split == "train" && !complete.contains(&row.source)) {
        if crc32fast::hash(row.group.as_bytes()).is_multiple_of(HELD_OUT) {
            "val".clone_into(&mut row.split);
        }
    }
}

/// At most `limit` of `rows`, spread evenly over them.
pub fn spread(rows: Vec<Row>, limit: usize) -> Vec<Row> {
    let count = rows.len();
    if limit >= count {
        return rows;
    }
    let wanted: HashSet<usize> = (0..limit).map(|number| number * count / limit).collect();
    rows.into_iter().enumerate().filter(|(at, _)| wanted.contains(at)).map(|(_, row)| row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<Row> {
        let rules = "[weak]\nshare = 0.1\nannotates = [\"crack\"]\nabsent = [\"corrosion\"]\n\
                     [drawn]\nmask = { crack = [255, 0, 0], spalling = [128, 128, 128] }";
        parse(text, Path::new("set"), &Rules::parse(rules).expect("rules")).expect("rows")
    }

    #[test]
    fn what_is_present_absent_and_unknown() {
        let all = rows(concat!(
            "{\"image\": \"a.jpg\", \"source\": \"weak\", \"labels\": [\"algae\"]}\n\n",
            "{\"image\": \"b.jpg\", \"labels\": []}\n",
            "{\"image\": \"c.jpg\", \"boxes\": [{\"class\": \"stain\", \"x\": 1, \"y\": 2, \"w\": 3, \"h\": 4}]}\n",
        ));
        let shows = |row: &Row| ["biological_growth", "crack", "corrosion", "spalling"].map(|c| row.shows(c));
        assert_eq!(shows(&all[0]), [Some(true), Some(false), Some(false), None]);
        assert_eq!(shows(&all[1]), [Some(false); 4]);
        assert_eq!(all[2].shows("surface_mark"), Some(true));
        assert_eq!(all.iter().map(|row| row.clean).collect::<Vec<_>>(), [false, true, false]);
        assert_eq!(all[2].file, Path::new("set/c.jpg"));
    }

    #[test]
    fn boxes_are_in_pixels_of_the_photo_whatever_size_the_manifest_names() {
        let line = "{\"image\": \"a.jpg\", \"width\": 100, \"height\": 50, \
                     \"boxes\": [{\"class\": \"crack\", \"x\": 10, \"y\": 5, \"w\": 20, \"h\": 10}, \
                                 {\"class\": \"crack\", \"x\": 10, \"y\": 5, \"w\": -1, \"h\": 10}]}";
        let found = rows(line)[0].boxes_of("crack", Size::new(400, 200));
        assert_eq!(found, [PixelBox::new(40.0, 20.0, 120.0, 60.0).expect("a box")]);
    }

    #[test]
    fn a_mask_of_several_classes_needs_its_colours() {
        let line = |source: &str, labels: &str| {
            let text = format!(
                "{{\"image\": \"a.jpg\", \"source\": \"{source}\", \"labels\": {labels}, \"mask\": \"m.png\"}}"
            );
            rows(&text).remove(0).masks
        };
        let drawn = line("drawn", "[\"crack\", \"corrosion\"]");
        assert_eq!(drawn.len(), 1, "only what is present and has a colour");
        assert_eq!((drawn[0].class.as_str(), drawn[0].colour), ("crack", Some([255, 0, 0])));
        assert_eq!(line("other", "[\"crack\"]")[0].colour, None);
        assert!(line("other", "[\"crack\", \"corrosion\"]").is_empty());
    }

    #[test]
    fn a_source_without_val_gives_a_fifth_of_its_groups_as_training_does() {
        // In Python, zlib.crc32(b"s/g2") % 5 is 0, and that of none other of the first eight.
        let line = |source: &str, group: usize, split: &str| {
            format!(
                "{{\"image\": \"{group}.jpg\", \"source\": \"{source}\", \"group\": \"g{group}\", \"split\": \"{split}\"}}"
            )
        };
        let mut lines: Vec<String> = (0..8).map(|group| line("s", group, "train")).collect();
        lines.extend((0..8).map(|group| line("t", group, "train")));
        lines.push(line("t", 9, "val"));
        let val: Vec<(String, String)> = rows(&lines.join("\n"))
            .into_iter()
            .filter(|row| row.split == "val")
            .map(|row| (row.source, row.name))
            .collect();
        let expected = [("s", "2.jpg"), ("t", "9.jpg")];
        assert_eq!(val, expected.map(|(source, name)| (source.to_owned(), name.to_owned())));
    }

    #[test]
    fn a_broken_line_is_named() {
        let error = parse("{\"image\": \"a\"}\n{\"labels\": []}", Path::new(""), &Rules::default());
        assert!(error.expect_err("refused").starts_with("line 2: missing field `image`"));
        assert!(Rules::parse("[s]\nmask = { crack = [1, 2] }").is_err());
        assert_eq!(Rules::shipped().0["metu_ccic"].annotates.as_ref().map(BTreeSet::len), Some(1));
    }

    #[test]
    fn a_limit_spreads_over_the_rows() {
        let all: Vec<String> = (0..10).map(|n| format!("{{\"image\": \"{n}\"}}")).collect();
        let all = rows(&all.join("\n"));
        let names = |limit| spread(all.clone(), limit).into_iter().map(|row| row.name).collect::<Vec<_>>();
        assert_eq!(names(3), ["0", "3", "6"]);
        assert_eq!(names(99).len(), 10);
    }
}
