//! Located photos of one person, found by the camera's clock.

use jiff::civil::DateTime;
use jiff::tz::Offset;

use crate::domain::capture::CaptureInfo;
use crate::domain::ids::{LocationId, ProjectKey, UserId};
use crate::domain::place::Neighbour;
use crate::store::record::record;
use crate::store::rows::{from_json, millis};
use crate::store::{Error, Store};

record! {
    struct Record {
        location: i64,
        capture: String,
    }
}

impl Store {
    /// Photos of `project` by `uploader` with a location of their own, whose camera's wall clock is within
    /// `within_s` seconds of `taken`; at most as many as one list holds, the nearest first.
    pub async fn located_near(
        &self,
        project: ProjectKey,
        uploader: UserId,
        taken: DateTime,
        within_s: i64,
    ) -> Result<Vec<Neighbour>, Error> {
        let Some(clock) = wall_clock(taken) else { return Ok(Vec::new()) };
        let span = within_s.saturating_mul(1000);
        let rows: Vec<Record> = sqlx::query_as(
            "SELECT location, capture FROM photos
             WHERE company = $1 AND project = $2 AND uploader_id = $3 AND location IS NOT NULL
               AND wall_clock IS NOT NULL AND wall_clock BETWEEN $4 AND $5 AND capture IS NOT NULL
             ORDER BY ABS(wall_clock - $6), id LIMIT $7",
        )
        .bind(project.company.value())
        .bind(project.project.value())
        .bind(uploader.value())
        .bind(clock.saturating_sub(span))
        .bind(clock.saturating_add(span))
        .bind(clock)
        .bind(i64::from(self.0.config.list_rows))
        .fetch_all(&self.0.readers)
        .await?;
        let mut near = Vec::new();
        for row in rows {
            let capture: CaptureInfo = from_json("photos.capture", &row.capture)?;
            let Some(taken_at) = capture.taken_at.as_option() else { continue };
            near.push(Neighbour {
                location: LocationId::new(row.location),
                taken_at: *taken_at,
                gps: capture.gps.as_option().copied(),
                uploader: Some(uploader),
            });
        }
        Ok(near)
    }
}

/// A camera's wall clock as a number that compares, as if it were UTC.
pub(crate) fn wall_clock(taken: DateTime) -> Option<i64> {
    Offset::UTC.to_timestamp(taken).ok().map(millis)
}
