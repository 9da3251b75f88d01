//! The site as a plan: SVG without scripts and fonts of its own.

use std::fmt::Write as _;

use geo::{BoundingRect, Centroid, Coord, MultiPolygon, Rect};

use crate::domain::capture::GpsFix;
use crate::domain::place::tree;
use crate::domain::site::{Area, Kind, Site};

/// Pixels across of one plan on a sheet of paper.
const WIDTH: f64 = 960.0;
/// The same on a page, which a phone shows nearly as it is: names stay readable, dots stay targets.
const ON_A_PAGE: f64 = 400.0;
const MARGIN: f64 = 24.0;
const HEADING: f64 = 28.0;
/// A dot without a position stands this far below the middle of its area.
const BELOW_NAME: f64 = 17.0;
/// From one line of a name to the next.
const LINE: f64 = 12.0;
/// What a gloved finger hits of a dot that leads somewhere.
const TARGET: u32 = 28;
/// Roughly the width of a character in the plan's 11 px type.
const CHARACTER: f64 = 6.9;

/// Something to mark on the plan: a finding, a photo.
#[derive(Debug, Clone)]
pub struct Dot {
    /// The path of the location that it belongs to.
    pub path: Vec<String>,
    /// The exact position, where known; else the middle of the location is marked.
    pub fix: Option<GpsFix>,
    /// What a pointer resting on it tells.
    pub title: String,
    /// What stands in it, e.g. how many it stands for.
    pub label: String,
    /// Where it leads, on a page.
    pub link: Option<String>,
}

/// One sheet of the plan for a page that brings the styles: the ground, or one floor of one building.
#[derive(Debug, Clone)]
pub struct Floor {
    /// What it shows.
    pub heading: String,
    /// An `svg` element.
    pub svg: String,
    /// Which of the given dots lie on it.
    pub dots: Vec<usize>,
}

/// One drawing of the plan: the ground, or one floor of one building.
struct Sheet<'a> {
    heading: String,
    areas: Vec<&'a Area>,
    bounds: Rect,
    floor: Option<usize>,
}

impl Sheet<'_> {
    /// Pixels of a metre, if the sheet is `across` pixels wide or high.
    fn scale(&self, across: f64) -> f64 {
        across / self.bounds.width().max(self.bounds.height()).max(1.0)
    }
}

impl Site {
    /// The whole site as SVG: the ground first, then each floor that has areas of its own.
    pub fn draw(&self) -> String {
        self.draw_with(&[])
    }

    /// As [`Site::draw`], with `dots`; a dot whose location is not drawn is left out.
    pub fn draw_with(&self, dots: &[Dot]) -> String {
        let (mut body, mut top) = (String::new(), 0.0);
        for sheet in self.sheets() {
            let scale = sheet.scale(WIDTH - 2.0 * MARGIN);
            let _ = write!(body, r#"<g transform="translate({MARGIN},{:.1})">"#, top + MARGIN);
            let _ = write!(body, r#"<text class="h" y="4">{}</text>"#, escape(&sheet.heading));
            let _ = write!(body, r#"<g transform="translate(0,{HEADING})">"#);
            for area in &sheet.areas {
                self.draw_area(area, &sheet, scale, &mut body);
            }
            for dot in dots {
                self.draw_dot(dot, &sheet, scale, &mut body);
            }
            body.push_str("</g></g>\n");
            top += sheet.bounds.height() * scale + 2.0 * MARGIN + HEADING;
        }
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {top:.0}\" role=\"img\" \
             aria-label=\"Plan of the site\">\n<style>{STYLE}</style>\n{body}</svg>\n"
        )
    }

    /// Each sheet by itself, without styles; a dot whose location is not drawn is on none of them.
    pub fn floors(&self, dots: &[Dot]) -> Vec<Floor> {
        let floor = |sheet: Sheet<'_>| {
            let scale = sheet.scale(ON_A_PAGE);
            let mut body = String::new();
            for area in &sheet.areas {
                self.draw_area(area, &sheet, scale, &mut body);
            }
            let on_it = (0..dots.len())
                .filter(|index| self.draw_dot(&dots[*index], &sheet, scale, &mut body))
                .collect();
            let (width, height) = (sheet.bounds.width() * scale + 2.0, sheet.bounds.height() * scale + 2.0);
            let svg = format!(
                "<svg class=\"plan\" viewBox=\"-1 -1 {width:.0} {height:.0}\" role=\"group\" aria-label=\"{}\">{body}</svg>",
                escape(&sheet.heading)
            );
            Floor { heading: sheet.heading, svg, dots: on_it }
        };
        self.sheets().into_iter().map(floor).collect()
    }

    fn sheets(&self) -> Vec<Sheet<'_>> {
        let ground: Vec<&Area> = self.areas.iter().filter(|area| area.kin.floor.is_none()).collect();
        let floors = self.areas.iter().enumerate().filter(|(_, area)| area.kind == Kind::Floor);
        let floors = floors.filter_map(|(index, floor)| {
            let on_it = |area: &&Area| area.kin.floor == Some(index);
            let areas: Vec<&Area> = self.areas.iter().filter(on_it).collect();
            Some(Sheet {
                heading: floor.path.join(", "),
                bounds: self.outline(floor)?.bounding_rect()?,
                areas,
                floor: Some(index),
            })
        });
        let bounds = ground.iter().filter_map(|area| area.bounds).reduce(around);
        let ground =
            bounds.map(|bounds| Sheet { heading: "Site".into(), areas: ground, bounds, floor: None });
        ground.into_iter().chain(floors).collect()
    }

    fn draw_area(&self, area: &Area, sheet: &Sheet<'_>, scale: f64, body: &mut String) {
        let Some(outline) = self.outline(area) else { return };
        let class = match area.kind {
            Kind::Building => "b",
            Kind::Floor => "f",
            Kind::Zone => "z",
            Kind::Room => "r",
        };
        let _ = write!(
            body,
            r#"<path class="{class}" d="{}"><title>{}</title></path>"#,
            path(outline, sheet, scale),
            escape(&area.path.join(", "))
        );
        let (Some(middle), Some(bounds)) = (outline.centroid(), outline.bounding_rect()) else { return };
        let name = area.path.last().map_or("", String::as_str);
        let lines = if area.kind == Kind::Floor { None } else { lines(name, bounds.width() * scale) };
        let (x, y) = on_paper(middle.0, sheet, scale);
        for (line, above) in lines.iter().flatten().rev().zip(0_u8..) {
            let y = y - f64::from(above) * LINE;
            let _ = write!(body, r#"<text x="{x:.1}" y="{y:.1}">{}</text>"#, escape(line));
        }
    }

    /// Draws a dot if it lies on this sheet.
    fn draw_dot(&self, dot: &Dot, sheet: &Sheet<'_>, scale: f64, body: &mut String) -> bool {
        let wanted = tree::key(&dot.path);
        let Some(area) = self.areas.iter().find(|area| tree::key(&area.path) == wanted) else { return false };
        if area.kin.floor != sheet.floor {
            return false;
        }
        let exact = dot.fix.as_ref().map(|fix| self.metres(fix)).map(|(x, y)| Coord { x, y });
        let Some(middle) = exact.or_else(|| Some(self.outline(area)?.centroid()?.0)) else { return false };
        let (x, y) = on_paper(middle, sheet, scale);
        // In the middle stands the name.
        let y = if exact.is_some() { y } else { y + BELOW_NAME };
        let (radius, title) = (if dot.label.is_empty() { 6 } else { 11 }, escape(&dot.title));
        let mut drawn = String::new();
        if dot.link.is_some() {
            let _ = write!(drawn, r#"<circle class="t" cx="{x:.1}" cy="{y:.1}" r="{TARGET}"/>"#);
        }
        let _ =
            write!(drawn, r#"<circle cx="{x:.1}" cy="{y:.1}" r="{radius}"><title>{title}</title></circle>"#);
        if !dot.label.is_empty() {
            let _ = write!(
                drawn,
                r#"<text class="n" x="{x:.1}" y="{:.1}">{}</text>"#,
                y + 4.5,
                escape(&dot.label)
            );
        }
        let _ = match &dot.link {
            Some(link) => write!(body, r#"<a href="{}" aria-label="{title}">{drawn}</a>"#, escape(link)),
            None => write!(body, "{drawn}"),
        };
        true
    }
}

/// `name` in as many pixels across, on one line or two; nothing if it does not fit.
fn lines(name: &str, across: f64) -> Option<Vec<&str>> {
    let fits = |line: &str| (line.chars().count() as f64) * CHARACTER < across;
    if fits(name) {
        return Some(vec![name]);
    }
    let halves = name.char_indices().filter(|(_, letter)| *letter == ' ').map(|(at, _)| name.split_at(at));
    let (first, second) = halves.min_by_key(|(first, second)| first.len().abs_diff(second.len()))?;
    let second = second.trim_start();
    (fits(first) && fits(second)).then(|| vec![first, second])
}

const STYLE: &str = "text{font:11px sans-serif;text-anchor:middle;fill:#333}\
.h{font-size:15px;font-weight:600;text-anchor:start}path{stroke:#555;fill-rule:evenodd}\
.b{fill:#dfe7ef}.f{fill:#f4f6f8}.z{fill:#efe6d2;fill-opacity:.6}.r{fill:#fff}\
circle{fill:#c2410c;stroke:#fff;stroke-width:2}.n{fill:#fff;font-weight:700}\
@media(prefers-color-scheme:dark){text{fill:#ddd}path{stroke:#999}.b{fill:#2b3744}.f{fill:#1f2730}\
.z{fill:#4a4030}.r{fill:#151b22}}";

fn around(a: Rect, b: Rect) -> Rect {
    Rect::new(
        Coord { x: a.min().x.min(b.min().x), y: a.min().y.min(b.min().y) },
        Coord { x: a.max().x.max(b.max().x), y: a.max().y.max(b.max().y) },
    )
}

/// North is up on paper, where y points down.
fn on_paper(point: Coord, sheet: &Sheet<'_>, scale: f64) -> (f64, f64) {
    ((point.x - sheet.bounds.min().x) * scale, (sheet.bounds.max().y - point.y) * scale)
}

fn path(outline: &MultiPolygon, sheet: &Sheet<'_>, scale: f64) -> String {
    let mut path = String::new();
    let rings =
        outline.iter().flat_map(|polygon| std::iter::once(polygon.exterior()).chain(polygon.interiors()));
    for ring in rings {
        for (index, corner) in ring.coords().enumerate() {
            let (x, y) = on_paper(*corner, sheet, scale);
            let _ = write!(path, "{}{x:.1},{y:.1}", if index == 0 { "M" } else { "L" });
        }
        path.push('Z');
    }
    path
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::place::tree::parse_path;
    use crate::domain::site::sample::{collection, feature, rectangle, site};

    #[test]
    fn every_area_is_drawn_once_and_dots_lie_on_their_sheet() {
        let dot = Dot {
            path: parse_path("Building A>Floor 2>Unit 204"),
            fix: None,
            title: "Crack".into(),
            label: String::new(),
            link: None,
        };
        let lost = Dot { path: parse_path("Building X"), ..dot.clone() };
        let svg = site().draw_with(&[dot, lost]);
        assert_eq!(svg.matches("<path").count(), 150);
        assert_eq!(svg.matches("<circle").count(), 1);
        let sheet =
            svg.split("class=\"h\"").find(|sheet| sheet.contains("<circle")).expect("a sheet with a dot");
        assert!(sheet.contains(">Building A, Floor 2</text>"), "{sheet}");
    }

    #[test]
    fn names_stand_on_one_line_or_two_or_not_at_all() {
        assert_eq!(lines("Unit 204", 60.0), Some(vec!["Unit 204"]));
        assert_eq!(lines("Electrical Room", 70.0), Some(vec!["Electrical", "Room"]));
        assert_eq!(lines("Electrical Room", 40.0), None);
        assert_eq!(lines("Treppenhauskern", 40.0), None);
    }

    #[test]
    fn names_cannot_break_out_of_the_drawing() {
        let properties = json!({ "location": "<script>&\"x" });
        let site = Site::parse(&collection(&[feature(&rectangle(0.0, 0.0, 90.0, 90.0), &properties)]));
        let svg = site.expect("readable").draw();
        assert!(!svg.contains("<script"), "{svg}");
        assert!(svg.contains("script, &amp;&quot;x"), "{svg}");
    }
}
