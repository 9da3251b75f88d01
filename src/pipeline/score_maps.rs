//! The model's score map of each finding's class, as review lays it over the photo.

use crate::domain::dedupe::Intake;
use crate::domain::finding::Finding;
use crate::domain::geometry::{Size, Upright};
use crate::inference::{ClassInfo, ScoreMap};
use crate::photo::{self, annotate::Heat};
use crate::store::{Layer, Overlay, StoredPicture};

/// The maps of what was found; none from a model that gives boxes alone.
pub(super) fn make(
    map: Option<&ScoreMap>,
    classes: &[ClassInfo],
    size: Size<Upright>,
    intake: &Intake,
) -> Vec<Overlay> {
    let Some(map) = map else { return Vec::new() };
    let findings = intake.candidates.iter().map(|candidate| &candidate.card.finding);
    findings.filter_map(|finding| of_finding(map, classes, size, finding)).collect()
}

fn of_finding(
    map: &ScoreMap,
    classes: &[ClassInfo],
    size: Size<Upright>,
    finding: &Finding,
) -> Option<Overlay> {
    let index = classes.iter().position(|class| class.name == finding.class.name())?;
    let values = map.scores(index).iter().map(|score| score.value()).collect();
    let heat = Heat { columns: map.columns, values, cell: map.cell(size) };
    let veil = photo::veil(&heat, size).unwrap_or_else(|error| {
        tracing::debug!(%error, class = finding.class.name(), "no score map of this finding");
        None
    })?;
    let picture = StoredPicture { media_type: "image/png".to_owned(), bytes: veil.png };
    Some(Overlay { finding: finding.id, layer: Layer::ScoreMap, area: veil.area, picture })
}
