-- Procore's lists are read page by page, by one reader each. A company's list has project 0.

-- Who reads a list now, and until when that is taken for granted.
CREATE TABLE list_readers (
    company    INTEGER NOT NULL,
    project    INTEGER NOT NULL,
    kind       TEXT NOT NULL,
    reader     TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (company, project, kind)
) STRICT;

-- Pages of a list that is not read to its end yet. `size`: rows that were asked for with each page.
CREATE TABLE list_pages (
    company INTEGER NOT NULL,
    project INTEGER NOT NULL,
    kind    TEXT NOT NULL,
    page    INTEGER NOT NULL,
    size    INTEGER NOT NULL,
    entries TEXT NOT NULL,
    read_at INTEGER NOT NULL,
    PRIMARY KEY (company, project, kind, page)
) STRICT;

-- Entries that changed since their list was read. `gone`: 1 when deleted.
CREATE TABLE list_changes (
    company INTEGER NOT NULL,
    project INTEGER NOT NULL,
    kind    TEXT NOT NULL,
    entry   INTEGER NOT NULL,
    gone    INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (company, project, kind, entry)
) STRICT;

-- These are kept once a company from now on.
DELETE FROM reference_data WHERE kind IN ('trades', 'own_user');
