//! Make a finding's item in Procore, once; and learn from a refusal what it means for the others.

use super::lease::LeaseGuard;
use super::{Context, Failure, deliver, fields, omit_fields, reference, turns};
use crate::domain::card::Card;
use crate::domain::delivery::{DRAFT, RemoteItem};
use crate::domain::event::List;
use crate::domain::fields::FieldValues;
use crate::domain::omitted_field::{self, Field};
use crate::domain::punch_item::PunchItemDraft;
use crate::domain::refusal::{self, Refusal};
use crate::failpoint;
use crate::procore;
use crate::store::{WriteKind, WriteState};

/// What an attempt ended in.
enum Attempt {
    /// Procore has made the item.
    Made(RemoteItem),
    /// It was made before.
    There(RemoteItem),
    /// Procore does not take these fields: it can be tried without them.
    Without(Vec<Field>, String),
}

/// Makes `draft` an item when its turn has come. What Procore does not take any more is left out of it.
///
/// # Errors
/// [`Failure::NotYet`] while another create of the project is under way, [`Failure::Waits`] where the project is stopped.
pub(super) async fn run(
    context: &Context,
    hold: &LeaseGuard,
    card: &Card,
    draft: PunchItemDraft,
) -> Result<RemoteItem, Failure> {
    let fields = fields::of(context, card.project).await?;
    let setup = setup(&fields)?;
    let confirmed = turns::take(context, card, &setup).await?;
    let mut draft = PunchItemDraft { fields, ..draft };
    let mut known = card.left_out.clone();
    // Each attempt leaves out one field more, at least.
    for _ in 0..=Field::ALL.len() {
        match attempt(context, hold, card, &draft, confirmed).await? {
            Attempt::Made(item) => {
                judge(context, card, &item, &setup).await?;
                return Ok(item);
            }
            // What people made of it since says nothing of the next; its turn ends with the job.
            Attempt::There(item) => return Ok(item),
            Attempt::Without(fields, said) => {
                let refused: Vec<_> = fields.into_iter().map(|field| (field, field.of(&draft))).collect();
                omit_fields::note(context, card, &mut known, &refused, &said).await?;
                draft = omitted_field::without(&draft, &known);
            }
        }
    }
    Err(Failure::give_up("Procore takes this item with no field left out, either"))
}

/// An item whose making was never answered, and that was found by its reference, shows the same as an answer.
pub(super) async fn found(context: &Context, card: &Card, item: &RemoteItem) -> Result<(), Failure> {
    let draft = item.workflow_status == DRAFT;
    // Where creates are known to become drafts, somebody has moved this one on since.
    if item.deleted || !draft && context.store.creates_confirmed(card.project).await? {
        return Ok(());
    }
    judge(context, card, item, &setup(&fields::of(context, card.project).await?)?).await
}

fn setup(fields: &FieldValues) -> Result<String, Failure> {
    serde_json::to_string(fields).map_err(|error| Failure::give_up(error.to_string()))
}

/// The item that was made shows what becomes of the next.
async fn judge(context: &Context, card: &Card, item: &RemoteItem, setup: &str) -> Result<(), Failure> {
    if item.workflow_status == DRAFT {
        return Ok(context.store.confirm_turn(card.project, card.finding.id, setup, context.now()).await?);
    }
    let made = if item.workflow_status.is_empty() { "with no status" } else { &item.workflow_status };
    let reason =
        format!("Procore made punch item {} as '{made}' instead of a draft; ask Procore why", item.id);
    turns::stop(context, card, &reason).await
}

async fn attempt(
    context: &Context,
    hold: &LeaseGuard,
    card: &Card,
    draft: &PunchItemDraft,
    confirmed: bool,
) -> Result<Attempt, Failure> {
    match deliver::begin(context, hold.lease(), card, WriteKind::Create, draft).await? {
        // What is in doubt was looked for before the plan was made.
        WriteState::Fresh | WriteState::InDoubt { .. } | WriteState::Done { punch_item: None, .. } => {}
        WriteState::Done { punch_item: Some(item), .. } => {
            return Ok(Attempt::There(context.procore.punch_item(card.project, item).await?.to_remote()));
        }
    }
    failpoint::reached("deliver.begun");
    let answer = hold.guard(context.procore.create_punch_item(card.project, draft)).await?;
    failpoint::reached("deliver.answered");
    match answer {
        Ok(item) => Ok(Attempt::Made(item.to_remote())),
        Err(error) => {
            if !error.outcome_in_doubt() {
                context.store.unsent_write(hold.lease()).await?;
            }
            refused(context, card, draft, confirmed, error).await
        }
    }
}

/// What a refusal means: for this item, or for all of the project.
async fn refused(
    context: &Context,
    card: &Card,
    draft: &PunchItemDraft,
    confirmed: bool,
    error: procore::Error,
) -> Result<Attempt, Failure> {
    let has = |field: Field| field.of(draft).is_some();
    match &error {
        procore::Error::Forbidden { .. } => stopped(context, card, &error.to_string()).await,
        procore::Error::NotFound { message } => {
            let fields = gone(context, card, draft, message).await?;
            if !fields.is_empty() {
                return Ok(Attempt::Without(fields, message.clone()));
            }
            let reason = format!(
                "Procore answers a new punch item with 'not found' ({message}): switch the Punch List on in the project's \
                 settings, and check that the app's permitted projects include this one"
            );
            stopped(context, card, &reason).await
        }
        procore::Error::Rejected { status, message } if !(300..400).contains(status) => {
            match refusal::read(message, has) {
                Refusal::Required { field, cure } => {
                    let reason =
                        format!("Procore requires '{field}' of every punch item ({message}): {cure}");
                    stopped(context, card, &reason).await
                }
                Refusal::Gone(fields) => {
                    reread(context, card, &fields).await?;
                    Ok(Attempt::Without(fields, message.clone()))
                }
                Refusal::Unclear => {
                    let fields = gone(context, card, draft, message).await?;
                    if !fields.is_empty() {
                        return Ok(Attempt::Without(fields, message.clone()));
                    }
                    own(context, card, confirmed, error).await
                }
                Refusal::Item => own(context, card, confirmed, error).await,
            }
        }
        // Whoever waits goes on as long as it is not known whether this one was made.
        doubtful if doubtful.outcome_in_doubt() && !confirmed => Err(error.into()),
        _ => {
            context.store.end_turn(card.project, card.finding.id).await?;
            Err(error.into())
        }
    }
}

async fn stopped(context: &Context, card: &Card, reason: &str) -> Result<Attempt, Failure> {
    turns::stop(context, card, reason).await?;
    turns::may_create(context, card.project).await?;
    // A person let the project go on at this very moment.
    Err(Failure::retry(reason))
}

/// The refusal of one item; the same twice before any create came through is no matter of single items.
async fn own(
    context: &Context,
    card: &Card,
    confirmed: bool,
    error: procore::Error,
) -> Result<Attempt, Failure> {
    if !confirmed && context.store.refused_again(card.project, &error.to_string()).await? {
        let reason =
            format!("{error}; the last drafts all failed with it. Fix it in Procore or in this box's config");
        return stopped(context, card, &reason).await;
    }
    context.store.end_turn(card.project, card.finding.id).await?;
    Err(error.into())
}

/// Fields of `draft` that Procore's own lists, read again, do not have any more; and those that `said` names.
async fn gone(
    context: &Context,
    card: &Card,
    draft: &PunchItemDraft,
    said: &str,
) -> Result<Vec<Field>, Failure> {
    let sent: Vec<Field> = Field::ALL.into_iter().filter(|field| field.of(draft).is_some()).collect();
    if sent.is_empty() {
        return Ok(sent);
    }
    let named = match refusal::read(said, |field| sent.contains(&field)) {
        Refusal::Gone(fields) => fields,
        _ => Vec::new(),
    };
    let listed = reread(context, card, &sent).await?;
    let missing = |field: &Field| {
        named.contains(field) || listed.as_ref().is_some_and(|lists| !offers(lists, *field, field.of(draft)))
    };
    Ok(sent.into_iter().filter(missing).collect())
}

/// Whether Procore's lists have `id`. An empty list is one that cannot be read, and misses nothing.
fn offers(lists: &reference::Reference, field: Field, id: Option<i64>) -> bool {
    let (locations, catalogue) = (lists.locations.locations(), &lists.catalogue);
    let ids: Vec<i64> = match field {
        Field::Location => locations.iter().map(|location| location.id.value()).collect(),
        Field::Trade => {
            catalogue.trades.iter().filter(|trade| trade.active).map(|trade| trade.id.value()).collect()
        }
        Field::ItemType => catalogue.item_types.iter().map(|(id, _)| id.value()).collect(),
        Field::Manager => catalogue.managers.iter().map(|person| person.id.value()).collect(),
        Field::Approver => catalogue.approvers.iter().map(|person| person.id.value()).collect(),
    };
    ids.is_empty() || id.is_some_and(|id| ids.contains(&id))
}

/// Reads the lists of `fields` again; nothing where they cannot be had.
async fn reread(
    context: &Context,
    card: &Card,
    fields: &[Field],
) -> Result<Option<reference::Reference>, Failure> {
    for field in fields {
        let list = match field {
            Field::Location => List::Locations,
            Field::Trade => List::Trades,
            Field::ItemType => List::ItemTypes,
            Field::Manager => List::Managers,
            Field::Approver => List::Approvers,
        };
        context.store.forget_list(&list.of_project(card.project)).await?;
    }
    match reference::load(context, card.project).await {
        Ok(reference) => Ok(Some(reference)),
        Err(Failure::LeaseLost) => Err(Failure::LeaseLost),
        Err(error) => {
            tracing::warn!(project = %card.project, %error, "the lists of this project cannot be read again");
            Ok(None)
        }
    }
}
