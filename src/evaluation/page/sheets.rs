//! Contact sheets: the pictures, small, with what was found and what is labelled drawn on them.

use data_encoding::BASE64;

use crate::evaluation::labels::Row;
use crate::evaluation::look::PictureResult;
use crate::evaluation::report::Run;
use crate::evaluation::worst_pictures::{Pick, Picks};
use crate::photo::annotate::{self, Mark};
use crate::photo::{self, Limits, encode};

/// Longer side of a picture on the page, in pixels.
const LONG_SIDE: u32 = 320;

/// JPEG quality of a picture on the page.
const QUALITY: u8 = 80;

/// What a labelled box is called; its colour differs from every shipped class's.
const LABELLED: &str = "labelled";

/// The worst pictures of one class, drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    pub class: String,
    /// It is there and was not reported.
    pub misses: Vec<Thumb>,
    /// It is not there and was reported.
    pub false_alarms: Vec<Thumb>,
}

/// A small picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Thumb {
    /// Its path in the manifest.
    pub name: String,
    pub source: String,
    pub score: f32,
    pub data_url: String,
}

impl Eq for Thumb {}

/// Draws the `picks` of `run`; a picture that can no longer be read is left out.
pub fn sheets(run: &Run<'_>, picks: &[Picks], limits: &Limits) -> Vec<Sheet> {
    let sheet = |picks: &Picks| {
        let class = run.model.classes[picks.class].name.as_str();
        let thumbs = |picks: &[Pick]| {
            let thumb = |pick: &Pick| {
                let (row, looked) = (&run.rows[pick.row], run.looked[pick.row].as_ref().ok()?);
                Some(Thumb {
                    name: row.name.clone(),
                    source: row.source.clone(),
                    score: pick.score,
                    data_url: draw(row, looked, class, limits)?,
                })
            };
            picks.iter().filter_map(thumb).collect()
        };
        Sheet {
            class: class.to_owned(),
            misses: thumbs(&picks.misses),
            false_alarms: thumbs(&picks.false_alarms),
        }
    };
    picks.iter().map(sheet).collect()
}

fn draw(row: &Row, looked: &PictureResult, class: &str, limits: &Limits) -> Option<String> {
    let bytes = std::fs::read(&row.file).ok()?;
    let picture = photo::decode(&bytes, limits, Some(LONG_SIDE)).ok()?.picture;
    let found = looked.found.iter().filter(|detection| detection.class.name() == class);
    let found = found.map(|detection| Mark {
        area: detection.area,
        class: class.to_owned(),
        label: detection.score.to_string(),
    });
    let labelled = row.boxes_of(class, looked.size).into_iter();
    let labelled = labelled.map(|area| Mark { area, class: LABELLED.to_owned(), label: LABELLED.to_owned() });
    let marks: Vec<Mark> = labelled.chain(found).collect();
    let jpeg = encode::review_jpeg(&annotate::draw(&picture, &marks), QUALITY).ok()?;
    Some(format!("data:image/jpeg;base64,{}", BASE64.encode(&jpeg)))
}
