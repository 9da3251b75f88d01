-- Photos that could not be looked at for now, and how often that was tried. The row goes when the photo is settled.
CREATE TABLE photo_tries (
    photo    TEXT PRIMARY KEY,
    company  INTEGER NOT NULL,
    project  INTEGER NOT NULL,
    image    INTEGER NOT NULL,
    filename TEXT NOT NULL,
    trouble  TEXT NOT NULL,
    reason   TEXT NOT NULL,
    tries    INTEGER NOT NULL,
    -- How often in a row the same bytes came, and their SHA-256.
    same     INTEGER NOT NULL,
    content  TEXT,
    since    INTEGER NOT NULL,
    tried_at INTEGER NOT NULL
) STRICT;

CREATE INDEX photos_not_analysed ON photos (recorded_at, id) WHERE state <> 'analysed';
