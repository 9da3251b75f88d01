-- One card for one defect: what keeps a finding back, what reviewers muted, and how findings are recognised again.

-- Why nothing is written for a finding until a person says so; the id is a mute's or a punch item's.
ALTER TABLE findings ADD COLUMN held TEXT;
ALTER TABLE findings ADD COLUMN held_by INTEGER;
ALTER TABLE findings ADD COLUMN held_because TEXT;
-- The day, where the project is, on which the finding became a draft by itself: what the daily cap counts.
ALTER TABLE findings ADD COLUMN drafted_on TEXT;

CREATE INDEX findings_held ON findings (held, held_by, state) WHERE held IS NOT NULL;
CREATE INDEX findings_drafted ON findings (company, project, drafted_on) WHERE drafted_on IS NOT NULL;

-- What Procore told of the photo when it was looked at: another look is due when that changes.
ALTER TABLE photos ADD COLUMN told TEXT;
ALTER TABLE photos ADD COLUMN uploader_id INTEGER;
-- Its own location in Procore, and the camera's wall clock as if that were UTC: for its neighbours.
ALTER TABLE photos ADD COLUMN location INTEGER;
ALTER TABLE photos ADD COLUMN wall_clock INTEGER;

CREATE INDEX photos_located ON photos (company, project, uploader_id, wall_clock)
    WHERE location IS NOT NULL AND wall_clock IS NOT NULL;

-- A class that reviewers do not want to see at a location, until a day or until somebody lifts it.
CREATE TABLE mutes (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    company   INTEGER NOT NULL,
    project   INTEGER NOT NULL,
    class     TEXT NOT NULL,
    location  INTEGER NOT NULL,
    place     TEXT NOT NULL,
    until     TEXT,
    reason    TEXT NOT NULL,
    reviewer  TEXT NOT NULL,
    -- The finding whose rejection muted it, if one did.
    finding   TEXT REFERENCES findings (id),
    added_at  INTEGER NOT NULL,
    lifted_at INTEGER,
    lifted_by TEXT
) STRICT;

CREATE INDEX mutes_in_force ON mutes (company, project, class, location) WHERE lifted_at IS NULL;
CREATE INDEX mutes_of_finding ON mutes (finding) WHERE finding IS NOT NULL;

-- What is needed to recognise a defect in another photo: one row for each class seen in each photo. The numbers of
-- a project have no gaps: whoever holds its head's row is the only one who adds.
CREATE TABLE sighting_heads (
    company INTEGER NOT NULL,
    project INTEGER NOT NULL,
    seq     INTEGER NOT NULL,
    PRIMARY KEY (company, project)
) STRICT;

CREATE TABLE sightings (
    company  INTEGER NOT NULL,
    project  INTEGER NOT NULL,
    seq      INTEGER NOT NULL,
    -- The finding that this sighting alone would be, and the one as which it is on the page.
    seen     TEXT NOT NULL,
    card     TEXT NOT NULL REFERENCES findings (id),
    photo    TEXT NOT NULL REFERENCES photos (id),
    sighting TEXT NOT NULL,
    PRIMARY KEY (company, project, seq),
    UNIQUE (seen, photo)
) STRICT;

CREATE INDEX sightings_of_card ON sightings (card);
