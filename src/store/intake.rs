//! What becomes of a photo's findings, decided and written while no other box can add any.

use jiff::Timestamp;
use serde_json::json;

use crate::domain::card::Card;
use crate::domain::dedupe::{Candidate, Intake, IntakeDecision, Match, Reason, Recognised};
use crate::domain::delivery::ProjectMode;
use crate::domain::ids::{FindingId, ImageId, PhotoId, ProjectKey};
use crate::domain::job::Job;
use crate::domain::review::{Decision, Delivery, FindingState, Hold, HoldReason, RejectReason, Verdict};
use crate::store::audit::{AuditSubject, Entry};
use crate::store::mutes::ActiveMutes;
use crate::store::photos::IntakeCounts;
use crate::store::rows::{millis, to_json};
use crate::store::{Connection, Error, Store, findings, sightings};

/// The author of decisions that follow from likeness alone.
const SERVICE: &str = "Punchlens";

/// What came of a photo's findings, with what is yet to be written of it.
#[derive(Default)]
pub(crate) struct IntakeResult {
    pub(crate) recorded: IntakeCounts,
    pub(crate) entries: Vec<Entry<'static>>,
    pub(crate) jobs: Vec<Job>,
}

/// One photo's findings on their way in.
struct IntakeWriter<'a> {
    connection: &'a mut Connection,
    intake: &'a Intake,
    photo: PhotoId,
    image: ImageId,
    now: Timestamp,
    taken: IntakeResult,
}

impl Store {
    /// Decides what becomes of the findings of a photo and writes their rows; audit and jobs are left to the caller.
    pub(crate) async fn take_in(
        &self,
        connection: &mut Connection,
        (project, image): (ProjectKey, ImageId),
        intake: &Intake,
        now: Timestamp,
    ) -> Result<IntakeResult, Error> {
        let first = sightings::take_head(connection, project, intake.candidates.len()).await?;
        let mutes = ActiveMutes::read(connection, project, intake.today).await?;
        let known = self.recognise(connection, project, &intake.once, &intake.candidates, &mutes).await?;
        let made_today = findings::drafted_on(connection, project, intake.today).await?;
        let fates = intake.decide(&known, &mutes.mutes, made_today);
        let photo = PhotoId::of(project, image);
        let mut taking =
            IntakeWriter { connection, intake, photo, image, now, taken: IntakeResult::default() };
        for (seq, ((candidate, known), fate)) in
            (first..).zip(intake.candidates.iter().zip(&known).zip(fates))
        {
            let card = taking.settle(candidate, known, fate).await?;
            sightings::put(taking.connection, project, seq, &candidate.sighting, card).await?;
        }
        Ok(taking.taken)
    }
}

impl IntakeWriter<'_> {
    /// Writes what becomes of one candidate. Returns the card that it is part of.
    async fn settle(
        &mut self,
        candidate: &Candidate,
        known: &Recognised,
        fate: IntakeDecision,
    ) -> Result<FindingId, Error> {
        let own = candidate.card.finding.id;
        match fate {
            IntakeDecision::New => self.add(candidate, known, None).await?,
            IntakeDecision::Kept(held) => self.add(candidate, known, Some(held)).await?,
            IntakeDecision::Joins { finding, because, folds, kept } => {
                for from in folds {
                    self.fold(from, finding).await?;
                }
                if finding == own {
                    self.refile(candidate, kept).await?;
                }
                self.link(finding, because).await?;
                self.taken.recorded.known.push(finding);
                return Ok(finding);
            }
        }
        Ok(own)
    }

    async fn add(
        &mut self,
        candidate: &Candidate,
        known: &Recognised,
        held: Option<Hold>,
    ) -> Result<(), Error> {
        let id = candidate.card.finding.id;
        let drafted = self.intake.mode == ProjectMode::Draft && held.is_none();
        let mut card = Card { held, similar: known.similar, ..candidate.card.clone() };
        if card.held.is_some() {
            card.delivery = Delivery::Withheld;
        }
        if let (Match::MaybeSame { bits, .. }, Some(other)) = (&known.by_likeness, known.similar) {
            let other = other.reference();
            card.rules
                .push(format!("It could be the same as {other}: {bits} of 64 bits differ [once.maybe_bits]"));
        }
        let drafted_on = drafted.then_some(self.intake.today);
        findings::insert(self.connection, self.photo, &card, drafted_on).await?;
        let detail = serde_json::to_value(&card)?;
        self.taken.entries.push(Entry::by_service("finding.proposed", AuditSubject::Finding(id), detail));
        findings::link(self.connection, id, self.photo).await?;
        if drafted {
            self.taken.jobs.push(Job::Publish { finding: id });
        }
        self.tell_open_item(id, card.held.as_ref());
        self.taken.recorded.kept.extend(card.held.map(|held| (id, held.by)));
        self.taken.recorded.new.push(id);
        Ok(())
    }

    /// The photo goes to the open item that says the same, where the service writes by itself.
    fn tell_open_item(&mut self, finding: FindingId, held: Option<&Hold>) {
        let open = held.is_some_and(|held| matches!(held.by, HoldReason::OpenItem(_)));
        if open && self.intake.mode == ProjectMode::Draft {
            self.taken.jobs.push(Job::LinkPhoto { finding, image: self.image });
        }
    }

    async fn link(&mut self, finding: FindingId, because: Reason) -> Result<(), Error> {
        if !findings::link(self.connection, finding, self.photo).await? {
            return Ok(());
        }
        let detail = json!({ "photo": self.photo, "because": because });
        self.taken.entries.push(Entry::by_service(
            "finding.seen_again",
            AuditSubject::Finding(finding),
            detail,
        ));
        if self.intake.mode != ProjectMode::Shadow {
            self.taken.jobs.push(Job::LinkPhoto { finding, image: self.image });
        }
        Ok(())
    }

    /// An undecided card turned out to be of the same defect as another: it ends as a duplicate of that one.
    async fn fold(&mut self, from: FindingId, into: FindingId) -> Result<(), Error> {
        let verdict = Verdict::Reject { reason: RejectReason::Duplicate };
        let decision = Decision { verdict, reviewer: SERVICE.into(), person: None, at: self.now };
        let folded = sqlx::query(
            "UPDATE findings SET state = 'rejected', prior_delivery = delivery, delivery = 'waiting', decision = $2,
             decided_at = $3, problem = NULL WHERE id = $1 AND state = 'proposed'",
        )
        .bind(from.to_string())
        .bind(to_json(&decision)?)
        .bind(millis(self.now))
        .execute(&mut *self.connection)
        .await?;
        if folded.rows_affected() == 0 {
            return Ok(());
        }
        if self.intake.mode != ProjectMode::Shadow {
            let images = sightings::images(self.connection, from).await?;
            self.taken.jobs.extend(images.into_iter().map(|image| Job::LinkPhoto { finding: into, image }));
        }
        sightings::pass_on(self.connection, from, into).await?;
        self.taken.jobs.push(Job::ApplyDecision { finding: from });
        let detail = json!({ "into": into, "seen_in": self.photo });
        self.taken.entries.push(Entry::by_service("finding.folded", AuditSubject::Finding(from), detail));
        self.taken.recorded.folded.push(from);
        Ok(())
    }

    /// The photo was looked at before, and says something else of its place now: the suggestion follows, as long as
    /// nobody has decided.
    async fn refile(&mut self, candidate: &Candidate, kept: Option<Hold>) -> Result<(), Error> {
        let Some(before) = findings::get(self.connection, candidate.card.finding.id).await? else {
            return Ok(());
        };
        let ours = before.state == FindingState::Proposed && before.photo.id == self.photo;
        let Some(after) = refiled(&before, &candidate.card, kept).filter(|_| ours) else { return Ok(()) };
        findings::refile(self.connection, &after).await?;
        let id = after.finding.id;
        let detail = json!({ "place": after.place, "draft": after.draft, "held": after.held });
        self.taken.entries.push(Entry::by_service("finding.refiled", AuditSubject::Finding(id), detail));
        if self.intake.mode == ProjectMode::Draft && after.delivery != Delivery::Withheld {
            self.taken.jobs.push(Job::Publish { finding: id });
        }
        if after.held != before.held {
            self.tell_open_item(id, after.held.as_ref());
            self.taken.recorded.kept.extend(after.held.map(|held| (id, held.by)));
        }
        Ok(())
    }
}

/// `before` as the photo would have it now; `None` where that changes nothing.
fn refiled(before: &Card, now: &Card, kept: Option<Hold>) -> Option<Card> {
    let mut draft = now.draft.clone();
    draft.images.clone_from(&before.draft.images);
    draft.due = before.draft.due;
    let held = kept.or_else(|| before.held.clone().filter(|held| held.by == HoldReason::Cap));
    if draft == before.draft && now.place == before.place && held == before.held {
        return None;
    }
    let mut earlier = before.earlier.clone();
    if before.delivery != Delivery::Withheld && !earlier.contains(&before.draft) {
        earlier.push(before.draft.clone());
    }
    Some(Card {
        place: now.place.clone(),
        draft,
        earlier,
        trade_name: now.trade_name.clone(),
        rules: now.rules.clone(),
        held,
        ..before.clone()
    })
}
