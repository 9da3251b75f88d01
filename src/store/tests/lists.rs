use std::time::Duration;

use serde_json::json;

use super::{Fresh, PROJECT, at, on_both};
use crate::domain::event::List;
use crate::domain::ids::{FindingId, Sha256Digest};
use crate::store::{CreateTurn, ListChange, ListPage};

on_both![
    one_creates_at_a_time,
    one_reads_a_list_at_a_time,
    pages_are_kept_until_the_list_is_whole,
    changes_of_an_entry_are_kept_until_they_are_applied,
    a_companys_list_is_every_projects,
];

const CLAIM: Duration = Duration::from_mins(1);

async fn one_creates_at_a_time(fresh: Fresh) {
    let finding = |name| FindingId::of(PROJECT, &Sha256Digest::of(b"photo"), name);
    let turn = async |name, second| {
        fresh.store.take_turn(PROJECT, finding(name), "{}", at(second)).await.expect("asks")
    };
    let granted = CreateTurn::Granted { confirmed: false };
    assert_eq!((turn("crack", 10).await, turn("crack", 11).await), (granted, granted), "the same one again");
    assert_eq!(turn("mould", 12).await, CreateTurn::Busy);
    assert_eq!(turn("mould", 9).await, CreateTurn::Busy, "who read the clock first asks later");
    assert_eq!(turn("mould", -10_000).await, granted, "a turn out of the future was given by a wrong clock");
}

async fn one_reads_a_list_at_a_time(fresh: Fresh) {
    let (store, key) = (&fresh.store, List::Locations.of_project(PROJECT));
    let claim = async |reader: &str, second: i64| {
        store.claim_list(&key, reader, at(second), CLAIM).await.expect("asks")
    };
    assert!(claim("a", 0).await && claim("a", 1).await, "the same one again");
    assert!(!claim("b", 2).await);
    assert!(!claim("b", -1).await, "who read the clock first asks later: that is no wrong clock");
    assert!(claim("b", 61).await, "who says nothing for so long is not reading any more");
    store.release_list(&key, "a").await.expect("not theirs any more");
    assert!(!claim("a", 62).await);
    store.release_list(&key, "b").await.expect("done");
    assert!(claim("a", 63).await);
    // A claim out of the future was made by a clock that was wrong.
    assert!(claim("b", -1000).await);
    let other = List::Trades.of_project(PROJECT);
    assert!(store.claim_list(&other, "c", at(64), CLAIM).await.expect("asks"), "another list");
}

async fn pages_are_kept_until_the_list_is_whole(fresh: Fresh) {
    let (store, key) = (&fresh.store, List::Locations.of_project(PROJECT));
    for page in [1, 2, 4] {
        let page = ListPage { page, rows: vec![json!({ "id": page })], read_at: at(10) };
        store.keep_list_page(&key, 100, &page).await.expect("keeps");
    }
    let pages = async |size: usize, since: i64| {
        let pages = store.list_pages(&key, size, at(since)).await.expect("pages");
        pages.into_iter().map(|page| page.page).collect::<Vec<_>>()
    };
    assert_eq!(pages(100, 0).await, [1, 2], "up to the gap");
    assert!(pages(50, 0).await.is_empty(), "pages of another size lie elsewhere");
    assert!(pages(100, 11).await.is_empty(), "too old");
    store.keep_list(&key, &json!([1]), at(10), at(12)).await.expect("keeps");
    assert!(pages(100, 0).await.is_empty());
    assert_eq!(store.list(&key).await.expect("store"), Some((json!([1]), at(12))));
}

async fn changes_of_an_entry_are_kept_until_they_are_applied(fresh: Fresh) {
    let (store, key) = (&fresh.store, List::Locations.of_project(PROJECT));
    let change = |entry, gone, second| ListChange { entry, gone, at: at(second) };
    let note = async |change: ListChange| store.note_list_change(&key, change).await.expect("notes");
    note(change(5, false, 1)).await;
    note(change(6, false, 2)).await;
    note(change(5, true, 3)).await;
    let known = store.list_changes(&key).await.expect("changes");
    assert_eq!(known, [change(6, false, 2), change(5, true, 3)]);
    note(change(6, true, 4)).await;
    store.keep_changed_list(&key, &json!([7]), at(0), &known).await.expect("keeps");
    assert_eq!(store.list(&key).await.expect("store"), Some((json!([7]), at(0))), "as old as before");
    let known = store.list_changes(&key).await.expect("changes");
    assert_eq!(known, [change(6, true, 4)], "what came meanwhile is left");
    store.keep_list(&key, &json!([8]), at(4), at(9)).await.expect("keeps");
    assert_eq!(store.list_changes(&key).await.expect("changes").len(), 1, "the list may be older than that");
    store.keep_list(&key, &json!([9]), at(5), at(9)).await.expect("keeps");
    assert!(store.list_changes(&key).await.expect("changes").is_empty());
}

async fn a_companys_list_is_every_projects(fresh: Fresh) {
    let (store, key) = (&fresh.store, List::Trades.of_project(PROJECT));
    store.keep_list(&key, &json!(["trades"]), at(0), at(1)).await.expect("keeps");
    let other = crate::domain::ids::ProjectKey { project: crate::domain::ids::ProjectId::new(1), ..PROJECT };
    for project in [PROJECT, other] {
        let cached = store.cached(project, "trades").await.expect("store");
        assert_eq!(cached, Some((json!(["trades"]), at(1))));
    }
    store.cache(other, "trades", &json!(["own"]), at(2)).await.expect("keeps");
    let kinds = store.cached_kinds(other, &["trades"]).await.expect("store");
    assert_eq!(kinds["trades"], json!(["own"]), "what is the project's own stands");
}
