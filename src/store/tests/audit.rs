use super::{Fresh, MUTING, PROJECT, accepted, at, found, on_both};
use crate::domain::ids::{ImageId, PhotoId};
use crate::store::{AuditBreak, Subject};

on_both![
    an_honest_chain_holds,
    every_way_of_tampering_shows,
    plain_edits_are_refused_by_the_database,
    the_rows_tell_what_happened,
];

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
    for trigger in ["audit_is_never_edited", "audit_is_never_shortened"] {
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
    assert_eq!((report.rows, &report.broken), (9, &None));
    found(&fresh.store, 9, "crack", 20).await;
    let longer = fresh.again().await.verify_audit().await.expect("walks");
    assert_eq!((longer.rows, &longer.broken), (11, &None));
    assert_ne!(longer.head, report.head);
}

async fn the_rows_tell_what_happened(fresh: Fresh) {
    let finding = found(&fresh.store, 1, "crack", 1).await;
    fresh.store.decide(finding, &accepted("dana", 10), MUTING).await.expect("decides");
    let rows = fresh.store.audit_of(Subject::Finding(finding)).await.expect("reads");
    let told: Vec<_> = rows.iter().map(|row| (row.kind.as_str(), row.actor.as_str(), row.at)).collect();
    assert_eq!(told, [("finding.proposed", "punchlens", at(1)), ("finding.decided", "dana", at(10))]);
    let photo = Subject::Photo(PhotoId::of(PROJECT, ImageId::new(1)));
    let rows = fresh.store.audit_of(photo).await.expect("reads");
    assert_eq!(rows[0].detail["evidence"]["threshold"], 0.5);
    assert_eq!(rows[0].detail["capture"]["camera"]["known"], "Apple iPhone 15");
}

async fn every_way_of_tampering_shows(fresh: Fresh) {
    for (change, seq, what) in [
        ("UPDATE audit SET detail = '{}' WHERE seq = 4", 4, "its content was changed"),
        ("UPDATE audit SET actor = 'lee' WHERE seq = 3", 3, "its content was changed"),
        ("UPDATE audit SET at = at + 1 WHERE seq = 1", 1, "its content was changed"),
        ("DELETE FROM audit WHERE seq = 5", 6, "rows 5 to 5 are missing"),
        ("DELETE FROM audit WHERE seq = 1", 2, "rows 1 to 1 are missing"),
        ("DELETE FROM audit WHERE seq >= 8", 7, "the chain should end at row 9, but ends at row 7"),
        ("DELETE FROM audit", 0, "the chain should end at row 9, but ends at row 0"),
        ("UPDATE audit SET hash = previous WHERE seq = 2", 2, "its content was changed"),
        (
            "INSERT INTO audit SELECT 10, at, kind, subject, actor, detail, hash, hash FROM audit WHERE seq = 9",
            10,
            "its content was changed",
        ),
    ] {
        let expected = AuditBreak { seq, what: what.into() };
        assert_eq!(tampered(fresh.another().await, change).await, Some(expected), "{change}");
    }
}

async fn plain_edits_are_refused_by_the_database(fresh: Fresh) {
    let fresh = chain(fresh).await;
    let mut raw = fresh.raw().await;
    for change in ["UPDATE audit SET actor = 'lee'", "DELETE FROM audit"] {
        assert!(sqlx::query(change).execute(&mut raw).await.is_err(), "{change}");
    }
}
