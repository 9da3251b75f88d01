//! A place from a position: as fine as the accuracy allows, and no finer.

use std::collections::BTreeMap;

use crate::domain::capture::GpsFix;
use crate::domain::place::resolve::PlaceRules;
use crate::domain::place::{Confidence, Evidence, Location, LocationTree, Place, tree};
use crate::domain::site::{Located, Site};

/// A share from which a place is all but certain.
const SURE: f64 = 0.95;

/// A share from which a place is worth naming as a rival.
const WORTH_NAMING: f64 = 0.2;

/// Runner-ups that are kept at most.
const RIVALS_MAX: usize = 5;

/// What a position gives.
#[derive(Debug, Clone)]
pub(super) enum Positioned {
    /// A place on the site.
    On(Place),
    /// Nothing, and why: a whole sentence.
    Off(String),
    /// There is no position at all.
    Without,
}

impl Positioned {
    /// Why the position gave no place.
    pub(super) fn note(&self) -> Option<String> {
        match self {
            Self::Off(note) => Some(note.clone()),
            Self::On(_) | Self::Without => None,
        }
    }
}

pub(super) fn by_position(
    fix: Option<GpsFix>,
    tree: &LocationTree,
    site: Option<&Site>,
    rules: &PlaceRules,
) -> Positioned {
    let Some(fix) = fix else { return Positioned::Without };
    let Some(site) = site else {
        return Positioned::Off("There is a position, but the project has no site file.".into());
    };
    let radius_m = radius(&fix, rules);
    if radius_m > rules.max_radius_m {
        return Positioned::Off(format!("The position ±{radius_m:.0} m is too coarse to choose a place by."));
    }
    let located = site.locate(&fix, radius_m, radius_m * rules.vertical_factor);
    if !located.inside && located.covered < rules.min_on_site {
        let away = located.away_m;
        return Positioned::Off(format!("The position ±{radius_m:.0} m is {away:.0} m outside the site."));
    }
    let likely = likely(&located, tree);
    let deepest = likely.iter().filter(|(_, share)| *share >= rules.min_share);
    let depth = deepest.clone().map(|(node, _)| node.path.len()).max();
    let chosen: Vec<&(Location, f64)> = deepest.filter(|(node, _)| Some(node.path.len()) == depth).collect();
    let evidence = |share: f64| Evidence::SiteOutline { fix, radius_m, share };
    match chosen.as_slice() {
        [] => nothing_fits(&likely, radius_m, evidence(0.0)),
        [(node, share)] => {
            let confidence =
                if *share >= SURE && located.inside { Confidence::High } else { Confidence::Medium };
            let place = Place::bare(Some(node.clone()), evidence(*share), confidence);
            Positioned::On(Place { runner_ups: rivals(&likely, node), ..place })
        }
        several => {
            let nodes: Vec<Location> = several.iter().map(|(node, _)| node.clone()).collect();
            Positioned::On(super::resolve::tied(&nodes, evidence(several[0].1), tree))
        }
    }
}

/// The radius to reckon with. Phones that don't know their accuracy write 0.
fn radius(fix: &GpsFix, rules: &PlaceRules) -> f64 {
    fix.accuracy_m.filter(|metres| metres.is_finite() && *metres > 0.0).unwrap_or(rules.assumed_accuracy_m)
}

/// The locations of the tree with the share that each covers itself or through what lies in it.
fn likely(located: &Located, tree: &LocationTree) -> Vec<(Location, f64)> {
    // Deepest first, so that each node is complete before it is added to its parent.
    let mut by_depth: BTreeMap<(usize, String), (Vec<String>, f64, f64)> = BTreeMap::new();
    for share in &located.shares {
        let depth = usize::MAX - share.path.len();
        let slot = by_depth.entry((depth, tree::key(&share.path))).or_insert((share.path.clone(), 0.0, 0.0));
        slot.1 += share.share;
    }
    let mut likely = Vec::new();
    while let Some(((depth, _), (path, own, inner))) = by_depth.pop_first() {
        let share = f64::max(own, inner).min(1.0);
        if path.len() > 1 {
            let above = &path[..path.len() - 1];
            let slot = by_depth.entry((depth + 1, tree::key(above))).or_insert((above.to_vec(), 0.0, 0.0));
            slot.2 += share;
        }
        // Rounded, so that what ties on paper ties here.
        let rounded = (share * 1e4).round() / 1e4;
        likely.extend(tree.by_path(&path).map(|node| (node.clone(), rounded)));
    }
    likely.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.path.cmp(&b.0.path)));
    likely
}

/// No location holds enough of the circle: the tied ones are told.
fn nothing_fits(likely: &[(Location, f64)], radius_m: f64, evidence: Evidence) -> Positioned {
    let roots: Vec<&(Location, f64)> = likely.iter().filter(|(node, _)| node.path.len() == 1).collect();
    if roots.is_empty() {
        return Positioned::Off("The site file's areas there are no locations of the project.".into());
    }
    let note = format!("±{radius_m:.0} m is too coarse to tell them apart.");
    let runner_ups = roots.into_iter().map(|(node, _)| node.clone()).take(RIVALS_MAX).collect();
    Positioned::On(Place { runner_ups, notes: vec![note], ..Place::bare(None, evidence, Confidence::None) })
}

/// What else the circle touches, at the chosen node's depth and right below it.
fn rivals(likely: &[(Location, f64)], chosen: &Location) -> Vec<Location> {
    let beside = |node: &Location| {
        node.id != chosen.id
            && (node.path.len() == chosen.path.len()
                || (node.path.len() == chosen.path.len() + 1 && tree::is_within(&node.path, &chosen.path)))
    };
    let rivals = likely.iter().filter(|(node, share)| *share >= WORTH_NAMING && beside(node));
    rivals.map(|(node, _)| node.clone()).take(RIVALS_MAX).collect()
}
