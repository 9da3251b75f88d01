//! Chooses a photo's place from all that is known of it, and says why.

use jiff::SignedDuration;
use serde::Deserialize;

use crate::domain::capture::{CaptureInfo, GpsFix, Known, TakenAt};
use crate::domain::ids::{LocationId, UserId};
use crate::domain::place::neighbour::by_neighbours;
use crate::domain::place::position::{Positioned, by_position};
use crate::domain::place::text::{Named, TextRules, by_text};
use crate::domain::place::{Confidence, Evidence, Location, LocationTree, Place};
use crate::domain::site::Site;

/// How places are chosen: the section `[place]` of `tagging.toml`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlaceRules {
    /// Radius in metres of a position that does not tell its accuracy.
    pub assumed_accuracy_m: f64,
    /// Radius in metres beyond which a position chooses nothing: it may be of another site.
    pub max_radius_m: f64,
    /// Share of the circle (its part on the site) that a location must cover to be chosen, 0.5..=1.
    pub min_share: f64,
    /// Share of the circle that must lie on the site if its middle does not, 0..=1.
    pub min_on_site: f64,
    /// A position's vertical accuracy as a multiple of its horizontal one.
    pub vertical_factor: f64,
    /// Seconds that a neighbour's photo may be away.
    pub neighbour_max_s: i64,
    /// Metres that a neighbour's photo may be away, where both have a position.
    pub neighbour_max_m: f64,
    /// What is read from texts.
    pub text: TextRules,
}

/// A located photo of the same project, taken at about the same time.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbour {
    /// Where it was taken, by its own Procore location.
    pub location: LocationId,
    /// When.
    pub taken_at: TakenAt,
    /// Its position.
    pub gps: Option<GpsFix>,
    /// Who uploaded it.
    pub uploader: Option<UserId>,
}

/// All that is known of a photo's place.
#[derive(Debug, Clone)]
pub struct PlaceQuery<'a> {
    /// The location that the photo carries in Procore.
    pub photo_location: Option<LocationId>,
    /// What the file says.
    pub capture: &'a CaptureInfo,
    /// The position that Procore tells, used where the file has none.
    pub procore_gps: Option<GpsFix>,
    /// The file's name.
    pub filename: &'a str,
    /// The description in Procore.
    pub description: Option<&'a str>,
    /// The album in Procore.
    pub album: Option<&'a str>,
    /// Located photos that could help, in any order.
    pub neighbours: &'a [Neighbour],
    /// Who uploaded the photo.
    pub uploader: Option<UserId>,
}

impl PlaceQuery<'_> {
    /// The position: the file's own before Procore's, which is a copy without accuracy.
    pub(super) fn fix(&self) -> Option<GpsFix> {
        let own = self.capture.gps.as_option().copied();
        own.filter(is_on_earth).or_else(|| self.procore_gps.filter(is_on_earth))
    }

    /// Why the file's position is only likely.
    fn doubt(&self) -> Option<&str> {
        self.capture.gps.as_option()?;
        self.capture.origins.gps.as_ref()?.likely.as_deref()
    }
}

/// Neither NaN nor outside the globe, whoever told it.
fn is_on_earth(fix: &GpsFix) -> bool {
    (-90.0..=90.0).contains(&fix.latitude) && (-180.0..=180.0).contains(&fix.longitude)
}

/// Chooses the place of a photo: its own location in Procore; else where its position lies, never
/// finer than the position's accuracy allows; else what its texts name; else where the same person
/// took a located photo just before or after. Texts may refine a position's coarse answer, but
/// never contradict it. Tied places are listed, and what they have in common is chosen.
pub fn resolve(
    query: &PlaceQuery<'_>,
    tree: &LocationTree,
    site: Option<&Site>,
    rules: &PlaceRules,
) -> Place {
    let mut notes = Vec::new();
    if let Some(id) = query.photo_location {
        if let Some(location) = tree.by_id(id) {
            return Place::of_photo(location.clone());
        }
        notes.push(format!("The photo's location {id} is not in the project's list."));
    }
    let mut position = by_position(query.fix(), tree, site, rules);
    notes.extend(position.note());
    if let (Positioned::On(place), Some(doubt)) = (&mut position, query.doubt()) {
        place.confidence = place.confidence.min(Confidence::Medium);
        notes.push(format!("The position is only likely: {doubt}."));
    }
    let seen = combine(position, &by_text(query, tree, &rules.text), tree);
    let mut place = seen
        .clone()
        .filter(|place| place.location.is_some())
        .or_else(|| by_neighbours(query, tree, rules))
        .or(seen)
        .unwrap_or_else(|| last_resort(query, tree));
    notes.append(&mut place.notes);
    Place { notes, ..place }
}

/// What the position and the texts say together, if they say anything.
fn combine(position: Positioned, named: &Named, tree: &LocationTree) -> Option<Place> {
    let Positioned::On(place) = position else { return from_text(named, false, tree) };
    if named.candidates.is_empty() {
        return Some(place);
    }
    let allowed = place.location.as_ref().map_or(place.runner_ups.as_slice(), std::slice::from_ref);
    let inner = named.clone().within(allowed);
    if inner.candidates.is_empty() {
        let other = named.candidates.first().map(Location::words).unwrap_or_default();
        let note = format!("{} names {other}, which the position rules out.", capital(named.source.words()));
        return Some(Place { notes: vec![note], ..place });
    }
    let depth = place.location.as_ref().map_or(0, |node| node.path.len());
    match from_text(&inner, true, tree) {
        Some(finer) if finer.location.as_ref().is_some_and(|node| node.path.len() > depth) => {
            let note = format!("The position agrees: {}.", place.words());
            Some(Place { notes: vec![note], ..finer })
        }
        _ => Some(place),
    }
}

/// The place that texts name: the only candidate, or what the candidates share.
fn from_text(named: &Named, position_agrees: bool, tree: &LocationTree) -> Option<Place> {
    let evidence = Evidence::Text { source: named.source, matched: named.matched.clone() };
    match named.candidates.as_slice() {
        [] => None,
        [only] => {
            let confidence =
                if named.whole_path || position_agrees { Confidence::High } else { Confidence::Medium };
            Some(Place::bare(Some(only.clone()), evidence, confidence))
        }
        several => Some(tied(several, evidence, tree)),
    }
}

/// What tied places have in common, with all of them kept.
pub(super) fn tied(places: &[Location], evidence: Evidence, tree: &LocationTree) -> Place {
    let nodes: Vec<&Location> = places.iter().collect();
    let shared = tree.common(&nodes).cloned();
    let confidence = if shared.is_some() { Confidence::Low } else { Confidence::None };
    let note = format!("{} places fit equally well.", places.len());
    Place { runner_ups: places.to_vec(), notes: vec![note], ..Place::bare(shared, evidence, confidence) }
}

fn last_resort(query: &PlaceQuery<'_>, tree: &LocationTree) -> Place {
    if let Some(fix) = query.fix() {
        return Place::gps_only(fix);
    }
    let gps = match &query.capture.gps {
        Known::Unknown(because) => because.as_str(),
        Known::Known(_) => "it has no position",
    };
    let locations = if tree.is_empty() { " and the project has no locations" } else { "" };
    Place::unknown(format!("the photo has no location in Procore, {gps}, and no text names one{locations}"))
}

/// Seconds between two times of capture: of the instants where both are known, else of the wall
/// clocks.
pub(super) fn seconds_apart(a: &TakenAt, b: &TakenAt) -> i64 {
    let apart = match (a.instant, b.instant) {
        (Some(a), Some(b)) => a.duration_since(b),
        _ => a.local.duration_since(b.local),
    };
    SignedDuration::abs(apart).as_secs()
}

fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
