-- When a write was last tried, by Procore's clock where that is known: until some time after that it may still be
-- carried out.
ALTER TABLE outbox ADD COLUMN tried_at INTEGER;

-- What a reviewer should know of a finding that waits: nothing that a person must act on.
ALTER TABLE findings ADD COLUMN notice TEXT;

-- Photos on their way to a punch item: written before the call, deleted when its outcome is known.
CREATE TABLE links_sending (
    finding    TEXT NOT NULL REFERENCES findings (id),
    image      INTEGER NOT NULL,
    punch_item INTEGER NOT NULL,
    how        TEXT NOT NULL CHECK (how IN ('attachment', 'comment')),
    attempts   INTEGER NOT NULL,
    begun_at   INTEGER NOT NULL,
    tried_at   INTEGER NOT NULL,
    PRIMARY KEY (finding, image)
) STRICT;

CREATE INDEX links_sending_to_item ON links_sending (punch_item);

-- Punch items in Procore that carry one of this service's references, and that are no finding's item here: made late,
-- made twice, or made before this database was.
CREATE TABLE stray_items (
    company    INTEGER NOT NULL,
    project    INTEGER NOT NULL,
    punch_item INTEGER NOT NULL,
    reference  TEXT NOT NULL,
    found_at   INTEGER NOT NULL,
    -- Why it is left as it is, once that is decided.
    left_because TEXT,
    PRIMARY KEY (company, project, punch_item)
) STRICT;

CREATE INDEX stray_items_of_reference ON stray_items (company, project, reference);
