//! How many findings become drafts at once; the rest waits on the review page.

use serde::{Deserialize, Serialize};

use crate::domain::ids::FindingId;
use crate::domain::score::Score;
use crate::domain::tagging::CapRules;

/// What becomes a draft and what waits, each best first; together all that was given.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Capped {
    /// Become drafts now.
    pub now: Vec<FindingId>,
    /// Wait for a person.
    pub waiting: Vec<FindingId>,
}

/// Picks the findings of one photo that become drafts, highest score first, when `made_today` were
/// made for its project today. The order of `found` does not matter.
pub fn cap(found: &[(FindingId, Score)], made_today: u32, rules: &CapRules) -> Capped {
    let mut found = found.to_vec();
    found.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    let room = rules.per_photo.min(rules.per_project_day.saturating_sub(made_today)) as usize;
    let ids = |part: &[(FindingId, Score)]| part.iter().map(|(id, _)| *id).collect();
    let (now, waiting) = found.split_at(room.min(found.len()));
    Capped { now: ids(now), waiting: ids(waiting) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::ids::{CompanyId, ProjectId, ProjectKey, Sha256Digest};

    fn found(scores: &[f32]) -> Vec<(FindingId, Score)> {
        let project = ProjectKey { company: CompanyId::new(1), project: ProjectId::new(1) };
        let id = |n: usize| FindingId::of(project, &Sha256Digest::of(b"photo"), &n.to_string());
        scores.iter().enumerate().map(|(n, score)| (id(n), Score::new(*score).expect("a score"))).collect()
    }

    #[test]
    fn the_best_go_first_and_the_smaller_cap_counts() {
        let rules = CapRules { per_photo: 2, per_project_day: 10 };
        let three = found(&[0.6, 0.9, 0.7]);
        let cases = [(0, 2), (8, 2), (9, 1), (10, 0), (11, 0)];
        for (made_today, now) in cases {
            let capped = cap(&three, made_today, &rules);
            assert_eq!((capped.now.len(), capped.waiting.len()), (now, 3 - now));
            assert_eq!(capped.now.iter().chain(&capped.waiting).next(), Some(&three[1].0));
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_order_does_not_matter(
            scores in prop::collection::vec(0.0_f32..=1.0, 0..12), made in 0..20_u32, per_photo in 0..6_u32
        ) {
            let rules = CapRules { per_photo, per_project_day: 12 };
            let mut given = found(&scores);
            let capped = cap(&given, made, &rules);
            let mut all: Vec<FindingId> = capped.now.iter().chain(&capped.waiting).copied().collect();
            given.reverse();
            prop_assert_eq!(&cap(&given, made, &rules), &capped);
            let mut ids: Vec<FindingId> = given.into_iter().map(|(id, _)| id).collect();
            all.sort();
            ids.sort();
            prop_assert_eq!(all, ids);
            prop_assert!(capped.now.len() <= per_photo as usize);
        }
    }
}
