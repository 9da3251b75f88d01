//! Cards for tests.

use crate::domain::card::{Card, CardPhoto};
use crate::domain::dedupe::{Candidate, Intake, Sighting};
use crate::domain::delivery::ProjectMode;
use crate::domain::detection::DefectClass;
use crate::domain::fields::FieldValues;
use crate::domain::finding::{Finding, Region};
use crate::domain::geometry::{PixelBox, Size};
use crate::domain::ids::{
    CompanyId, FindingId, ImageId, LocationId, PhotoId, ProjectId, ProjectKey, Sha256Digest, TradeId,
};
use crate::domain::image_hash::ImageHash;
use crate::domain::people::{AccessRights, Person, PersonId, Role, SignedInBy, Viewer};
use crate::domain::place::{Location, Place};
use crate::domain::punch_item::{Priority, PunchItemDraft};
use crate::domain::review::{Delivery, FindingState};
use crate::domain::score::Score;
use crate::domain::tagging::Tagging;
use crate::http::choices::{self, Choices};

pub(super) const PROJECT: ProjectKey =
    ProjectKey { company: CompanyId::new(8), project: ProjectId::new(6778) };

/// A crack in unit 204, waiting for a person.
pub(super) fn card(number: i64) -> Card {
    let content = Sha256Digest::of(&number.to_be_bytes());
    let finding = finding(&content);
    let image = ImageId::new(number);
    Card {
        project: PROJECT,
        photo: CardPhoto {
            id: PhotoId::of(PROJECT, image),
            image,
            filename: format!("IMG_{number:04}.jpg"),
            size: Size::new(4032, 3024),
            taken_at: Some(jiff::civil::date(2026, 3, 5).at(9, 14, 0, 0)),
            uploader: Some("Ana Ruiz".into()),
            content,
            cut_off: None,
        },
        place: Place::of_photo(Location {
            id: LocationId::new(204),
            path: vec!["Building A".into(), "Floor 2".into(), "Unit 204".into()],
        }),
        draft: PunchItemDraft {
            title: "Crack in plaster – Unit 204".into(),
            description: "A crack runs across the wall.\nRake out, fill and repaint.".into(),
            reference: finding.id.reference(),
            location: Some(LocationId::new(204)),
            trade: Some(TradeId::new(9)),
            item_type: None,
            priority: Priority::Medium,
            due: None,
            manager: None,
            approver: None,
            images: vec![image],
            fields: FieldValues::new(),
        },
        finding,
        earlier: vec![],
        trade_name: Some("Plastering".into()),
        rules: vec!["Cracks go to Plastering at medium priority.".into()],
        model: "finish-defects 0.1.0 (sha256 1f3d…)".into(),
        state: FindingState::Proposed,
        decision: None,
        delivery: Delivery::Withheld,
        held: None,
        similar: None,
        punch_item: None,
        position: None,
        problem: None,
        in_procore: None,
        left_out: vec![],
        notice: None,
        found_at: "2026-03-05T09:15:00Z".parse().expect("a time"),
    }
}

/// What a worker of a review-first project hands in for `card`.
pub(super) fn intake(card: Card) -> Intake {
    let rules = Tagging::default_rules();
    let print = ImageHash::from_parts(0, 0, [0x88; 64]);
    let sighting = Sighting {
        finding: card.finding.id,
        seen_in: card.photo.id,
        class: card.finding.class.clone(),
        location: card.place.location.clone(),
        taken_at: None,
        photo: print,
        region: print,
    };
    Intake {
        candidates: vec![Candidate { card, sighting, on_the_list: None }],
        once: rules.rules().once,
        caps: rules.rules().caps,
        mode: ProjectMode::ReviewFirst,
        today: jiff::civil::date(2026, 3, 5),
    }
}

fn finding(content: &Sha256Digest) -> Finding {
    let area = PixelBox::new(1200.0, 500.0, 2600.0, 1900.0).expect("a box");
    let score = Score::new(0.87).expect("a score");
    Finding {
        id: FindingId::of(PROJECT, content, "crack"),
        class: DefectClass::new("crack"),
        score,
        regions: vec![Region { score, area, area_share: 0.031 }],
        hull: area,
        area_share: 0.031,
    }
}

/// Somebody who may decide everywhere.
pub(super) fn viewer(name: &str) -> Viewer {
    let person = Person { name: name.into(), who: PersonId::Key, login: None, by: SignedInBy::Key };
    Viewer { person, rights: AccessRights::Everywhere(Role::Reviewer) }
}

/// Two rooms and two trades.
pub(super) fn choices() -> Choices {
    Choices {
        project_name: Some("Harbour House".into()),
        locations: choices::list([
            (204, "Building A › Floor 2 › Unit 204".to_owned()),
            (205, "Building A › Floor 2 › Unit 205".to_owned()),
        ]),
        trades: choices::list([(9, "Plastering".to_owned()), (10, "Painting".to_owned())]),
        managers: Vec::new(),
    }
}
