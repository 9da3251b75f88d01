//! Finds the sightings that a new one can be the same as without looking at all of them.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::domain::dedupe::{Match, Sighting, match_finding, most_bits};
use crate::domain::detection::DefectClass;
use crate::domain::ids::{FindingId, LocationId, PhotoId};
use crate::domain::image_hash::Bits;
use crate::domain::tagging::OnceRules;

/// The known sightings of one project.
///
/// Four ways lead to all that can match: the finding's id; class and location; class and time, in
/// slots as long as a burst; and, for copies, bands of the photo print: prints that differ in at
/// most k of 64 bits agree in at least one of k + 1 bands. A look-up therefore costs as much as
/// there are findings of one class at one location, in three slots and in the k + 1 bands: with n
/// sightings spread over the site O(n ÷ locations + (k + 1) · n ÷ 2^(64 ÷ (k + 1))), and O(n) at
/// worst, when all have one class, place and print. Inserting is O(k).
#[derive(Debug, Clone)]
pub struct Index {
    rules: OnceRules,
    sightings: Vec<Sighting>,
    /// Which of them still stand: a photo that was looked at again has new ones.
    standing: Vec<bool>,
    by_photo: HashMap<(PhotoId, FindingId), u32>,
    /// Beside the sightings, so that a long list is read without touching them.
    regions: Vec<Bits>,
    photos: Vec<Bits>,
    by_finding: HashMap<FindingId, Vec<u32>>,
    by_place: HashMap<(DefectClass, LocationId), Vec<u32>>,
    by_time: HashMap<(DefectClass, i64), Vec<u32>>,
    by_band: HashMap<(u32, u64), Vec<u32>>,
}

impl Index {
    /// An empty index for `rules`.
    pub fn new(rules: &OnceRules) -> Self {
        Self {
            rules: *rules,
            sightings: Vec::new(),
            standing: Vec::new(),
            by_photo: HashMap::new(),
            regions: Vec::new(),
            photos: Vec::new(),
            by_finding: HashMap::new(),
            by_place: HashMap::new(),
            by_time: HashMap::new(),
            by_band: HashMap::new(),
        }
    }

    /// How many sightings are known.
    pub fn len(&self) -> usize {
        self.by_photo.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.by_photo.is_empty()
    }

    /// The rules that it was made for.
    pub const fn rules(&self) -> &OnceRules {
        &self.rules
    }

    /// Adds a sighting. It takes the place of an earlier one of the same finding in the same photo.
    ///
    /// # Panics
    /// Beyond 2³² sightings, which no memory holds.
    pub fn insert(&mut self, sighting: Sighting) {
        let number = u32::try_from(self.sightings.len()).expect("2³² sightings fit no memory");
        if let Some(earlier) = self.by_photo.insert((sighting.seen_in, sighting.finding), number) {
            self.standing[earlier as usize] = false;
        }
        self.standing.push(true);
        self.by_finding.entry(sighting.finding).or_default().push(number);
        if let Some(location) = sighting.location.as_ref().map(|location| location.id) {
            self.by_place.entry((sighting.class.clone(), location)).or_default().push(number);
        }
        if let Some(taken_at) = sighting.taken_at {
            self.by_time.entry((sighting.class.clone(), self.slot(taken_at))).or_default().push(number);
        }
        let (photo, region) = (sighting.photo.bits(), sighting.region.bits());
        if photo.structure() >= self.rules.structure_min {
            for band in self.bands(photo.lighter()) {
                self.by_band.entry(band).or_default().push(number);
            }
        }
        self.photos.push(photo);
        self.regions.push(region);
        self.sightings.push(sighting);
    }

    /// What `new` is to the known sightings: as [`match_finding`] over all of them.
    pub fn find(&self, new: &Sighting) -> Match {
        let mut numbers: Vec<u32> = self.by_finding.get(&new.finding).cloned().unwrap_or_default();
        if let Some(location) = new.location.as_ref().map(|location| location.id) {
            let there = self.by_place.get(&(new.class.clone(), location));
            numbers.extend(self.like_regions(there, new));
        }
        if let Some(slot) = new.taken_at.map(|taken_at| self.slot(taken_at)) {
            for slot in slot - 1..=slot + 1 {
                let then = self.by_time.get(&(new.class.clone(), slot));
                numbers.extend(self.like_regions(then, new));
            }
        }
        let photo = new.photo.bits();
        if photo.structure() >= self.rules.structure_min {
            let near = self.bands(photo.lighter()).filter_map(|band| self.by_band.get(&band)).flatten();
            let alike = |number: &&u32| self.photos[**number as usize].apart(photo) <= self.rules.copy_bits;
            numbers.extend(near.filter(alike));
        }
        numbers.sort_unstable();
        numbers.dedup();
        numbers.retain(|number| self.standing[*number as usize]);
        let known = numbers.iter().map(|number| &self.sightings[*number as usize]);
        match_finding(new, known, &self.rules)
    }

    /// Those of `numbers` whose region is near enough to decide something.
    fn like_regions<'a>(
        &'a self,
        numbers: Option<&'a Vec<u32>>,
        new: &Sighting,
    ) -> impl Iterator<Item = &'a u32> + use<'a> {
        let region = new.region.bits();
        let most = most_bits(&self.rules);
        let alike = move |number: &&u32| self.regions[**number as usize].apart(region) <= most;
        numbers.into_iter().flatten().filter(alike)
    }

    fn slot(&self, taken_at: Timestamp) -> i64 {
        taken_at.as_second().div_euclid(self.rules.burst_s + 1)
    }

    /// The bits in k + 1 stretches of nearly equal length, numbered.
    fn bands(&self, bits: u64) -> impl Iterator<Item = (u32, u64)> + use<> {
        let count = self.rules.copy_bits + 1;
        (0..count).map(move |band| {
            let (from, to) = (band * 64 / count, (band + 1) * 64 / count);
            let stretch = (bits >> from) & (u64::MAX >> (64 - (to - from)));
            (band, stretch)
        })
    }
}
