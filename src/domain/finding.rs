//! A finding: one defect at a place, from one or more detections.

use serde::{Deserialize, Serialize};

use super::detection::{DefectClass, Detection, Predictions};
use super::geometry::{PixelBox, Upright};
use super::ids::{FindingId, ProjectKey, Sha256Digest};
use super::score::Score;

/// One class of defect in one photo, with every region in which it shows: what becomes one punch item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Derived from the project, the photo's content and the class.
    pub id: FindingId,
    /// The class.
    pub class: DefectClass,
    /// The best region's score.
    pub score: Score,
    /// The regions, best first; never empty.
    pub regions: Vec<Region>,
    /// The smallest box that holds every region, in upright photo pixels.
    pub hull: PixelBox<Upright>,
    /// Share of the photo that the regions cover together, 0..=1.
    pub area_share: f32,
}

/// One place in the photo where a finding shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Region {
    /// Calibrated confidence.
    pub score: Score,
    /// Where, in upright photo pixels.
    #[serde(rename = "box")]
    pub area: PixelBox<Upright>,
    /// Share of the photo, 0..=1.
    pub area_share: f32,
}

/// Groups what was seen in the photo with digest `content` into findings: one for each class,
/// ordered by score. The order of detections does not matter.
pub fn findings(project: ProjectKey, content: &Sha256Digest, seen: &Predictions) -> Vec<Finding> {
    let mut classes: Vec<&DefectClass> = seen.detections.iter().map(|detection| &detection.class).collect();
    classes.sort();
    classes.dedup();
    let mut findings: Vec<Finding> = classes
        .into_iter()
        .filter_map(|class| {
            let of_class = seen.detections.iter().filter(|detection| &detection.class == class);
            finding(FindingId::of(project, content, class.name()), class, of_class)
        })
        .collect();
    findings.sort_by(|a, b| b.score.cmp(&a.score).then_with(|| a.class.cmp(&b.class)));
    findings
}

fn finding<'a>(
    id: FindingId,
    class: &DefectClass,
    detections: impl Iterator<Item = &'a Detection>,
) -> Option<Finding> {
    let mut regions: Vec<Region> = detections
        .map(|detection| Region {
            score: detection.score,
            area: detection.area,
            area_share: detection.area_share,
        })
        .collect();
    regions.sort_by(|a, b| {
        let corners = a.area.corners().into_iter().zip(b.area.corners());
        let by_place = corners.map(|(a, b)| a.total_cmp(&b)).find(|order| order.is_ne());
        b.score.cmp(&a.score).then(by_place.unwrap_or(std::cmp::Ordering::Equal))
    });
    let hull = regions.iter().map(|region| region.area).reduce(PixelBox::hull)?;
    let area_share = regions.iter().map(|region| region.area_share).sum::<f32>().min(1.0);
    Some(Finding { id, class: class.clone(), score: regions.first()?.score, regions, hull, area_share })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{CompanyId, ProjectId};

    const PROJECT: ProjectKey = ProjectKey { company: CompanyId::new(8), project: ProjectId::new(6778) };

    fn seen(class: &str, score: f32, corners: [f32; 4]) -> Detection {
        Detection {
            class: DefectClass::new(class),
            score: Score::new(score).expect("in range"),
            area: corners.try_into().expect("a box"),
            area_share: 0.1,
        }
    }

    #[test]
    fn one_finding_a_class_whatever_the_order() {
        let mut detections = vec![
            seen("crack", 0.7, [0.0, 0.0, 10.0, 10.0]),
            seen("spalling", 0.9, [5.0, 5.0, 8.0, 8.0]),
            seen("crack", 0.8, [20.0, 0.0, 30.0, 5.0]),
        ];
        let content = Sha256Digest::of(b"photo");
        let forward = findings(
            PROJECT,
            &content,
            &Predictions { detections: detections.clone(), class_scores: vec![] },
        );
        detections.reverse();
        let backward = findings(PROJECT, &content, &Predictions { detections, class_scores: vec![] });
        assert_eq!(forward, backward);
        let [spalling, crack] = forward.as_slice() else { panic!("two findings, not {forward:?}") };
        assert_eq!((spalling.class.name(), crack.class.name()), ("spalling", "crack"));
        assert_eq!(crack.regions.len(), 2);
        assert_eq!(crack.hull, PixelBox::new(0.0, 0.0, 30.0, 10.0).expect("a box"));
        assert!((crack.area_share - 0.2).abs() < 1e-6);
    }

    #[test]
    fn nothing_seen_is_nothing_found() {
        assert!(findings(PROJECT, &Sha256Digest::of(b"photo"), &Predictions::default()).is_empty());
    }
}
