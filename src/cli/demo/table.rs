//! What the demo prints: one row a finding, one for each photo without any.

use comfy_table::{ContentArrangement, Table};

use crate::domain::card::Card;
use crate::domain::place::Evidence;
use crate::store::{PhotoRow, PhotoState, PhotoSummary};

/// The stages that are worth a column of their own, in order.
const STAGES: [&str; 4] = ["download", "decode", "infer", "picture"];

/// The table of all photos.
pub(super) fn render(summaries: &[PhotoSummary]) -> Table {
    let mut table = Table::new();
    table.set_content_arrangement(ContentArrangement::Dynamic);
    let stages = format!("ms {}", STAGES.join("/"));
    table.set_header(["photo", "finding", "score", "place", "trade", "priority", "punch item", &stages]);
    for PhotoSummary { photo, cards } in summaries {
        if cards.is_empty() {
            let outcome = match &photo.state {
                PhotoState::Analysed => "nothing found".to_owned(),
                PhotoState::Skipped { reason } => format!("left alone: {reason}"),
                PhotoState::Failed { reason } => format!("not readable: {reason}"),
            };
            table.add_row([&photo.filename, &outcome, "", "", "", "", "", &timings(photo)]);
        }
        for card in cards {
            table.add_row(row(photo, card));
        }
    }
    table
}

fn row(photo: &PhotoRow, card: &Card) -> [String; 8] {
    let item = card.position.map_or_else(
        || card.problem.clone().unwrap_or_else(|| card.delivery.name().to_owned()),
        |position| format!("#{position} draft"),
    );
    [
        photo.filename.clone(),
        card.finding.class.name().replace('_', " "),
        card.finding.score.to_string(),
        card.place.name().unwrap_or_else(|| place_without_location(card)),
        card.trade_name.clone().unwrap_or_else(|| "none".to_owned()),
        card.draft.priority.to_string(),
        item,
        timings(photo),
    ]
}

fn timings(photo: &PhotoRow) -> String {
    let ms = |stage: &str| photo.timings.iter().find(|time| time.stage == stage).map_or(0.0, |time| time.ms);
    STAGES.map(|stage| format!("{:.0}", ms(stage))).join("/")
}

/// Where no location was chosen, a column has room for the position alone.
fn place_without_location(card: &Card) -> String {
    match &card.place.evidence {
        Evidence::GpsOnly { fix } => format!("{:.5}, {:.5}", fix.latitude, fix.longitude),
        _ => "unknown".to_owned(),
    }
}
