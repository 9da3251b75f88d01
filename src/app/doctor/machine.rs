//! This box: disk and database.

use jiff::{SignedDuration, Timestamp};

use super::CheckLine;
use crate::store::{Config, Database, Error, Store, free_bytes};

/// Leases are long enough for this.
const CLOCKS_APART: SignedDuration = SignedDuration::from_secs(5);

pub(super) fn disk(config: &Config) -> CheckLine {
    const NAME: &str = "disk";
    let free = match config.database() {
        Ok(Database::Server(_)) => {
            return CheckLine::ok(NAME, "the database is on a server, which watches its own");
        }
        Ok(Database::File(file)) => free_bytes(&file),
        Err(error) => Err(error),
    };
    match free {
        Err(error) => CheckLine::wrong(
            NAME,
            error.to_string(),
            "check `path` in [store], and the disk (dmesg, smartctl)",
        ),
        Ok(None) => CheckLine::note(NAME, "free space is unknown on this system", ""),
        Ok(Some(free)) if free < config.free_bytes_min => CheckLine::wrong(
            NAME,
            format!("only {} MiB are free beside the database", free >> 20),
            "make some room, or lower store.picture_budget_bytes and store.picture_keep_days",
        ),
        Ok(Some(free)) if free < config.picture_budget_bytes => CheckLine::note(
            NAME,
            format!(
                "{} MiB are free beside the database, less than the {} MiB that pictures may take in the end",
                free >> 20,
                config.picture_budget_bytes >> 20
            ),
            "lower store.picture_budget_bytes, or give the database a larger disk",
        ),
        Ok(Some(free)) => CheckLine::ok(NAME, format!("{} MiB are free beside the database", free >> 20)),
    }
}

/// The database as a file, what it says of projects, and its queue.
pub(super) async fn database(store: Result<&Store, &Error>) -> Vec<CheckLine> {
    const NAME: &str = "database";
    match store {
        Ok(store) => look(store).await.unwrap_or_else(|error| {
            vec![CheckLine::wrong(NAME, error.to_string(), "check [store] and the disk")]
        }),
        Err(error) => vec![CheckLine::wrong(NAME, error.to_string(), "check [store]; the log says more")],
    }
}

async fn look(store: &Store) -> Result<Vec<CheckLine>, Error> {
    const NAME: &str = "database";
    store.ping().await?;
    if let Some(damage) = store.integrity().await? {
        let mend = "stop the service, move the file aside, restore a backup";
        return Ok(vec![CheckLine::wrong(NAME, format!("the file is damaged: {damage}"), mend)]);
    }
    let audit = store.verify_audit().await?;
    let mut lines = vec![match &audit.broken {
        None => CheckLine::ok(
            NAME,
            format!(
                "{} writes; {} audit rows in {} unbroken chains",
                store.describe(),
                audit.rows,
                audit.chains.len()
            ),
        ),
        Some(at) => CheckLine::wrong(
            NAME,
            format!("the {} audit chain does not hold at row {}: {}", at.chain, at.seq, at.what),
            "the database was changed by hand: compare it with a backup",
        ),
    }];
    if let Some(server) = store.server_clock().await? {
        let apart = server.duration_since(Timestamp::now()).abs();
        if apart > CLOCKS_APART {
            let detail = format!("this box's clock is {apart:#} off from the database server's");
            lines.push(CheckLine::wrong(
                NAME,
                detail,
                "boxes that share a database need the same time: set up NTP on both",
            ));
        }
    }
    for stop in store.stops().await? {
        lines.push(CheckLine::wrong(
            "projects",
            stop.what(),
            format!("fix that first, then: {}", stop.cure()),
        ));
    }
    for missing in store.missing_hooks().await? {
        lines.push(CheckLine::note(
            "hooks",
            missing.to_string(),
            "fix the cause; the running service tries again",
        ));
    }
    let queue = store.queue_stats(Timestamp::now()).await?;
    let waiting = queue.parked + queue.dead;
    if waiting > 0 {
        let detail = format!("{waiting} jobs wait for a person");
        lines.push(CheckLine::note(
            "queue",
            detail,
            "run punchlens jobs to see why, and to retry or drop them",
        ));
    }
    Ok(lines)
}
