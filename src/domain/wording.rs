//! What a finding is called and how it is described: plain sentences, sizes in words.

use crate::domain::finding::{Finding, Region};
use crate::domain::geometry::{PixelBox, Size, Upright};
use crate::domain::place::Place;
use crate::domain::tagging::PhotoFacts;
use crate::domain::tagging::rules::{ClassRules, Extent};
use crate::domain::tagging::template::Field;

/// Characters of a title at most: lists cut longer ones off.
const TITLE_PLACE_MAX: usize = 160;

/// Everything that can be told about a finding.
pub(crate) struct Words<'a> {
    pub(crate) finding: &'a Finding,
    pub(crate) rules: &'a ClassRules,
    pub(crate) photo: &'a PhotoFacts,
    pub(crate) place: &'a Place,
    pub(crate) model: &'a str,
    /// Where people find a photo, with {company}, {project} and {image} for the ids; empty where that is not known.
    pub(crate) link: &'a str,
}

impl Words<'_> {
    /// What stands for `field` in a title.
    pub(crate) fn in_title(&self, field: Field) -> Option<String> {
        match field {
            Field::Place => self.place.location.as_ref().map(|location| short(&location.path)),
            other => self.in_description(other, 0.0),
        }
    }

    /// What stands for `field` in a description; `photo_width_mm` is 0 where no scale is known.
    pub(crate) fn in_description(&self, field: Field, photo_width_mm: f64) -> Option<String> {
        match field {
            Field::Class => Some(self.rules.title.clone()),
            Field::Place => self.place.name(),
            Field::Seen => Some(seen(self.finding, self.rules, self.photo.size, photo_width_mm)),
            Field::Score => Some(score(self.finding)),
            Field::Evidence => Some(self.place.words()),
            Field::Taken => {
                self.photo.taken_at.map(|taken| taken.local.strftime("%-d %b %Y, %H:%M").to_string())
            }
            Field::Link => Some(link(self.photo, self.link)),
            Field::Model => Some(self.model.to_owned()),
        }
    }
}

/// Where the photo is to be found: its name and number, and its address where there is one.
fn link(photo: &PhotoFacts, address: &str) -> String {
    let named = format!("{}, number {} in Photos", photo.filename, photo.image);
    if address.is_empty() {
        return named;
    }
    let ids = [
        ("{company}", photo.project.company.to_string()),
        ("{project}", photo.project.project.to_string()),
        ("{image}", photo.image.to_string()),
    ];
    let address = ids.iter().fold(address.to_owned(), |text, (name, id)| text.replace(name, id));
    format!("{named}, {address}")
}

/// The place for a title: of a very deep path the outer and the inner end.
fn short(path: &[String]) -> String {
    let whole = path.join(", ");
    if whole.chars().count() <= TITLE_PLACE_MAX {
        return whole;
    }
    let ends = [path.first(), path.last()].into_iter().flatten();
    ends.map(|name| name.chars().take(TITLE_PLACE_MAX / 2).collect::<String>())
        .collect::<Vec<_>>()
        .join(", … ")
}

/// `One crack across the middle: 83 % of the photo's width long, about a fiftieth of its area.` or
/// `One patch of growth at the left: about a fifth of the photo, 40 % of its width across.`
fn seen(finding: &Finding, rules: &ClassRules, photo: Size<Upright>, photo_width_mm: f64) -> String {
    let share = length_share(finding, rules.extent, photo);
    let area = share_words(finding.area_share);
    let scale = if photo_width_mm > 0.0 {
        format!(" (about {} mm)", millimetres(f64::from(share) * photo_width_mm))
    } else {
        String::new()
    };
    let several = finding.regions.len() > 1;
    let size = match (rules.extent, several) {
        (Extent::Length, false) => {
            format!("{} long{scale}, {area} of its area", widths("the photo's", share))
        }
        (Extent::Length, true) => {
            format!("the longest {}{scale}, together {area} of its area", widths("the photo's", share))
        }
        (Extent::Area, false) => format!("{area} of the photo, {} across{scale}", widths("its", share)),
        (Extent::Area, true) => {
            format!("together {area} of the photo, the largest {} across{scale}", widths("its", share))
        }
    };
    let largest = finding.regions.iter().max_by(|a, b| a.area.area().total_cmp(&b.area.area()));
    let at = position_words(largest.map_or(finding.hull, |region| region.area), photo);
    if several {
        format!("{} {}, the largest {at}: {size}.", finding.regions.len(), rules.many)
    } else {
        format!("One {} {at}: {size}.", rules.one)
    }
}

fn score(finding: &Finding) -> String {
    format!("Certainty: {} (score {}).", finding.score.words(), finding.score)
}

/// `40 % of its width`, or where it is longer than the photo is wide, `1.4 times its width`.
fn widths(whose: &str, share: f32) -> String {
    match (share * 100.0).round() {
        percent if percent < 1.0 => format!("less than 1 % of {whose} width"),
        percent if percent <= 100.0 => format!("{percent:.0} % of {whose} width"),
        _ => format!("{share:.1} times {whose} width"),
    }
}

/// Two digits are all that a photo is good for.
fn millimetres(mm: f64) -> String {
    let step = 10_f64.powi((mm.max(1.0).log10().floor() as i32 - 1).max(0));
    format!("{:.0}", (mm / step).round() * step)
}

/// The longest region's extent as a share of the photo's width: for what has a length, the
/// diagonal of its box; for what has an area, the longer side.
pub fn length_share(finding: &Finding, extent: Extent, photo: Size<Upright>) -> f32 {
    let of_region = |region: &Region| {
        let (width, height) = (region.area.width(), region.area.height());
        match extent {
            Extent::Length => width.hypot(height),
            Extent::Area => width.max(height),
        }
    };
    let longest = finding.regions.iter().map(of_region).fold(0.0, f32::max);
    longest / photo.width.max(1) as f32
}

/// A share as people say it, in words that "of the photo" follows: `about a fifth`.
pub fn share_words(share: f32) -> &'static str {
    const WORDS: [(f32, &str); 13] = [
        (1.0, "nearly all"),
        (0.75, "about three quarters"),
        (2.0 / 3.0, "about two thirds"),
        (0.5, "about half"),
        (0.4, "about two fifths"),
        (1.0 / 3.0, "about a third"),
        (0.25, "about a quarter"),
        (0.2, "about a fifth"),
        (1.0 / 7.0, "about a seventh"),
        (0.1, "about a tenth"),
        (0.05, "about a twentieth"),
        (0.02, "about a fiftieth"),
        (0.01, "about a hundredth"),
    ];
    if share < 0.007 {
        return "less than a hundredth";
    }
    let apart = |known: &f32| (known / share).ln().abs();
    let nearest = WORDS.iter().min_by(|a, b| apart(&a.0).total_cmp(&apart(&b.0)));
    nearest.map_or("some", |(_, words)| words)
}

/// Where a box lies in the photo, in words: `in the upper left`.
pub fn position_words(area: PixelBox<Upright>, photo: Size<Upright>) -> &'static str {
    const WIDE: f32 = 0.8;
    let [x0, y0, x1, y1] = area.corners();
    let (width, height) = (photo.width.max(1) as f32, photo.height.max(1) as f32);
    let third = |middle: f32| ((middle * 3.0) as usize).min(2);
    let (column, row) = (third(f32::midpoint(x0, x1) / width), third(f32::midpoint(y0, y1) / height));
    match (area.width() / width > WIDE, area.height() / height > WIDE) {
        (true, true) => "filling the frame",
        (true, false) => ["across the top", "across the middle", "across the bottom"][row],
        (false, true) => ["down the left side", "down the middle", "down the right side"][column],
        (false, false) => [
            ["in the upper left", "at the top", "in the upper right"],
            ["at the left", "in the middle", "at the right"],
            ["in the lower left", "at the bottom", "in the lower right"],
        ][row][column],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_said_as_people_say_them() {
        let cases = [
            (1.0, "nearly all"),
            (0.47, "about half"),
            (0.21, "about a fifth"),
            (0.06, "about a twentieth"),
            (0.011, "about a hundredth"),
            (0.001, "less than a hundredth"),
            (0.0, "less than a hundredth"),
        ];
        for (share, expected) in cases {
            assert_eq!(share_words(share), expected);
        }
    }

    #[test]
    fn positions_are_said_from_the_onlookers_view() {
        let photo = Size::new(300, 300);
        let cases = [
            ([0.0, 0.0, 50.0, 50.0], "in the upper left"),
            ([120.0, 120.0, 180.0, 180.0], "in the middle"),
            ([250.0, 250.0, 300.0, 300.0], "in the lower right"),
            ([0.0, 140.0, 300.0, 160.0], "across the middle"),
            ([290.0, 0.0, 300.0, 300.0], "down the right side"),
            ([0.0, 0.0, 300.0, 300.0], "filling the frame"),
        ];
        for (corners, expected) in cases {
            let area = PixelBox::try_from(corners).expect("a box");
            assert_eq!(position_words(area, photo), expected, "{corners:?}");
        }
    }

    #[test]
    fn what_is_longer_than_the_photo_is_wide_is_so_many_times_its_width() {
        let cases = [(0.004, "less than 1 %"), (0.83, "83 %"), (1.0, "100 %")];
        for (share, expected) in cases {
            assert_eq!(widths("its", share), format!("{expected} of its width"));
        }
        assert_eq!(widths("the photo's", 1.43), "1.4 times the photo's width");
    }

    #[test]
    fn millimetres_have_two_digits_at_most() {
        let cases = [(0.4, "0"), (7.3, "7"), (48.2, "48"), (473.0, "470"), (1_249.0, "1200")];
        for (mm, expected) in cases {
            assert_eq!(millimetres(mm), expected);
        }
    }
}
