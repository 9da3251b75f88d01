//! A reviewer's way through lists, cards and decisions, by plain forms.

use super::*;
use crate::domain::dedupe::Muting;
use crate::domain::punch_item::{Edits, Priority};
use crate::domain::review::{Decision, FindingState, RejectReason, Verdict};

const UNTOUCHED: [(&str, &str); 4] = [
    ("title", "Crack in plaster – Unit 204"),
    ("description", "A crack runs across the wall.\r\nRake out, fill and repaint."),
    ("location", "Building A › Floor 2 › Unit 204"),
    ("trade", "Plastering"),
];

/// Sends the card's form to `verb` with `extra` fields.
async fn post(site: &Site, cookie: &str, id: FindingId, verb: &str, extra: &[(&str, &str)]) -> Answer {
    let page = site.get(format!("/review/findings/{id}")).with("cookie", cookie).send().await;
    let token = token(&page.body);
    let mut pairs = vec![("csrf", token.as_str()), ("priority", "medium"), ("due", ""), ("manager", "")];
    pairs.extend(UNTOUCHED);
    pairs.retain(|(name, _)| extra.iter().all(|(other, _)| other != name));
    pairs.extend(extra);
    site.post(format!("/review/findings/{id}/{verb}")).with("cookie", cookie).form(&pairs).send().await
}

#[tokio::test]
async fn the_list_leads_to_cards_with_outlines() {
    let site = Site::new().await;
    let cookie = site.sign_in("Ana Ruiz").await;
    let id = site.found(1, |_| ()).await;
    let list = site.get("/review").with("cookie", &cookie).send().await;
    assert_eq!(list.status, StatusCode::OK);
    assert!(list.body.contains(&format!("/review/findings/{id}")));
    assert!(list.body.contains("Review 1 suggestion"));
    let card = site.get(format!("/review/findings/{id}")).with("cookie", &cookie).send().await;
    for part in
        ["viewBox=\"0 0 4032 3024\"", "very likely", "Plastering", "Unit 204", "Ana Ruiz", "not_a_defect"]
    {
        assert!(card.body.contains(part), "{part}");
    }
    assert!(card.body.len() < 40_000, "{} bytes", card.body.len());
}

#[tokio::test]
async fn accepting_untouched_leads_to_the_next_card_and_can_be_undone() {
    let site = Site::new().await;
    let cookie = site.sign_in("Ana Ruiz").await;
    let (first, second) = (site.found(1, |_| ()).await, site.found(2, |_| ()).await);
    let answer = post(&site, &cookie, first, "accept", &[]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    assert_eq!(answer.location(), format!("/review/findings/{second}?done={first}"));
    let card = site.card(first).await;
    assert_eq!(card.state, FindingState::Accepted);
    let decision = card.decision.expect("a decision");
    assert_eq!(decision.reviewer, "Ana Ruiz");
    assert!(matches!(&decision.verdict, Verdict::Accept { edits } if edits.is_empty()), "{decision:?}");

    let next = site.get(answer.location()).with("cookie", &cookie).send().await;
    assert!(next.body.contains(&format!("/review/findings/{first}/undo")), "the way back is offered");
    let undone = post(&site, &cookie, first, "undo", &[]).await;
    assert_eq!(undone.location(), format!("/review/findings/{first}?undone=1&done="));
    assert_eq!(site.card(first).await.state, FindingState::Proposed);
}

#[tokio::test]
async fn decisions_that_are_held_are_undone_one_after_the_other_in_order() {
    let site = Site::new().await;
    let cookie = site.sign_in("Ana Ruiz").await;
    let cards = [
        site.found(1, |_| ()).await,
        site.found(2, |_| ()).await,
        site.found(3, |_| ()).await,
        site.found(4, |_| ()).await,
    ];
    // What another person decided is not theirs to undo.
    let other = site.found(5, |_| ()).await;
    for (card, reviewer) in cards.into_iter().map(|card| (card, "Ana Ruiz")).chain([(other, "Ben")]) {
        let verdict = Verdict::Accept { edits: Edits::default() };
        let at = now() - jiff::SignedDuration::from_mins(1);
        // One minute ago and before, the last one last.
        let position = cards.iter().position(|other| *other == card).unwrap_or(cards.len());
        let at = at + jiff::SignedDuration::from_secs(i64::try_from(position).expect("few"));
        let decision = Decision { verdict, reviewer: reviewer.into(), person: None, at };
        let muting = Muting {
            rules: MuteRules { too_early_days: 14 },
            today: at.to_zoned_datetime(TimeZone::UTC).date(),
        };
        site.store.decide(card, &decision, &|_| muting).await.expect("decides");
    }
    for (at, card) in cards.into_iter().enumerate().rev() {
        let undone = post(&site, &cookie, card, "undo", &[]).await;
        let before = at.checked_sub(1).map_or_else(String::new, |before| cards[before].to_string());
        assert_eq!(undone.location(), format!("/review/findings/{card}?undone=1&done={before}"));
        let page = site.get(undone.location()).with("cookie", &cookie).send().await;
        assert_eq!(page.body.contains("id=\"undo\""), at > 0, "the next step back is offered");
        assert_eq!(site.card(card).await.state, FindingState::Proposed);
    }
    assert_eq!(site.card(other).await.state, FindingState::Accepted);
}

#[tokio::test]
async fn a_rejection_that_mutes_says_so_before_and_after_and_the_mute_alone_can_be_undone() {
    let site = Site::new().await;
    let cookie = site.sign_in("Ana Ruiz").await;
    let (first, second) = (site.found(1, |_| ()).await, site.found(2, |_| ()).await);
    let card = site.get(format!("/review/findings/{first}")).with("cookie", &cookie).send().await;
    assert!(card.body.contains("in Unit 204 until unmuted"), "{}", card.body);
    let rejected = post(&site, &cookie, first, "reject", &[("reason", "not_ours")]).await;
    let next = site.get(rejected.location()).with("cookie", &cookie).send().await;
    assert!(next.body.contains("Undo the mute") && next.body.contains("in Unit 204"), "{}", next.body);
    let mute = site.store.mutes(None).await.expect("reads")[0].id.0;
    let back = format!("/review/findings/{second}");
    let form = [("csrf", token(&next.body)), ("next", back.clone())];
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let lift = format!("/review/mutes/{mute}/lift");
    let lifted = site.post(lift).with("cookie", &cookie).form(&form).send().await;
    assert_eq!(lifted.location(), back);
    assert!(site.store.mutes(None).await.expect("reads").is_empty());
    assert_eq!(site.card(first).await.state, FindingState::Rejected, "the decision stands");
}

#[tokio::test]
async fn edits_are_taken_from_procores_lists() {
    let site = Site::new().await;
    let rooms = serde_json::json!([
        { "id": 204, "path": ["Building A", "Floor 2", "Unit 204"] },
        { "id": 205, "path": ["Building A", "Floor 2", "Unit 205"] },
    ]);
    site.store.cache(PROJECT, "locations", &rooms, now()).await.expect("keeps");
    let cookie = site.sign_in("Ana").await;
    let id = site.found(1, |_| ()).await;
    let refused =
        post(&site, &cookie, id, "accept", &[("location", "Unit 999"), ("title", "Kept text")]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.body.contains("not in Procore’s list") && refused.body.contains("Kept text"));
    assert_eq!(site.card(id).await.state, FindingState::Proposed);

    let answer = post(&site, &cookie, id, "accept", &[("location", "unit 205"), ("priority", "high")]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let draft = site.card(id).await.decided_draft();
    assert_eq!(draft.location, Some(crate::domain::ids::LocationId::new(205)));
    assert_eq!(draft.priority, Priority::High);
}

#[tokio::test]
async fn rejecting_needs_one_of_the_reasons() {
    let site = Site::new().await;
    let cookie = site.sign_in("Ana").await;
    let id = site.found(1, |_| ()).await;
    assert_eq!(
        post(&site, &cookie, id, "reject", &[("reason", "ugly")]).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    let answer = post(&site, &cookie, id, "reject", &[("reason", "too_early")]).await;
    assert_eq!(answer.location(), format!("/review?done={id}"), "nothing is left");
    let decision = site.card(id).await.decision.expect("a decision");
    assert_eq!(decision.verdict, Verdict::Reject { reason: RejectReason::TooEarly });
}

#[tokio::test]
async fn the_second_of_two_reviewers_sees_who_decided() {
    let site = Site::new().await;
    let (ana, ben) = (site.sign_in("Ana").await, site.sign_in("Ben").await);
    let id = site.found(1, |_| ()).await;
    let bens_token =
        token(&site.get(format!("/review/findings/{id}")).with("cookie", &ben).send().await.body);
    post(&site, &ana, id, "reject", &[("reason", "duplicate")]).await;
    let answer = site
        .post(format!("/review/findings/{id}/reject"))
        .with("cookie", &ben)
        .form(&[("csrf", &bens_token), ("reason", "not_ours")])
        .send()
        .await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(answer.body.contains("Ana rejected this (Duplicate)"), "{}", answer.body);
    assert_eq!(site.card(id).await.decision.expect("a decision").reviewer, "Ana");
}

#[tokio::test]
async fn lists_narrow_and_say_when_they_are_empty() {
    let site = Site::new().await;
    let cookie = site.sign_in("Ana").await;
    let id = site.found(1, |card| card.draft.title = "Spall at column C4".into()).await;
    let shows = async |query: &str| {
        let list = site.get(format!("/review?{query}")).with("cookie", &cookie).send().await;
        list.body.contains(&format!("/review/findings/{id}"))
    };
    assert!(shows("q=column+spall").await && shows("project=8-6778&class=crack").await);
    assert!(!shows("q=roof").await && !shows("class=stain").await && !shows("project=8-1").await);
    assert!(!shows("tab=today").await && !shows("tab=problems").await && !shows("tab=waiting").await);
    let empty = site.get("/review?q=roof").with("cookie", &cookie).send().await;
    assert!(empty.body.contains("No matches"));
}

#[tokio::test]
async fn skipping_goes_through_the_list_and_over_pages() {
    let site = Site::with(|sections| sections.review.page_size = 2).await;
    let cookie = site.sign_in("Ana").await;
    for image in 1..=5 {
        site.found(image, |_| ()).await;
    }
    let list = site.get("/review").with("cookie", &cookie).send().await;
    let (_, first) = list.body.split_once("<a class=\"row\" href=\"").expect("a row");
    let mut next = first.split('"').next().expect("an address").replace("&amp;", "&");
    let mut seen = Vec::new();
    while next.starts_with("/review/findings/") {
        let page = site.get(&next).with("cookie", &cookie).send().await;
        seen.push(next.split('?').next().expect("a path").to_owned());
        let (before, _) = page.body.split_once("id=\"skip\"").expect("a way on");
        let tag = &page.body[before.rfind('<').expect("a tag")..];
        let (_, href) = tag.split_once("href=\"").expect("an address");
        next = href.split('"').next().expect("an address").replace("&amp;", "&");
        assert!(seen.len() <= 5, "{seen:?}");
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 5);
    assert_eq!(next, "/review");
}

#[tokio::test]
async fn problems_tell_what_to_do() {
    let site = Site::new().await;
    let cookie = site.sign_in("Ana").await;
    let id = site.found(1, |card| card.delivery = crate::domain::review::Delivery::Refused).await;
    let list = site.get("/review?tab=problems").with("cookie", &cookie).send().await;
    assert!(
        list.body.contains(&format!("/review/findings/{id}")) && list.body.contains("Problem in Procore")
    );
}

#[tokio::test]
async fn long_lists_are_asked_for_by_what_is_typed() {
    let site = Site::new().await;
    let cookie = site.sign_in("Ana").await;
    let rooms: Vec<_> =
        (0..400).map(|n| serde_json::json!({ "id": n, "path": ["Tower", format!("Unit {n}")] })).collect();
    site.store.cache(PROJECT, "locations", &rooms.into(), now()).await.expect("keeps");
    let id = site.found(1, |_| ()).await;
    let page = site.get(format!("/review/findings/{id}")).with("cookie", &cookie).send().await;
    assert!(
        page.body.contains("data-choices=\"/review/choices/8-6778/location\"") && page.body.len() < 40_000
    );
    let labels =
        site.get("/review/choices/8-6778/location?q=unit+39").with("cookie", &cookie).send().await.json();
    assert_eq!(labels.as_array().expect("a list").len(), 14, "{labels}");
}
