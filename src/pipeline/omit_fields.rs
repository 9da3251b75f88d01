//! Fields that Procore does not take any more: kept on the card, so that its reviewer knows and nothing sends them again.

use super::{Context, Failure};
use crate::domain::card::Card;
use crate::domain::omitted_field::{Field, OmittedField, with_news};

/// Adds `fields`, each with the id that was refused, to what is `known` to be left out, and keeps that on the card.
pub(super) async fn note(
    context: &Context,
    card: &Card,
    known: &mut Vec<OmittedField>,
    fields: &[(Field, Option<i64>)],
    said: &str,
) -> Result<(), Failure> {
    let news = fields.iter().map(|(field, id)| left_out(card, *field, *id, said)).collect();
    *known = with_news(known, news);
    Ok(context.store.note_left_out(card.finding.id, known).await?)
}

fn left_out(card: &Card, field: Field, id: Option<i64>, said: &str) -> OmittedField {
    let suggested = id.is_some() && id == field.of(&card.draft);
    let name = match field {
        Field::Location => card.place.name(),
        Field::Trade => card.trade_name.clone(),
        Field::ItemType | Field::Manager | Field::Approver => None,
    };
    let name = name.filter(|_| suggested).or_else(|| id.map(|id| format!("number {id}"))).unwrap_or_default();
    let kind = field.name();
    let because = format!(
        "Procore does not take the {kind} {name} any more ({said}), so the item went without a {kind}."
    );
    OmittedField { field, id, because }
}
