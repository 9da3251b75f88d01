//! `punchlens explain`: every rule that led to a finding's place, trade, priority and words, and what happened to it.

use std::fmt::Write as _;
use std::process::ExitCode;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Settings;
use crate::domain::card::Card;
use crate::domain::ids::FindingId;
use crate::domain::review::{FindingState, Verdict};
use crate::store::{AuditRow, AuditSubject, CardQuery, Store};

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The finding's id, or the reference of its punch item, e.g. PL-ABCDEFGHIJKLMNOP.
    finding: String,
}

pub(super) async fn run(args: Args, settings: Settings) -> anyhow::Result<ExitCode> {
    let store = Store::open(&settings.config.store, Timestamp::now()).await?;
    let zone = settings.config.review.zone()?;
    let told = match find(&store, args.finding.trim()).await? {
        Some(card) => {
            let photos = store.images_of(card.finding.id).await?.len();
            let history = store.audit_of(AuditSubject::Finding(card.finding.id)).await?;
            Some(words(&card, photos, &history, &zone))
        }
        None => None,
    };
    store.close().await;
    match told {
        Some(text) => println!("{text}"),
        None => anyhow::bail!("there is no finding '{}': give its id or its reference", args.finding),
    }
    Ok(ExitCode::SUCCESS)
}

async fn find(store: &Store, named: &str) -> anyhow::Result<Option<Card>> {
    if let Ok(id) = named.parse::<FindingId>() {
        return Ok(store.card(id).await?);
    }
    let query = CardQuery { text: Some(named.to_owned()), ..CardQuery::default() };
    let of = |card: &Card| card.draft.reference.eq_ignore_ascii_case(named);
    Ok(store.cards(&query).await?.into_iter().find(of))
}

/// The whole account, a fact a line.
fn words(card: &Card, photos: usize, history: &[AuditRow], zone: &TimeZone) -> String {
    let moment = |at: Timestamp| at.to_zoned_datetime(zone.clone()).strftime("%-d %b %Y, %H:%M").to_string();
    let mut text = format!("{}\n{} · finding {}\n", card.draft.title, card.draft.reference, card.finding.id);
    let further = if photos > 1 { format!(" and {} more", photos - 1) } else { String::new() };
    let _ = writeln!(text, "Found {} in {}{further}", moment(card.found_at), card.photo.filename);
    let _ = writeln!(text, "Model: {}, score {}", card.model, card.finding.score);
    let _ = writeln!(text, "Trade: {}", card.trade_name.as_deref().unwrap_or("none"));
    let _ = writeln!(text, "Priority: {}", card.draft.priority);
    let _ = writeln!(text, "State: {}", state(card));
    if let Some(standing) = &card.in_procore {
        let _ = writeln!(text, "{}", standing.words());
    }
    text.push_str("\nRules, in the order in which they fired:\n");
    for rule in &card.rules {
        let _ = writeln!(text, "  {rule}");
    }
    if let Some(held) = &card.held {
        let _ = writeln!(text, "  {} [{}]", held.because, held.by.name());
    }
    text.push_str("\nWhat happened:\n");
    for row in history {
        let because = row.detail["because"].as_str().or_else(|| row.detail["reason"].as_str());
        let because = because.map_or_else(String::new, |words| format!(": {words}"));
        let _ = writeln!(text, "  {}  {} by {}{because}", moment(row.at), row.kind, row.actor);
    }
    text
}

fn state(card: &Card) -> String {
    match (card.state, card.decision.as_ref()) {
        (FindingState::Proposed, _) if card.held.is_some() => "held".into(),
        (FindingState::Proposed, _) => format!("waits for a person; punch item {}", card.delivery.name()),
        (FindingState::TakenOver, _) => "someone changed the item in Procore first".into(),
        (_, Some(decision)) => {
            let what = match &decision.verdict {
                Verdict::Accept { .. } => "accepted".to_owned(),
                Verdict::Reject { reason } => format!("rejected ({})", reason.label()),
            };
            format!("{what} by {}", decision.reviewer)
        }
        (FindingState::Accepted, None) => "accepted".into(),
        (FindingState::Rejected, None) => "rejected".into(),
    }
}
