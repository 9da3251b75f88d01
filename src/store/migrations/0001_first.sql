-- Append-only: a released migration is never edited; a later file changes what it made.
-- Times are integer milliseconds since 1970-01-01 UTC. Our own ids are lower-case hex, Procore's are integers.
-- Columns named after JSON hold the serde form of a domain type.

-- Small facts about this database, e.g. when it was made and when it last proved writable.
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

-- Webhook deliveries, stored before they are acknowledged.
CREATE TABLE inbox (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    dedupe_key  TEXT NOT NULL UNIQUE,
    body        BLOB NOT NULL,
    received_at INTEGER NOT NULL,
    route       TEXT,
    settled_at  INTEGER
) STRICT;

CREATE INDEX inbox_settled ON inbox (settled_at) WHERE settled_at IS NOT NULL;

-- Work to do. A finished job's row is deleted; what it did is in the audit table.
CREATE TABLE jobs (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    kind        TEXT NOT NULL,
    version     INTEGER NOT NULL,
    payload     TEXT NOT NULL,
    dedupe_key  TEXT NOT NULL,
    lane        TEXT NOT NULL,
    rank        INTEGER NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('queued', 'running', 'parked', 'dead')),
    run_at      INTEGER NOT NULL,
    enqueued_at INTEGER NOT NULL,
    changed_at  INTEGER NOT NULL,
    attempts    INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    crashes     INTEGER NOT NULL DEFAULT 0 CHECK (crashes >= 0),
    lease_owner TEXT,
    lease_token TEXT,
    lease_until INTEGER,
    error       TEXT,
    CHECK ((state = 'running') = (lease_token IS NOT NULL)),
    CHECK ((state = 'running') = (lease_until IS NOT NULL)),
    CHECK ((state = 'running') = (lease_owner IS NOT NULL))
) STRICT;

CREATE UNIQUE INDEX jobs_queued_once ON jobs (dedupe_key) WHERE state = 'queued';
CREATE UNIQUE INDEX jobs_one_a_lane ON jobs (lane) WHERE state = 'running';
CREATE INDEX jobs_ready ON jobs (rank, run_at, id, kind, lane) WHERE state = 'queued';
CREATE INDEX jobs_due ON jobs (run_at) WHERE state = 'queued';
CREATE INDEX jobs_leased ON jobs (lease_until) WHERE state = 'running';
CREATE INDEX jobs_same_work ON jobs (dedupe_key);

CREATE TABLE photos (
    id           TEXT PRIMARY KEY,
    company      INTEGER NOT NULL,
    project      INTEGER NOT NULL,
    image        INTEGER NOT NULL,
    filename     TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('analysed', 'skipped', 'failed')),
    reason       TEXT,
    width        INTEGER,
    height       INTEGER,
    content      TEXT,
    uploader     TEXT,
    capture      TEXT,
    model        TEXT,
    class_scores TEXT NOT NULL,
    timings      TEXT NOT NULL,
    recorded_at  INTEGER NOT NULL,
    forgotten_at INTEGER,
    UNIQUE (company, project, image),
    CHECK ((state = 'analysed') = (reason IS NULL))
) STRICT;

CREATE INDEX photos_by_content ON photos (company, project, content);
CREATE INDEX photos_by_filename ON photos (filename, id);

-- What review shows: a reduced picture. Originals are never kept.
CREATE TABLE pictures (
    photo      TEXT PRIMARY KEY REFERENCES photos (id),
    media_type TEXT NOT NULL,
    bytes      BLOB NOT NULL,
    stored_at  INTEGER NOT NULL
) STRICT;

CREATE INDEX pictures_by_age ON pictures (stored_at);

CREATE TABLE findings (
    id             TEXT PRIMARY KEY,
    company        INTEGER NOT NULL,
    project        INTEGER NOT NULL,
    photo          TEXT NOT NULL REFERENCES photos (id),
    class          TEXT NOT NULL,
    score          REAL NOT NULL,
    found_at       INTEGER NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('proposed', 'accepted', 'rejected', 'taken_over')),
    delivery       TEXT NOT NULL CHECK (delivery IN ('withheld', 'waiting', 'delivered', 'refused')),
    prior_delivery TEXT,
    decision       TEXT,
    decided_at     INTEGER,
    punch_item     INTEGER,
    position       INTEGER,
    problem        TEXT,
    -- The long ones last: rows are read from the front.
    search         TEXT NOT NULL,
    card           TEXT NOT NULL
) STRICT;

CREATE INDEX findings_by_age ON findings (state, found_at, id);
CREATE INDEX findings_by_score ON findings (state, score, id);
CREATE INDEX findings_of_project ON findings (company, project, state, found_at, id);
CREATE INDEX findings_decided ON findings (decided_at) WHERE decided_at IS NOT NULL;
CREATE INDEX findings_of_class ON findings (class, found_at, id);
-- For the counts on the tabs, which read nothing else.
CREATE INDEX findings_by_delivery ON findings (delivery, state, problem);
CREATE INDEX findings_of_project_by_delivery ON findings (company, project, delivery, state, problem);
CREATE INDEX findings_of_photo ON findings (photo);
CREATE INDEX findings_of_punch_item ON findings (company, project, punch_item) WHERE punch_item IS NOT NULL;

-- Every photo in which a finding shows: the same bytes uploaded twice are one finding in two photos.
CREATE TABLE finding_photos (
    finding TEXT NOT NULL REFERENCES findings (id),
    photo   TEXT NOT NULL REFERENCES photos (id),
    PRIMARY KEY (finding, photo)
) STRICT;

CREATE INDEX finding_photos_of_photo ON finding_photos (photo, finding);

-- Writes to Procore: the intent is stored before the call, the outcome after it.
CREATE TABLE outbox (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    finding     TEXT NOT NULL REFERENCES findings (id),
    kind        TEXT NOT NULL CHECK (kind IN ('create', 'update', 'delete')),
    reference   TEXT NOT NULL,
    request     TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('sending', 'unsent', 'delivered', 'refused', 'taken_over')),
    job         INTEGER NOT NULL,
    job_kind    TEXT NOT NULL,
    attempts    INTEGER NOT NULL,
    begun_at    INTEGER NOT NULL,
    finished_at INTEGER,
    punch_item  INTEGER,
    position    INTEGER,
    answer      TEXT,
    reason      TEXT
) STRICT;

CREATE INDEX outbox_of_finding ON outbox (finding, kind, id);
CREATE INDEX outbox_of_job ON outbox (job);

-- Evidence: each row's hash covers the row before it.
CREATE TABLE audit (
    seq      INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    kind     TEXT NOT NULL,
    subject  TEXT NOT NULL,
    actor    TEXT NOT NULL,
    detail   TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash     TEXT NOT NULL
) STRICT;

CREATE INDEX audit_of_subject ON audit (subject, seq);

CREATE TRIGGER audit_is_never_edited BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'audit rows are never edited'); END;
CREATE TRIGGER audit_is_never_shortened BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'audit rows are never deleted'); END;

-- The chain's end, kept apart so that rows missing at the end are noticed.
CREATE TABLE audit_head (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    seq  INTEGER NOT NULL,
    hash TEXT NOT NULL
) STRICT;

INSERT INTO audit_head (only, seq, hash)
VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');

-- What Procore says about a project (locations, trades, types, people), with its age.
CREATE TABLE reference_data (
    company INTEGER NOT NULL,
    project INTEGER NOT NULL,
    kind    TEXT NOT NULL,
    value   TEXT NOT NULL,
    read_at INTEGER NOT NULL,
    PRIMARY KEY (company, project, kind)
) STRICT;

-- Up to when a project's photos were listed by the sweep.
CREATE TABLE watermarks (
    company INTEGER NOT NULL,
    project INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (company, project)
) STRICT;
