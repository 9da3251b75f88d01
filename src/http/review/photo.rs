//! The photo with its regions outlined, drawn by the server: boxes need no script.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::filter::Filter;
use super::icons::{Icon, icon};
use super::labels;
use crate::domain::card::Card;
use crate::domain::geometry::{PixelBox, Size, Upright};
use crate::domain::ids::{FindingId, PhotoId};
use crate::store::Overlaid;

/// Close-ups shown under the photo; more would push the decision off a phone's screen.
const CLOSE_UPS: usize = 3;

/// The longest arm of an outline's corner, as a share of the photo's longer side.
const ARM: f32 = 0.05;

/// The same in a list, where the whole photo is a few dozen pixels wide.
const ARM_SMALL: f32 = 0.1;

/// Where the reduced picture of `photo` is served.
pub(super) fn picture_url(photo: PhotoId) -> String {
    format!("/review/photos/{photo}/picture")
}

/// Where the crop of a finding is served.
fn crop_url(finding: FindingId) -> String {
    format!("/review/findings/{finding}/crop")
}

/// Where the score map of a finding is served.
fn score_map_url(finding: FindingId) -> String {
    format!("/review/findings/{finding}/score-map")
}

/// The large photo with every region of the finding and what lies over it; `map` tells whether the score map does.
pub(super) fn large(card: &Card, overlaid: Overlaid, filter: &Filter, map: bool) -> Markup {
    let boxes: Vec<_> = card.finding.regions.iter().map(|region| region.area).collect();
    let sharp = overlaid.crop;
    let over = html! {
        @if let Some(area) = sharp { (sharper(card, area)) }
        @if let Some(area) = overlaid.score_map { (score_map(card, area, map)) }
    };
    html! {
        figure.shot #shot .mapped[map] {
            a.photo #photo href=(picture_url(card.photo.id)) data-zoom=(view_box(zoomed(card.finding.hull, card.photo.size))) {
                span.frame {
                    img src=(picture_url(card.photo.id)) alt=(describe(card)) fetchpriority="high" draggable="false";
                    (outlines(&boxes, card.photo.size, ARM, &over))
                }
            }
            div.closeups {
                @for (index, region) in card.finding.regions.iter().take(CLOSE_UPS).enumerate() {
                    a href=(picture_url(card.photo.id)) data-zoom=(view_box(zoomed(region.area, card.photo.size)))
                        aria-label=(format!("Zoom to region {}, {}", index + 1, region.score.words())) {
                        (crop(card, region.area, sharp))
                        span { (icon(Icon::Zoom)) (region.score) }
                    }
                }
                @if card.finding.regions.len() > CLOSE_UPS {
                    span.more { "+" (card.finding.regions.len() - CLOSE_UPS) " more" }
                }
            }
            @if overlaid.score_map.is_some() { (map_switch(card, filter, map)) }
        }
    }
}

/// A small square view of the finding for a list. Only the browser's scaling makes it small: the
/// picture is the one that the card shows next.
pub(super) fn thumbnail(card: &Card) -> Markup {
    html! {
        span.thumb {
            img src=(picture_url(card.photo.id)) alt="" loading="lazy" decoding="async";
            (outlines(&[card.finding.hull], card.photo.size, ARM_SMALL, &html! {}))
        }
    }
}

/// The defect with its surroundings and outline, for paper: nothing to click, and a picture from anywhere.
pub(super) fn still(card: &Card, source: &str) -> Markup {
    let size = card.photo.size;
    let view = with_context(card.finding.hull, size);
    let boxes: Vec<_> = card.finding.regions.iter().map(|region| region.area).collect();
    html! {
        svg.still viewBox=(view_box(view)) preserveAspectRatio="xMidYMid meet" role="img" aria-label=(describe(card)) {
            image href=(source) width=(size.width) height=(size.height) {}
            @for area in boxes {
                @let path = corners(grown(area, size, 0.006), view.width().max(view.height()) * ARM_SMALL);
                path.halo d=(path) {}
                path.line d=(path) {}
            }
        }
    }
}

/// Further photos of the same defect.
pub(super) fn others(photos: &[PhotoId]) -> Markup {
    html! {
        @if !photos.is_empty() {
            section.others-photos aria-label="Other photos of this" {
                h2 { "Also in " (labels::count(photos.len() as u64, "photo", "photos")) }
                ul {
                    @for (index, photo) in photos.iter().enumerate() {
                        li { a href=(picture_url(*photo)) target="_blank" rel="noopener" { img src=(picture_url(*photo)) alt=(format!("Other photo {}", index + 1)) loading="lazy" decoding="async"; } }
                    }
                }
            }
        }
    }
}

/// Has the photo's own measures, so that the page is laid out before the picture comes.
fn outlines(boxes: &[PixelBox<Upright>], size: Size<Upright>, arm: f32, below: &Markup) -> Markup {
    html! {
        svg.outlines viewBox=(view_box(size.bounds())) width=(size.width) height=(size.height) aria-hidden="true" focusable="false" {
            (below)
            @for area in boxes {
                @let path = corners(grown(*area, size, 0.006), size.long_side() as f32 * arm);
                path.halo d=(path) {}
                path.line d=(path) {}
            }
        }
    }
}

/// The finding's crop, in its place over the reduced picture.
fn sharper(card: &Card, area: PixelBox<Upright>) -> Markup {
    let [x, y, ..] = area.corners();
    html! {
        image href=(crop_url(card.finding.id)) x=(format!("{x:.0}")) y=(format!("{y:.0}"))
            width=(format!("{:.0}", area.width())) height=(format!("{:.0}", area.height())) preserveAspectRatio="none" {}
    }
}

/// The finding's score map, in its place over the picture. It comes when it is asked for: here, or by the script.
fn score_map(card: &Card, area: PixelBox<Upright>, shown: bool) -> Markup {
    let [x, y, ..] = area.corners();
    let url = score_map_url(card.finding.id);
    html! {
        image.map #map href=[shown.then_some(&url)] data-href=(url) x=(x) y=(y) width=(area.width()) height=(area.height()) preserveAspectRatio="none" {}
    }
}

/// Lays the score map over the photo and takes it off: a form, so that it needs no script. Beside it, what it shows.
fn map_switch(card: &Card, filter: &Filter, shown: bool) -> Markup {
    let class = labels::class(&card.finding.class).to_lowercase();
    html! {
        form.mapping method="get" action=(super::card::card_path(card)) {
            @for (name, value) in filter.pairs() { input type="hidden" name=(name) value=(value); }
            p.legend #map-legend {
                span.scale { "0 %" svg viewBox="0 0 60 10" aria-hidden="true" focusable="false" {
                    linearGradient #veil { stop stop-color="#262626" stop-opacity=".75" {} stop offset="1" stop-color="#262626" stop-opacity="0" {} }
                    rect.ground width="60" height="10" {} rect fill="url(#veil)" width="60" height="10" {}
                } "100 %" }
                "The clearer a spot, the surer the model is of “" (class) "” there."
            }
            button #map-switch type="submit" name=[(!shown).then_some("map")] value="1" aria-pressed=(shown.to_string()) aria-describedby="map-legend" {
                (icon(Icon::Map)) span { "Score map" } kbd { "M" }
            }
        }
    }
}

fn crop(card: &Card, area: PixelBox<Upright>, sharp: Option<PixelBox<Upright>>) -> Markup {
    let size = card.photo.size;
    html! {
        svg.crop viewBox=(view_box(zoomed(area, size))) preserveAspectRatio="xMidYMid slice" aria-hidden="true" focusable="false" {
            image href=(picture_url(card.photo.id)) width=(size.width) height=(size.height) {}
            @if let Some(sharp) = sharp { (sharper(card, sharp)) }
        }
    }
}

fn describe(card: &Card) -> String {
    let class = labels::class(&card.finding.class);
    let regions = labels::count(card.finding.regions.len() as u64, "outlined region", "outlined regions");
    format!("{class} in photo {}, {regions}, {}", card.photo.filename, labels::place(&card.place))
}

/// The four corners of a viewfinder: they point at the defect and leave its edges visible.
fn corners(area: PixelBox<Upright>, longest: f32) -> String {
    let [x0, y0, x1, y1] = area.corners();
    let arm = (area.width().min(area.height()) * 0.3).min(longest);
    let mut path = String::new();
    let _infallible = write!(
        path,
        "M{x0:.0} {:.0}V{y0:.0}H{:.0}M{:.0} {y0:.0}H{x1:.0}V{:.0}M{x1:.0} {:.0}V{y1:.0}H{:.0}M{:.0} {y1:.0}H{x0:.0}V{:.0}",
        y0 + arm,
        x0 + arm,
        x1 - arm,
        y0 + arm,
        y1 - arm,
        x1 - arm,
        x0 + arm,
        y1 - arm
    );
    path
}

/// `area` with air around it, inside the photo, and never so small that only pixels are seen.
fn zoomed(area: PixelBox<Upright>, size: Size<Upright>) -> PixelBox<Upright> {
    let least = size.long_side() as f32 * 0.12;
    let missing = (least - area.width().min(area.height())).max(0.0) / 2.0;
    grown(area, size, 0.02 + missing / size.long_side().max(1) as f32)
}

/// `area` with at least as much around it as it takes itself, in a shape that a page holds.
fn with_context(area: PixelBox<Upright>, size: Size<Upright>) -> PixelBox<Upright> {
    let share = area.width().max(area.height()) * 0.35 / size.long_side().max(1) as f32;
    grown(zoomed(area, size), size, share)
}

/// `area` grown on every side by `share` of the photo's longer side, inside the photo.
fn grown(area: PixelBox<Upright>, size: Size<Upright>, share: f32) -> PixelBox<Upright> {
    let [x0, y0, x1, y1] = area.corners();
    let by = size.long_side() as f32 * share;
    PixelBox::new(x0 - by, y0 - by, x1 + by, y1 + by)
        .ok()
        .and_then(|area| area.intersection(size.bounds()))
        .unwrap_or_else(|| size.bounds())
}

fn view_box(area: PixelBox<Upright>) -> String {
    let [x0, y0, ..] = area.corners();
    format!("{x0:.0} {y0:.0} {:.0} {:.0}", area.width(), area.height())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(corners: [f32; 4]) -> PixelBox<Upright> {
        corners.try_into().expect("a box")
    }

    #[test]
    fn outlines_are_in_photo_pixels() {
        let size = Size::new(4000, 3000);
        let drawn = outlines(&[area([1000.0, 500.0, 1400.0, 900.0])], size, ARM, &html! {}).into_string();
        assert!(drawn.contains("viewBox=\"0 0 4000 3000\""), "{drawn}");
        // Grown by 24 pixels; arms of 134.
        assert!(drawn.contains("M976 610V476H1110"), "{drawn}");
        assert!(!drawn.contains("style="), "the content security policy refuses style attributes");
    }

    #[test]
    fn zooming_stays_inside_and_keeps_context() {
        let size = Size::new(4000, 3000);
        let tiny = zoomed(area([10.0, 10.0, 12.0, 12.0]), size);
        let [x0, y0, ..] = tiny.corners();
        assert!(x0 >= 0.0 && y0 >= 0.0 && tiny.width() > 200.0, "{tiny:?}");
        let everything = zoomed(size.bounds(), size);
        assert_eq!(everything, size.bounds());
    }

    #[test]
    fn a_box_outside_the_photo_shows_the_whole_photo() {
        let size = Size::new(100, 100);
        assert_eq!(grown(area([500.0, 500.0, 600.0, 600.0]), size, 0.01), size.bounds());
    }
}
