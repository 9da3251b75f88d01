use std::sync::LazyLock;

use jiff::Timestamp;
use proptest::prelude::*;

use crate::domain::dedupe::{Index, Match, Reason, Sighting, Similarity, compare, groups, match_finding};
use crate::domain::detection::DefectClass;
use crate::domain::ids::{
    CompanyId, FindingId, ImageId, LocationId, PhotoId, ProjectId, ProjectKey, Sha256Digest,
};
use crate::domain::image_hash::ImageHash;
use crate::domain::place::Location;
use crate::domain::tagging::{OnceRules, Tagging};

fn rules() -> OnceRules {
    static RULES: LazyLock<OnceRules> = LazyLock::new(|| Tagging::default_rules().rules().once);
    *RULES
}

const PROJECT: ProjectKey = ProjectKey { company: CompanyId::new(1), project: ProjectId::new(1) };

fn id(n: u64) -> FindingId {
    FindingId::of(PROJECT, &Sha256Digest::of(&n.to_be_bytes()), "crack")
}

/// A print with full structure that differs from print 0 in the lowest `bits` bits.
fn print(bits: u32) -> ImageHash {
    let flipped = if bits == 0 { 0 } else { u64::MAX >> (64 - bits) };
    ImageHash::from_parts(0x5A5A_0F0F_3C3C_6996 ^ flipped, u64::MAX, [0x88; 64])
}

/// Room `n` of building 0, which is location 0.
fn room(n: i64) -> Location {
    let name = if n == 0 { "Building 0".to_owned() } else { format!("Building 0>Room {n}") };
    Location::from_name(LocationId::new(n), &name)
}

fn sighting(n: u64, location: Option<i64>, second: Option<i64>, photo: u32, region: u32) -> Sighting {
    let all = format!("{n} {location:?} {second:?} {photo} {region}");
    let image = Sha256Digest::of(all.as_bytes())
        .as_bytes()
        .iter()
        .take(7)
        .fold(0, |id, byte| id * 256 + i64::from(*byte));
    Sighting {
        finding: id(n),
        seen_in: PhotoId::of(PROJECT, ImageId::new(image)),
        class: DefectClass::new("crack"),
        location: location.map(room),
        taken_at: second.map(|second| Timestamp::from_second(1_780_000_000 + second).expect("in range")),
        photo: print(photo),
        region: print(region),
    }
}

#[test]
fn sightings_compare_by_copy_burst_and_place() {
    let known = sighting(1, Some(1), Some(0), 0, 0);
    let cases = [
        (sighting(1, None, None, 64, 64), Similarity::Same(Reason::Itself, 0)),
        (sighting(2, Some(9), Some(90_000), 6, 64), Similarity::Same(Reason::Copy, 6)),
        (sighting(2, Some(9), Some(90_000), 7, 0), Similarity::Different),
        (sighting(2, None, Some(120), 32, 16), Similarity::Same(Reason::Burst, 16)),
        (sighting(2, None, Some(121), 32, 0), Similarity::Different),
        (sighting(2, Some(9), Some(60), 32, 0), Similarity::Different),
        (sighting(2, Some(0), Some(60), 32, 0), Similarity::Same(Reason::Burst, 0)),
        (sighting(2, Some(0), None, 32, 0), Similarity::Different),
        (sighting(2, Some(1), None, 32, 10), Similarity::Same(Reason::Again, 10)),
        (sighting(2, Some(1), Some(90_000), 32, 14), Similarity::Maybe(14)),
        (sighting(2, Some(1), Some(90_000), 32, 15), Similarity::Different),
        (sighting(2, None, None, 32, 0), Similarity::Different),
    ];
    for (new, expected) in cases {
        assert_eq!(compare(&new, &known, &rules()), expected, "{new:?}");
        assert_eq!(compare(&known, &new, &rules()), expected, "the other way round");
    }
    let other_class = Sighting { class: DefectClass::new("spalling"), ..sighting(2, Some(1), Some(0), 0, 0) };
    assert_eq!(compare(&other_class, &known, &rules()), Similarity::Different);
}

#[test]
fn plain_pictures_and_other_colours_are_never_the_same() {
    let plain = ImageHash::from_parts(0, 0xFF, [0x88; 64]);
    let one = Sighting { photo: plain, region: plain, ..sighting(1, Some(1), Some(0), 0, 0) };
    let two = Sighting { finding: id(2), ..one.clone() };
    assert_eq!(compare(&one, &two, &rules()), Similarity::Different, "8 cells of structure are too few");
    let green = ImageHash::from_parts(0x5A5A_0F0F_3C3C_6996, u64::MAX, [0x55; 64]);
    let three = Sighting { photo: green, region: green, ..sighting(3, Some(1), Some(0), 0, 0) };
    assert_eq!(compare(&three, &sighting(4, Some(1), Some(0), 0, 0), &rules()), Similarity::Different);
}

#[test]
fn the_strongest_reason_counts_and_other_matches_are_named() {
    let known = [
        sighting(1, Some(1), Some(-90_000), 32, 3),
        sighting(2, Some(1), Some(10), 32, 5),
        sighting(3, Some(1), Some(-90_000), 32, 14),
    ];
    let new = sighting(9, Some(1), Some(0), 0, 0);
    let expected = Match::Same { finding: id(2), because: Reason::Burst, also: vec![id(1)] };
    assert_eq!(match_finding(&new, &known, &rules()), expected);
    assert_eq!(match_finding(&new, known.iter().rev(), &rules()), expected);
    let maybe = Match::MaybeSame { finding: id(3), bits: 14 };
    assert_eq!(match_finding(&new, &known[2..], &rules()), maybe);
    assert_eq!(match_finding(&new, &[], &rules()), Match::New);
}

#[test]
fn a_photo_that_arrives_three_times_in_any_order_is_one() {
    let twice = [sighting(1, Some(1), Some(0), 0, 0), sighting(1, Some(1), Some(0), 0, 0)];
    let copy = sighting(2, None, None, 1, 64);
    let other = sighting(3, Some(2), Some(9_000), 40, 40);
    let mut all = vec![twice[0].clone(), twice[1].clone(), copy, other];
    let expected = groups(&all, &rules());
    assert_eq!(expected.len(), 2, "{expected:?}");
    for _ in 0..all.len() {
        all.rotate_left(1);
        assert_eq!(groups(&all, &rules()), expected);
    }
}

#[test]
fn a_photo_looked_at_again_is_known_by_its_new_sighting_alone() {
    let mut index = Index::new(&rules());
    let first = sighting(1, Some(1), None, 0, 0);
    let moved = Sighting { location: Some(room(2)), ..first.clone() };
    index.insert(first);
    index.insert(moved);
    assert_eq!(index.len(), 1);
    assert_eq!(index.find(&sighting(2, Some(1), None, 40, 0)), Match::New);
    let there = Match::Same { finding: id(1), because: Reason::Again, also: vec![] };
    assert_eq!(index.find(&sighting(2, Some(2), None, 40, 0)), there);
}

fn any_sightings() -> impl Strategy<Value = Vec<Sighting>> {
    let one = (
        0..30_u64,
        prop::option::of(0..3_i64),
        prop::option::of(0..900_i64),
        prop::sample::select(vec![0_u32, 1, 3, 6, 7, 30, 60]),
        prop::sample::select(vec![0_u32, 4, 9, 14, 15, 25, 60]),
    );
    let one =
        one.prop_map(|(n, location, second, photo, region)| sighting(n, location, second, photo, region));
    prop::collection::vec(one, 0..40)
}

proptest! {
    #[test]
    fn the_index_answers_as_a_look_at_everything(known in any_sightings(), new in any_sightings()) {
        let mut index = Index::new(&rules());
        for sighting in &known {
            index.insert(sighting.clone());
        }
        for new in &new {
            prop_assert_eq!(index.find(new), match_finding(new, &known, &rules()));
        }
    }

    #[test]
    fn the_order_of_arrival_does_not_matter(
        (sightings, shuffled) in any_sightings().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle()))
    ) {
        prop_assert_eq!(groups(&shuffled, &rules()), groups(&sightings, &rules()));
    }
}
