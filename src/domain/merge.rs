//! Merges regions of one class that overlap or nearly touch: what tiles cut apart, and what a
//! person would count as one place.

use crate::domain::detection::{DefectClass, Detection, Predictions};
use crate::domain::geometry::{PixelBox, Size, Upright};
use crate::domain::tagging::MergeRules;

/// `seen` with neighbouring regions of each class merged: boxes become their hull, the best score
/// stays, and what regions share is counted once. The order of detections does not matter, and
/// merging again changes nothing.
///
/// Each round joins everything that touches, directly or through others, and rounds go on until
/// none does: at most one round for each region, O(n²) comparisons in each.
pub fn merge(seen: &Predictions, photo: Size<Upright>, rules: &MergeRules) -> Predictions {
    let mut classes: Vec<&DefectClass> = seen.detections.iter().map(|detection| &detection.class).collect();
    classes.sort();
    classes.dedup();
    let gap = rules.gap * photo.long_side() as f32;
    let mut detections: Vec<Detection> = classes
        .into_iter()
        .flat_map(|class| {
            let of_class = seen.detections.iter().filter(|detection| &detection.class == class).cloned();
            until_apart(of_class.collect(), rules.overlap, gap)
        })
        .collect();
    detections.sort_by(order);
    Predictions { detections, class_scores: seen.class_scores.clone() }
}

/// Best first, then by class and place: one order for each set.
fn order(a: &Detection, b: &Detection) -> std::cmp::Ordering {
    let corners = a.area.corners().into_iter().zip(b.area.corners());
    let by_place = corners.map(|(a, b)| a.total_cmp(&b)).find(|order| order.is_ne());
    b.score
        .cmp(&a.score)
        .then_with(|| a.class.cmp(&b.class))
        .then_with(|| by_place.unwrap_or(std::cmp::Ordering::Equal))
        .then_with(|| a.area_share.total_cmp(&b.area_share))
}

fn until_apart(mut regions: Vec<Detection>, overlap: f32, gap: f32) -> Vec<Detection> {
    loop {
        regions.sort_by(order);
        let groups = groups(&regions, overlap, gap);
        if groups.len() == regions.len() {
            return regions;
        }
        regions = groups.iter().filter_map(|group| joined(group)).collect();
    }
}

/// The connected components of "touches", each in the order of `regions`.
fn groups(regions: &[Detection], overlap: f32, gap: f32) -> Vec<Vec<Detection>> {
    let mut groups = Vec::new();
    let mut left: Vec<&Detection> = regions.iter().collect();
    while !left.is_empty() {
        let mut group = vec![left.remove(0).clone()];
        let mut next = 0;
        while let Some(member) = group.get(next).map(|member| member.area) {
            let (near, far): (Vec<_>, Vec<_>) =
                left.into_iter().partition(|region| touches(member, region.area, overlap, gap));
            group.extend(near.into_iter().cloned());
            left = far;
            next += 1;
        }
        group.sort_by(order);
        groups.push(group);
    }
    groups
}

/// Whether two boxes share enough of the smaller one or, where a gap is allowed, lie no further
/// apart than it.
fn touches(a: PixelBox<Upright>, b: PixelBox<Upright>, overlap: f32, gap: f32) -> bool {
    if a.ios(b) >= overlap {
        return true;
    }
    let ([ax0, ay0, ax1, ay1], [bx0, by0, bx1, by1]) = (a.corners(), b.corners());
    let across = (bx0 - ax1).max(ax0 - bx1);
    let down = (by0 - ay1).max(ay0 - by1);
    gap > 0.0 && across.max(down) <= gap
}

fn joined(group: &[Detection]) -> Option<Detection> {
    let (best, rest) = group.split_first()?;
    if rest.is_empty() {
        return Some(best.clone());
    }
    let boxes: Vec<PixelBox<Upright>> = group.iter().map(|region| region.area).collect();
    let sum: f32 = boxes.iter().map(|area| area.area()).sum();
    let counted_once = if sum > 0.0 { union_area(&boxes) / sum } else { 1.0 };
    let shares: f32 = group.iter().map(|region| region.area_share).sum();
    let largest = group.iter().map(|region| region.area_share).fold(0.0, f32::max);
    Some(Detection {
        class: best.class.clone(),
        score: best.score,
        area: rest.iter().fold(best.area, |hull, region| hull.hull(region.area)),
        area_share: (shares * counted_once).max(largest).min(1.0),
    })
}

/// Square pixels that at least one box covers: strips between all vertical edges.
fn union_area(boxes: &[PixelBox<Upright>]) -> f32 {
    let mut edges: Vec<f32> = boxes.iter().flat_map(|area| [area.corners()[0], area.corners()[2]]).collect();
    edges.sort_by(f32::total_cmp);
    edges.dedup();
    let strip = |pair: &[f32]| {
        let (left, right) = (pair[0], pair[1]);
        let mut spans: Vec<(f32, f32)> = boxes
            .iter()
            .map(|area| area.corners())
            .filter(|[x0, _, x1, _]| *x0 <= left && *x1 >= right)
            .map(|[_, y0, _, y1]| (y0, y1))
            .collect();
        spans.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut reached = f32::NEG_INFINITY;
        let mut covered = 0.0;
        for (top, bottom) in spans {
            covered += (bottom - top.max(reached)).max(0.0);
            reached = reached.max(bottom);
        }
        covered * (right - left)
    };
    edges.windows(2).map(strip).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::score::Score;

    const PHOTO: Size<Upright> = Size::new(1000, 800);
    const RULES: MergeRules = MergeRules { overlap: 0.3, gap: 0.02 };

    fn region(class: &str, score: f32, corners: [f32; 4]) -> Detection {
        let area: PixelBox<Upright> = corners.try_into().expect("a box");
        Detection {
            class: DefectClass::new(class),
            score: Score::new(score).expect("a score"),
            area,
            area_share: area.area() / 800_000.0,
        }
    }

    fn merged_by(rules: MergeRules, detections: Vec<Detection>) -> Vec<Detection> {
        merge(&Predictions { detections, class_scores: vec![] }, PHOTO, &rules).detections
    }

    fn merged(detections: Vec<Detection>) -> Vec<Detection> {
        merged_by(RULES, detections)
    }

    #[test]
    fn neighbours_of_one_class_become_one() {
        let cases: &[(&[[f32; 4]], usize)] = &[
            (&[[0.0, 0.0, 100.0, 100.0], [60.0, 0.0, 160.0, 100.0]], 1),
            (&[[0.0, 0.0, 100.0, 100.0], [115.0, 0.0, 200.0, 100.0]], 1),
            (&[[0.0, 0.0, 100.0, 100.0], [125.0, 0.0, 200.0, 100.0]], 2),
            (&[[0.0, 0.0, 100.0, 100.0], [120.0, 120.0, 200.0, 200.0]], 1),
            (&[[0.0, 0.0, 100.0, 100.0], [90.0, 90.0, 190.0, 190.0]], 1),
            // The hull of the first two swallows the third.
            (&[[0.0, 0.0, 50.0, 300.0], [0.0, 290.0, 400.0, 310.0], [300.0, 0.0, 340.0, 40.0]], 1),
            (&[[0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]], 1),
        ];
        for (boxes, expected) in cases {
            let found = merged(boxes.iter().map(|corners| region("crack", 0.8, *corners)).collect());
            assert_eq!(found.len(), *expected, "{boxes:?}: {found:?}");
        }
        let corners = [[0.0, 0.0, 100.0, 100.0], [90.0, 0.0, 190.0, 100.0], [120.0, 0.0, 220.0, 100.0]];
        let strict = merged_by(
            MergeRules { gap: 0.0, ..RULES },
            corners.iter().map(|corners| region("crack", 0.8, *corners)).collect(),
        );
        assert_eq!(strict.len(), 2, "without a gap only the overlap counts: {strict:?}");
        let two = merged(vec![region("crack", 0.8, [0.0; 4]), region("spalling", 0.8, [0.0; 4])]);
        assert_eq!(two.len(), 2);
    }

    #[test]
    fn shared_ground_counts_once_and_the_best_score_stays() {
        let found = merged(vec![
            region("crack", 0.6, [0.0, 0.0, 200.0, 400.0]),
            region("crack", 0.9, [0.0, 0.0, 200.0, 400.0]),
        ]);
        assert!((found[0].area_share - 0.1).abs() < 1e-6, "{found:?}");
        assert!((found[0].score.value() - 0.9).abs() < 1e-6);
    }

    fn any_regions() -> impl Strategy<Value = Vec<Detection>> {
        let one = (0..2_u8, 0..4_u8, 0..40_u16, 0..32_u16, 0..12_u16, 0..12_u16);
        let one = one.prop_map(|(class, score, x, y, width, height)| {
            let [x, y] = [x, y].map(|v| f32::from(v) * 25.0);
            let [width, height] = [width, height].map(|v| f32::from(v) * 10.0);
            let class = if class == 0 { "crack" } else { "spalling" };
            region(class, 0.5 + f32::from(score) * 0.1, [x, y, x + width, y + height])
        });
        prop::collection::vec(one, 0..25)
    }

    proptest! {
        #[test]
        fn merging_is_idempotent_and_blind_to_order(
            (regions, shuffled) in any_regions().prop_flat_map(|regions| {
                (Just(regions.clone()), Just(regions).prop_shuffle())
            })
        ) {
            let once = merged(regions.clone());
            prop_assert_eq!(&merged(shuffled), &once);
            prop_assert_eq!(&merged(once.clone()), &once);
            for region in &regions {
                let held = once.iter().any(|whole| {
                    whole.class == region.class && whole.area.hull(region.area) == whole.area
                });
                prop_assert!(held, "nothing that was seen is lost");
            }
            for (index, a) in once.iter().enumerate() {
                for b in &once[index + 1..] {
                    let apart = a.class != b.class || !touches(a.area, b.area, RULES.overlap, 20.0);
                    prop_assert!(apart, "nothing that touches is left: {a:?} {b:?}");
                }
            }
        }
    }
}
