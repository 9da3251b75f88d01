-- Evidence: one chain a project, so that nobody waits for another project's writers. The chain from before goes on as
-- the one of what belongs to no project; a row of it starts each project's chain.
CREATE TABLE audit_chains (
    chain  TEXT PRIMARY KEY,
    seq    INTEGER NOT NULL,
    hash   TEXT NOT NULL,
    -- Up to which row the general chain names the rows of this one.
    sealed INTEGER NOT NULL
) STRICT;

INSERT INTO audit_chains (chain, seq, hash, sealed) SELECT 'general', seq, hash, seq FROM audit_head;

DROP TABLE audit_head;

CREATE TABLE audit_in_chains (
    chain    TEXT NOT NULL,
    seq      INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    kind     TEXT NOT NULL,
    subject  TEXT NOT NULL,
    actor    TEXT NOT NULL,
    detail   TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash     TEXT NOT NULL,
    PRIMARY KEY (chain, seq)
) STRICT;

INSERT INTO audit_in_chains (chain, seq, at, kind, subject, actor, detail, previous, hash)
SELECT 'general', seq, at, kind, subject, actor, detail, previous, hash FROM audit;

DROP TABLE audit;

ALTER TABLE audit_in_chains RENAME TO audit;

CREATE INDEX audit_by_subject ON audit (subject, chain, seq);

CREATE TRIGGER audit_rows_are_never_edited BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'audit rows are never edited'); END;
CREATE TRIGGER audit_rows_are_never_deleted BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'audit rows are never deleted'); END;

-- Running services, so that the one that starts again knows what its former life has left behind.
CREATE TABLE boxes (
    -- The name under which one life of a service holds jobs.
    owner      TEXT PRIMARY KEY,
    -- What stays the same from one life to the next, and where it is kept: machine, start of the machine, file.
    box        TEXT NOT NULL,
    place      TEXT NOT NULL,
    -- Counted up while it lives.
    beats      INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL
) STRICT;

CREATE INDEX boxes_by_box ON boxes (box);

-- Projects whose webhook the running service could not make yet.
CREATE TABLE missing_hooks (
    company  INTEGER NOT NULL,
    project  INTEGER NOT NULL,
    reason   TEXT NOT NULL,
    since    INTEGER NOT NULL,
    tried_at INTEGER NOT NULL,
    next_at  INTEGER NOT NULL,
    PRIMARY KEY (company, project)
) STRICT;
