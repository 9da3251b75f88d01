//! One card for one defect: which sightings are of the same thing.
//!
//! The same bytes and class are one finding by its id already. Here further sightings are told
//! apart: re-encoded copies by the print of the whole photo, bursts by time, place and the print of
//! the region, later photos of the same spot by place and a closer likeness.

pub mod cap;
pub mod index;
pub mod intake;
pub mod mute;
pub mod open_items;

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::detection::DefectClass;
use crate::domain::ids::{FindingId, PhotoId};
use crate::domain::image_hash::ImageHash;
use crate::domain::place::Location;
use crate::domain::tagging::OnceRules;

pub use cap::{Capped, cap};
pub use index::Index;
pub use intake::{Candidate, Intake, IntakeDecision, KnownCard, Recognised};
pub use mute::{Mute, Muting, mute_from, muted};
pub use open_items::{Listed, ListedItem, OpenItem, OpenItems, listed_kind, match_open_item};

/// One photo's view of a defect, as far as recognising it again needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// The finding that it would be alone; which card it is part of is kept beside it.
    pub finding: FindingId,
    /// In which photo.
    pub seen_in: PhotoId,
    /// The class.
    pub class: DefectClass,
    /// The location that was chosen.
    pub location: Option<Location>,
    /// When the photo was taken.
    pub taken_at: Option<Timestamp>,
    /// The print of the whole photo.
    pub photo: ImageHash,
    /// The print of the finding's hull with its surroundings.
    pub region: ImageHash,
}

/// Why two sightings are held to be of one defect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The very same finding.
    Itself,
    /// The same photo, saved again.
    Copy,
    /// Taken within moments, and the region looks the same.
    Burst,
    /// Taken at the same location at another time, and the region looks the same.
    Again,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Itself => "it is the same photo and class",
            Self::Copy => "it is a copy of the same photo",
            Self::Burst => "it was taken within moments and looks the same",
            Self::Again => "it shows the same location and looks the same",
        })
    }
}

/// What a new sighting is to the known ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "match", rename_all = "snake_case")]
pub enum Match {
    /// The defect is known: the photo joins this finding.
    Same {
        /// The finding.
        finding: FindingId,
        /// Why.
        because: Reason,
        /// Other findings that it is the same as; they are one defect, seen from two sides.
        also: Vec<FindingId>,
    },
    /// It could be this one; a person decides.
    MaybeSame {
        /// The finding.
        finding: FindingId,
        /// Of 64 bits, those in which the regions differ.
        bits: u32,
    },
    /// Nothing known is like it.
    New,
}

/// How two sightings compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Similarity {
    /// One defect, and why, and in how many bits of 64 the deciding prints differ.
    Same(Reason, u32),
    /// Perhaps, with the bits in which the regions differ.
    Maybe(u32),
    /// Two defects, as far as can be told.
    Different,
}

/// Compares two sightings. The order of the two does not matter. In a burst, a location and one
/// that lies in it can be the same place, as one photo may be located more finely than the next.
pub fn compare(a: &Sighting, b: &Sighting, rules: &OnceRules) -> Similarity {
    if a.finding == b.finding {
        return Similarity::Same(Reason::Itself, 0);
    }
    if a.class != b.class {
        return Similarity::Different;
    }
    if let Some(bits) = alike(&a.photo, &b.photo, rules).filter(|bits| *bits <= rules.copy_bits) {
        return Similarity::Same(Reason::Copy, bits);
    }
    let Some(bits) = alike(&a.region, &b.region, rules) else { return Similarity::Different };
    let place = a.location.as_ref().zip(b.location.as_ref());
    let compatible = place.is_none_or(|(a, b)| a.path.starts_with(&b.path) || b.path.starts_with(&a.path));
    if compatible && moments_apart(a, b, rules) && bits <= rules.burst_bits {
        return Similarity::Same(Reason::Burst, bits);
    }
    match place {
        Some((a, b)) if a.id == b.id && bits <= rules.again_bits => Similarity::Same(Reason::Again, bits),
        Some((a, b)) if a.id == b.id && bits <= rules.maybe_bits => Similarity::Maybe(bits),
        _ => Similarity::Different,
    }
}

/// The bits in which two prints differ, if they have enough structure and like colours.
fn alike(a: &ImageHash, b: &ImageHash, rules: &OnceRules) -> Option<u32> {
    let (own, other) = (a.bits(), b.bits());
    let structured = own.structure().min(other.structure()) >= rules.structure_min;
    let bits = own.apart(other);
    // Colours are compared last: it is the dearest step, and most pairs differ in bits.
    let most = most_bits(rules).max(rules.copy_bits);
    (structured && bits <= most && a.colour_apart(b) <= rules.colour_steps).then_some(bits)
}

/// Bits beyond which the regions of two sightings decide nothing.
const fn most_bits(rules: &OnceRules) -> u32 {
    let again = if rules.maybe_bits > rules.again_bits { rules.maybe_bits } else { rules.again_bits };
    if again > rules.burst_bits { again } else { rules.burst_bits }
}

fn moments_apart(a: &Sighting, b: &Sighting, rules: &OnceRules) -> bool {
    let times = a.taken_at.zip(b.taken_at);
    times.is_some_and(|(a, b)| a.duration_since(b).abs().as_secs() <= rules.burst_s)
}

/// What `new` is to `known`, whatever their order: the strongest reason counts, then the closest
/// likeness, then the smallest id. [`Index`] answers the same without looking at all of them.
pub fn match_finding<'a>(
    new: &Sighting,
    known: impl IntoIterator<Item = &'a Sighting>,
    rules: &OnceRules,
) -> Match {
    let verdicts = known.into_iter().map(|known| (compare(new, known, rules), known.finding));
    let mut verdicts: Vec<(Similarity, FindingId)> =
        verdicts.filter(|(verdict, _)| *verdict != Similarity::Different).collect();
    verdicts.sort_unstable();
    match verdicts.first() {
        None | Some((Similarity::Different, _)) => Match::New,
        Some((Similarity::Maybe(bits), finding)) => Match::MaybeSame { finding: *finding, bits: *bits },
        Some((Similarity::Same(because, _), finding)) => {
            let same = verdicts.iter().filter(|(verdict, _)| matches!(verdict, Similarity::Same(..)));
            let mut also: Vec<FindingId> = same.map(|(_, id)| *id).filter(|id| id != finding).collect();
            also.sort_unstable();
            also.dedup();
            Match::Same { finding: *finding, because: *because, also }
        }
    }
}

/// Findings that are one defect, directly or through others, each set ordered and the sets ordered
/// by their smallest id. Feeding sightings one by one and joining what [`Match::Same`] names gives
/// the same sets in whatever order they arrive.
pub fn groups(sightings: &[Sighting], rules: &OnceRules) -> Vec<Vec<FindingId>> {
    let mut joined = Joined::default();
    let mut index = Index::new(rules);
    for sighting in sightings {
        joined.add(sighting.finding);
        if let Match::Same { finding, also, .. } = index.find(sighting) {
            joined.join(sighting.finding, finding);
            for other in also {
                joined.join(sighting.finding, other);
            }
        }
        index.insert(sighting.clone());
    }
    joined.sets()
}

/// Sets of findings, each named by its smallest id.
#[derive(Debug, Default)]
struct Joined {
    name: BTreeMap<FindingId, FindingId>,
}

impl Joined {
    fn add(&mut self, id: FindingId) {
        self.name.entry(id).or_insert(id);
    }

    fn root(&self, mut id: FindingId) -> FindingId {
        while let Some(name) = self.name.get(&id).filter(|name| **name != id) {
            id = *name;
        }
        id
    }

    fn join(&mut self, a: FindingId, b: FindingId) {
        let (a, b) = (self.root(a), self.root(b));
        self.name.insert(a.max(b), a.min(b));
    }

    fn sets(&self) -> Vec<Vec<FindingId>> {
        let mut sets: BTreeMap<FindingId, Vec<FindingId>> = BTreeMap::new();
        for id in self.name.keys() {
            sets.entry(self.root(*id)).or_default().push(*id);
        }
        sets.into_values().collect()
    }
}

#[cfg(test)]
mod tests;
