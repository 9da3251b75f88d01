//! Groups, narrowing, plan, record and report.

use super::*;
use crate::domain::ids::PhotoId;
use crate::domain::photo_retries::{DownloadProblem, DownloadTries};
use crate::domain::place::{Location, Place};
use crate::domain::review::FindingState;

/// A page's body, for whoever has this cookie.
async fn page(site: &Site, cookie: &str, path: &str) -> String {
    let answer = site.get(path).with("cookie", cookie).send().await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
    assert!(
        !answer.body.contains("style=\"") && !answer.body.contains("<style"),
        "{path}: the policy refuses it"
    );
    answer.body
}

async fn post(site: &Site, cookie: &str, path: &str, pairs: &[(&str, &str)]) -> Answer {
    let token = token(&page(site, cookie, "/review").await);
    let mut form = vec![("csrf", token.as_str())];
    form.extend(pairs);
    site.post(path).with("cookie", cookie).form(&form).send().await
}

fn elsewhere(card: &mut Card) {
    let path = ["Building A", "Floor 3", "Unit 301"].map(str::to_owned).to_vec();
    card.place = Place::of_photo(Location { id: crate::domain::ids::LocationId::new(301), path });
}

#[tokio::test]
async fn a_group_is_decided_and_taken_back_in_one_gesture_each() {
    let site = Site::new().await;
    let cookie = site.sign_in("Ana").await;
    let mut ids = Vec::new();
    for image in 1..=3 {
        ids.push(site.found(image, |_| ()).await);
    }
    let other = site.found(4, elsewhere).await;
    let grouped = page(&site, &cookie, "/review?group=location").await;
    assert_eq!(grouped.matches("class=\"group\"").count(), 2);
    assert!(grouped.contains("/review/batch?group=location"));

    let (one, two) = (ids[0].to_string(), ids[1].to_string());
    let wish = [("verdict", "accept"), ("id", one.as_str()), ("id", two.as_str())];
    let answer = post(&site, &cookie, "/review/batch?group=location", &wish).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    let state = async |id| site.card(id).await.state;
    assert_eq!((state(ids[0]).await, state(ids[1]).await), (FindingState::Accepted, FindingState::Accepted));
    assert_eq!((state(ids[2]).await, state(other).await), (FindingState::Proposed, FindingState::Proposed));

    let after = page(&site, &cookie, answer.location()).await;
    assert!(after.contains("2 findings") && after.contains("/review/batch/undo"), "{after}");
    let at = after
        .split("name=\"at\" value=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .expect("an instant");
    let undone = post(&site, &cookie, "/review/batch/undo?group=location", &[("at", at)]).await;
    assert!(undone.location().contains("undone=2"), "{}", undone.location());
    assert_eq!((state(ids[0]).await, state(ids[1]).await), (FindingState::Proposed, FindingState::Proposed));
}

#[tokio::test]
async fn a_group_without_ticks_token_or_reason_decides_nothing() {
    let site = Site::new().await;
    let cookie = site.sign_in("Ana").await;
    let id = site.found(1, |_| ()).await.to_string();
    let ask = site.post("/review/batch").with("cookie", &cookie).form(&[("verdict", "accept"), ("id", &id)]);
    assert_eq!(ask.send().await.status, StatusCode::FORBIDDEN, "no token");
    for wish in [
        vec![("verdict", "accept")],
        vec![("id", id.as_str())],
        vec![("id", id.as_str()), ("reason", "ugly")],
    ] {
        let status = post(&site, &cookie, "/review/batch", &wish).await.status;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{wish:?}");
    }
    assert_eq!(site.card(id.parse().expect("an id")).await.state, FindingState::Proposed);
}

#[tokio::test]
async fn every_choice_narrows_the_list() {
    let site = Site::new().await;
    let cookie = site.sign_in("Ana").await;
    let (here, there) = (site.found(1, |_| ()).await, site.found(2, elsewhere).await);
    let shows = async |query: &str| {
        let body = page(&site, &cookie, &format!("/review?{query}")).await;
        (
            body.contains(&format!("/review/findings/{here}")),
            body.contains(&format!("/review/findings/{there}")),
        )
    };
    assert_eq!(shows("location=Building+A+%E2%80%BA+Floor+3").await, (false, true));
    assert_eq!(shows("location=Building+A").await, (true, true));
    assert_eq!(shows("trade=9").await, (true, true));
    assert_eq!(shows("trade=7").await, (false, false));
    assert_eq!(shows("uploader=Ana+Ruiz&day=2026-03-05").await, (true, true));
    assert_eq!(shows("day=2026-03-04").await, (false, false));
    let photo = site.card(there).await.photo.id;
    assert_eq!(shows(&format!("photo={photo}")).await, (false, true));
}

#[tokio::test]
async fn mutes_that_are_lifted_together_stand_together() {
    let site = Site::new().await;
    let cookie = site.sign_in("Ana").await;
    let all = [site.found(1, |_| ()).await, site.found(2, |_| ()).await, site.found(3, elsewhere).await];
    for (id, reason) in all.into_iter().zip(["not_ours", "cosmetic_ok", "not_ours"]) {
        let path = format!("/review/findings/{id}/reject");
        assert_eq!(post(&site, &cookie, &path, &[("reason", reason)]).await.status, StatusCode::SEE_OTHER);
    }
    assert_eq!(site.store.mutes(None).await.expect("reads").len(), 3);
    let muted = page(&site, &cookie, "/review?tab=muted").await;
    assert_eq!(muted.matches("/lift").count(), 2, "{muted}");
    for words in ["said “not ours”", "said “cosmetic, OK”", "Floor 3"] {
        assert!(muted.contains(words), "{words}: {muted}");
    }
}

#[tokio::test]
async fn the_score_map_is_offered_where_there_is_one_and_shown_when_asked_for() {
    let site = Site::new().await;
    let cookie = site.sign_in("Ana").await;
    let (with, without) =
        (site.found_under(1, |_| (), &[Layer::ScoreMap]).await, site.found(2, elsewhere).await);
    let source = format!(" href=\"/review/findings/{with}/score-map\"");
    let card = page(&site, &cookie, &format!("/review/findings/{with}?class=crack")).await;
    assert!(card.contains("name=\"map\"") && card.contains("aria-pressed=\"false\""), "{card}");
    assert!(card.contains("name=\"class\" value=\"crack\""), "the way back to the list is kept");
    assert!(!card.contains(&source), "nothing is fetched that nobody asked for");
    let mapped = page(&site, &cookie, &format!("/review/findings/{with}?map=1")).await;
    assert!(mapped.contains(&source) && mapped.contains("aria-pressed=\"true\""), "{mapped}");
    assert!(!mapped.contains("name=\"map\""), "pressed once more, it is off");
    assert!(mapped.contains("width=\"4032\" height=\"3024\" preserveAspectRatio=\"none\""), "{mapped}");
    let plain = page(&site, &cookie, &format!("/review/findings/{without}?map=1")).await;
    assert!(!plain.contains("map-switch") && !plain.contains("score-map"), "from before there were maps");
}

#[tokio::test]
async fn the_plan_shows_places_as_dots_with_numbers() {
    let site = Site::new().await;
    let cookie = site.sign_in("Ana").await;
    site.found(1, |_| ()).await;
    site.found(2, |_| ()).await;
    site.found(3, |card| card.place = Place::unknown("no GPS")).await;
    let plan = page(&site, &cookie, "/review/plan").await;
    assert!(plan.contains("Building A, Floor 2") && plan.contains(">2</text>"), "{plan}");
    assert!(
        plan.contains("Without a place")
            && plan.contains("location=Building+A+%E2%80%BA+Floor+2+%E2%80%BA+Unit+204\"")
    );
}

#[tokio::test]
async fn a_class_that_is_thrown_out_too_often_is_offered_for_muting() {
    let site = Site::with(|sections| sections.review.mute_offer_least = 3).await;
    let reviewer = site.sign_in("Rob").await;
    let admin = Viewer { rights: AccessRights::Everywhere(Role::Admin), ..sample::viewer("Ana") };
    let cookie = site.sign_in_as(&admin).await;
    assert!(page(&site, &cookie, "/review/record").await.contains("Nothing decided yet"));
    for image in 1..=4 {
        let id = site.found(image, |_| ()).await.to_string();
        post(&site, &cookie, "/review/batch", &[("reason", "duplicate"), ("id", &id)]).await;
    }
    let record = page(&site, &cookie, "/review/record").await;
    assert!(record.contains("0 of the last 4") && record.contains("Mute Crack in"), "{record}");

    let wish = [("project", "8-6778"), ("class", "crack"), ("reason", "duplicate")];
    assert!(
        !page(&site, &reviewer, "/review/record").await.contains("Mute Crack in"),
        "a reviewer is not asked"
    );
    assert_eq!(post(&site, &reviewer, "/review/mutes", &wish).await.status, StatusCode::FORBIDDEN);
    assert_eq!(post(&site, &cookie, "/review/mutes", &wish).await.status, StatusCode::SEE_OTHER);
    let mutes = site.store.mutes(None).await.expect("reads");
    assert_eq!((mutes.len(), mutes[0].mute.location), (1, None));
    assert!(page(&site, &cookie, "/review/record").await.contains("by Ana"));
    let muted = page(&site, &cookie, "/review?tab=muted").await;
    assert!(muted.contains("everywhere") && muted.contains("Muted in this project"), "{muted}");

    let lift = format!("/review/mutes/{}/lift", mutes[0].id.0);
    assert_eq!(post(&site, &reviewer, &lift, &[]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(post(&site, &cookie, &lift, &[]).await.status, StatusCode::SEE_OTHER);
    assert!(site.store.mutes(None).await.expect("reads").is_empty());
    let unknown = [("project", "8-6778"), ("class", "ghost")];
    assert_eq!(post(&site, &cookie, "/review/mutes", &unknown).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_report_tells_the_day_as_a_page_and_as_one_file() {
    let site = Site::new().await;
    let cookie = site.sign_in("Ana").await;
    let id = site.found(1, |_| ()).await.to_string();
    site.found(2, elsewhere).await;
    post(&site, &cookie, "/review/batch", &[("reason", "too_early"), ("id", &id)]).await;
    let report = page(&site, &cookie, "/review/report?day=2026-03-05").await;
    for part in ["Thursday, 5 March 2026", "Thrown out", "too early", "Not decided yet", "/picture"] {
        assert!(report.contains(part), "{part}: {report}");
    }
    assert!(page(&site, &cookie, "/review/report?day=2026-03-04").await.contains("Nothing on this day"));
    let file = site.get("/review/report?day=2026-03-05&file=1").with("cookie", &cookie).send().await;
    assert!(file.header(header::CONTENT_DISPOSITION).contains("walk-report-2026-03-05.html"));
    assert!(
        file.body.contains("data:image/jpeg;base64,") && !file.body.contains("/review/"),
        "nothing from outside"
    );
}

/// Without pictures, as the browser gets it: the longest list that fits one page, style and scripts.
#[tokio::test]
async fn the_first_view_is_light() {
    let site = Site::new().await;
    let cookie = site.sign_in("Ana").await;
    for image in 1..=50 {
        site.found(image, elsewhere).await;
    }
    for path in ["/review", "/review?group=location"] {
        let body = page(&site, &cookie, path).await;
        let mut bytes = body.len();
        for reference in body.split("/review/assets/").skip(1) {
            let asset = reference.split('"').next().expect("an address");
            if asset.starts_with("icon-") || asset.starts_with("manifest") {
                continue;
            }
            bytes += site.get(format!("/review/assets/{asset}")).send().await.body.len();
        }
        assert!(bytes < 150_000, "{path}: {bytes} bytes");
    }
}

#[tokio::test]
async fn what_was_chosen_is_offered_on_the_next_card() {
    let site = Site::new().await;
    let rooms = serde_json::json!([
        { "id": 204, "path": ["Building A", "Floor 2", "Unit 204"] },
        { "id": 205, "path": ["Building A", "Floor 2", "Unit 205"] },
    ]);
    site.store.cache(PROJECT, "locations", &rooms, now()).await.expect("keeps");
    let cookie = site.sign_in("Ana").await;
    let (first, second) = (site.found(1, |_| ()).await, site.found(2, |_| ()).await);
    let card = format!("/review/findings/{first}");
    let token = token(&page(&site, &cookie, &card).await);
    let form = [
        ("csrf", token.as_str()),
        ("title", "Crack in plaster – Unit 204"),
        ("description", "A crack runs across the wall.\r\nRake out, fill and repaint."),
        ("location", "Building A › Floor 2 › Unit 205"),
        ("trade", "Plastering"),
        ("priority", "medium"),
        ("due", "2026-04-01"),
    ];
    let answer = site.post(format!("{card}/accept")).with("cookie", &cookie).form(&form).send().await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    let next = page(&site, &cookie, &format!("/review/findings/{second}")).await;
    assert!(next.contains("data-fill=\"location\" value=\"Building A › Floor 2 › Unit 205\""), "{next}");
    assert!(next.contains("data-fill=\"due\" value=\"2026-04-01\""));
    let ben = site.sign_in("Ben").await;
    assert!(
        !page(&site, &ben, &format!("/review/findings/{second}")).await.contains("2026-04-01"),
        "Ana’s, not Ben’s"
    );
}

#[tokio::test]
async fn photos_that_were_not_looked_at_are_listed_with_a_way_back() {
    let site = Site::new().await;
    let tries = DownloadTries { trouble: DownloadProblem::NotThePhoto, tries: 2, same: 2, content: None };
    let of = (PROJECT, ImageId::new(9));
    site.store.note_photo_tries(of, "IMG_9.jpg", &tries, "a page came instead", now()).await.expect("notes");
    let as_of = async |rights| {
        let cookie = site.sign_in_as(&Viewer { rights, ..sample::viewer("Ana") }).await;
        (page(&site, &cookie, "/review/photos").await, cookie)
    };
    let (listed, cookie) = as_of(AccessRights::Everywhere(Role::Reviewer)).await;
    for words in ["IMG_9.jpg", "a page came instead", "Tried 2 times", "Look again"] {
        assert!(listed.contains(words), "{words}: {listed}");
    }
    let id = PhotoId::of(PROJECT, ImageId::new(9));
    let path = format!("/review/photos/{id}/look-again");
    let (looked, reader) = as_of(AccessRights::Everywhere(Role::Viewer)).await;
    assert!(looked.contains("IMG_9.jpg") && !looked.contains("Look again"), "{looked}");
    assert_eq!(post(&site, &reader, &path, &[]).await.status, StatusCode::FORBIDDEN);
    let (nothing, stranger) = as_of(AccessRights::In(vec![])).await;
    assert!(!nothing.contains("IMG_9.jpg"), "{nothing}");
    assert_eq!(post(&site, &stranger, &path, &[]).await.status, StatusCode::NOT_FOUND);

    assert_eq!(post(&site, &cookie, &path, &[]).await.status, StatusCode::SEE_OTHER);
    let jobs = site.store.jobs(None, 10).await.expect("lists");
    assert_eq!(jobs[0].job, Some(Job::AnalyzePhoto { project: PROJECT, image: ImageId::new(9) }));
    assert_eq!(post(&site, &cookie, &path, &[]).await.status, StatusCode::NOT_FOUND, "nothing is left out");
}
