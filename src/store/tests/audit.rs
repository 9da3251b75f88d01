use super::{Fresh, MUTING, PROJECT, accepted, at, found, on_both, rejected};
use crate::domain::evidence::GENERAL;
use crate::domain::ids::{ImageId, PhotoId};
use crate::store::{AuditBreak, AuditSubject};

on_both![
    an_honest_chain_holds,
    every_way_of_tampering_shows,
    plain_edits_are_refused_by_the_database,
    the_rows_tell_what_happened,
    every_changed_row_is_named,
    a_sealed_row_cannot_be_cut_off,
];

/// The chain of the tests' project.
const OWN: &str = "8/6778";

/// A chain of several rows about three photos.
async fn chain(fresh: Fresh) -> Fresh {
    for image in 1..=3 {
        let finding = found(&fresh.store, image, "crack", image).await;
        fresh.store.decide(finding, &accepted("dana", 10 + image), MUTING).await.expect("decides");
    }
    fresh
}

/// Changes the audit table behind the store's back, its triggers taken off.
async fn tampered(fresh: Fresh, change: &'static str) -> Option<AuditBreak> {
    let fresh = chain(fresh).await;
    let of_table = if fresh.folder.is_some() { "" } else { " ON audit" };
    let mut raw = fresh.raw().await;
    for trigger in ["audit_rows_are_never_edited", "audit_rows_are_never_deleted"] {
        let drop = sqlx::AssertSqlSafe(format!("DROP TRIGGER {trigger}{of_table}"));
        sqlx::query(drop).execute(&mut raw).await.expect("drops");
    }
    sqlx::query(change).execute(&mut raw).await.expect("changes");
    drop(raw);
    fresh.store.verify_audit().await.expect("walks").broken
}

async fn an_honest_chain_holds(fresh: Fresh) {
    let fresh = chain(fresh).await;
    let report = fresh.store.verify_audit().await.expect("walks");
    assert_eq!((report.rows, &report.broken), (10, &None));
    found(&fresh.store, 9, "crack", 20).await;
    let longer = fresh.again().await.verify_audit().await.expect("walks");
    assert_eq!((longer.rows, &longer.broken), (12, &None));
    assert_eq!(longer.chains[0], report.chains[0]);
    assert_ne!(longer.chains[1].head, report.chains[1].head);
    let sealed = fresh.store.seal_audit(at(30)).await.expect("seals");
    assert_ne!(sealed, report.head);
    assert_eq!(fresh.store.seal_audit(at(31)).await.expect("there is nothing to seal"), sealed);
    let report = fresh.store.verify_audit().await.expect("walks");
    assert_eq!((report.rows, report.head, &report.broken), (13, sealed, &None));
}

async fn the_rows_tell_what_happened(fresh: Fresh) {
    let finding = found(&fresh.store, 1, "crack", 1).await;
    fresh.store.decide(finding, &accepted("dana", 10), MUTING).await.expect("decides");
    let rows = fresh.store.audit_of(AuditSubject::Finding(finding)).await.expect("reads");
    let told: Vec<_> = rows.iter().map(|row| (row.kind.as_str(), row.actor.as_str(), row.at)).collect();
    assert_eq!(told, [("finding.proposed", "punchlens", at(1)), ("finding.decided", "dana", at(10))]);
    let photo = AuditSubject::Photo(PhotoId::of(PROJECT, ImageId::new(1)));
    let rows = fresh.store.audit_of(photo).await.expect("reads");
    assert_eq!(rows[0].detail["evidence"]["threshold"], 0.5);
    assert_eq!(rows[0].detail["capture"]["camera"]["known"], "Apple iPhone 15");
}

async fn every_way_of_tampering_shows(fresh: Fresh) {
    for (change, chain, seq, what) in [
        ("UPDATE audit SET detail = '{}' WHERE seq = 4", OWN, 4, "its content was changed"),
        ("UPDATE audit SET actor = 'lee' WHERE seq = 3", OWN, 3, "its content was changed"),
        ("UPDATE audit SET at = at + 1 WHERE seq = 1", GENERAL, 1, "its content was changed"),
        ("DELETE FROM audit WHERE seq = 5", OWN, 6, "rows 5 to 5 are missing"),
        ("DELETE FROM audit WHERE seq = 1 AND chain <> 'general'", OWN, 2, "rows 1 to 1 are missing"),
        ("DELETE FROM audit WHERE seq >= 8", OWN, 7, "the chain should end at row 9, but ends at row 7"),
        (
            "DELETE FROM audit WHERE chain <> 'general'",
            OWN,
            0,
            "the chain should end at row 9, but ends at row 0",
        ),
        (
            "DELETE FROM audit WHERE chain = 'general'",
            GENERAL,
            0,
            "the chain should end at row 1, but ends at row 0",
        ),
        ("DELETE FROM audit_chains WHERE chain <> 'general'", OWN, 9, "the chain has no head"),
        ("UPDATE audit SET hash = previous WHERE seq = 2", OWN, 2, "its content was changed"),
        (
            "UPDATE audit SET chain = '8/1' WHERE chain <> 'general'",
            "8/1",
            0,
            "the general chain does not know this chain",
        ),
        (
            "INSERT INTO audit SELECT chain, 10, at, kind, subject, actor, detail, hash, hash FROM audit WHERE seq = 9",
            OWN,
            10,
            "its content was changed",
        ),
    ] {
        let expected = AuditBreak { chain: chain.into(), seq, what: what.into() };
        assert_eq!(tampered(fresh.another().await, change).await, Some(expected), "{change}");
    }
}

/// Whoever cuts a chain and its head, and knows how to compute hashes, does not have the general chain's noted head.
async fn a_sealed_row_cannot_be_cut_off(fresh: Fresh) {
    let fresh = chain(fresh).await;
    fresh.store.seal_audit(at(20)).await.expect("seals");
    let of_table = if fresh.folder.is_some() { "" } else { " ON audit" };
    let mut raw = fresh.raw().await;
    for change in [
        format!("DROP TRIGGER audit_rows_are_never_deleted{of_table}"),
        "DELETE FROM audit WHERE chain <> 'general' AND seq > 7".into(),
        "UPDATE audit_chains SET seq = 7, hash = (SELECT hash FROM audit WHERE chain <> 'general' AND seq = 7)
         WHERE chain <> 'general'"
            .into(),
    ] {
        sqlx::query(sqlx::AssertSqlSafe(change)).execute(&mut raw).await.expect("changes");
    }
    drop(raw);
    let broken = fresh.store.verify_audit().await.expect("walks").broken.expect("is noticed");
    assert_eq!((broken.chain.as_str(), broken.seq), (OWN, 7));
    assert!(broken.what.contains("names row 9"), "{}", broken.what);
}

async fn plain_edits_are_refused_by_the_database(fresh: Fresh) {
    let fresh = chain(fresh).await;
    let mut raw = fresh.raw().await;
    for change in ["UPDATE audit SET actor = 'lee'", "DELETE FROM audit"] {
        assert!(sqlx::query(change).execute(&mut raw).await.is_err(), "{change}");
    }
}

/// What is said of the rows after `changes`, one statement a line, behind the store's back.
async fn after(fresh: Fresh, changes: &str) -> Vec<String> {
    let fresh = chain(fresh).await;
    let undone = found(&fresh.store, 4, "spalling", 20).await;
    fresh.store.decide(undone, &rejected("dana", 21), MUTING).await.expect("decides");
    fresh.store.undo(undone, "dana", at(22)).await.expect("undoes");
    assert_eq!(fresh.store.verify_rows().await.expect("compares").differ, []);
    let mut raw = fresh.raw().await;
    for change in changes.lines() {
        let changed = sqlx::query(sqlx::AssertSqlSafe(change.to_owned())).execute(&mut raw).await;
        assert!(changed.expect("changes").rows_affected() > 0, "{change}");
    }
    drop(raw);
    assert!(fresh.store.verify_audit().await.expect("walks").broken.is_none());
    let report = fresh.store.verify_rows().await.expect("compares");
    assert_eq!(report.differing, report.differ.len() as u64);
    report.differ.into_iter().map(|row| format!("{}: {}", row.subject, row.what.join("; "))).collect()
}

async fn every_changed_row_is_named(fresh: Fresh) {
    const ONE: &str = "id = (SELECT MIN(id) FROM findings WHERE class = 'crack')";
    for (change, told) in [
        (format!("UPDATE findings SET state = 'rejected' WHERE {ONE}"), "its state is \"rejected\""),
        (format!("UPDATE findings SET score = 0.5 WHERE {ONE}"), "its score is 0.5"),
        (
            format!("UPDATE findings SET decision = REPLACE(decision, 'dana', 'lee') WHERE {ONE}"),
            "its decision is",
        ),
        (format!("UPDATE findings SET decided_at = decided_at + 1 WHERE {ONE}"), "its time of decision is"),
        (format!("UPDATE findings SET class = 'spalling' WHERE {ONE}"), "its class is \"spalling\""),
        (
            format!("UPDATE findings SET card = REPLACE(card, 'in the wall', 'in the door') WHERE {ONE}"),
            "its draft is",
        ),
        (format!("UPDATE findings SET card = '{{}}' WHERE {ONE}"), "missing field"),
        (
            "DELETE FROM sightings WHERE card IN (SELECT id FROM findings WHERE class = 'spalling')\n\
             DELETE FROM finding_photos WHERE finding IN (SELECT id FROM findings WHERE class = 'spalling')\n\
             DELETE FROM findings WHERE class = 'spalling'"
                .into(),
            "its row is missing",
        ),
        ("UPDATE findings SET state = 'accepted' WHERE class = 'spalling'".into(), "says \"proposed\""),
        ("UPDATE photos SET content = REPEAT('ab', 32) WHERE image = 2".into(), "its content is"),
        (
            "UPDATE photos SET state = 'failed', reason = 'x' WHERE image = 2".into(),
            "its state is \"failed\"",
        ),
        ("UPDATE photos SET filename = 'IMG_9.jpg' WHERE image = 2".into(), "its file name is \"IMG_9.jpg\""),
        ("UPDATE photos SET forgotten_at = 5 WHERE image = 2".into(), "its time of deletion is 5"),
        ("UPDATE pictures SET bytes = CAST('x' AS BLOB)".into(), "its picture is"),
    ] {
        let sqlite = fresh.folder.is_some();
        let change = if sqlite {
            change.replace("REPEAT('ab', 32)", &format!("'{}'", "ab".repeat(32)))
        } else {
            change.replace("CAST('x' AS BLOB)", "CAST('x' AS BYTEA)")
        };
        let said = after(fresh.another().await, &change).await;
        let rows = if change.contains("pictures") { 4 } else { 1 };
        assert_eq!(said.len(), rows, "{change}: {said:#?}");
        assert!(said[0].contains(told), "{change}: {said:#?}");
    }
}
