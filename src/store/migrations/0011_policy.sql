-- How a finding's punch item stands in Procore, as last seen, and whether nothing more is expected of it.
ALTER TABLE findings ADD COLUMN in_procore TEXT;
ALTER TABLE findings ADD COLUMN item_over INTEGER NOT NULL DEFAULT 0;
-- What was left out of what went to Procore, with the reasons.
ALTER TABLE findings ADD COLUMN left_out TEXT;

-- Who an account's person is in Procore's directory: an id or a login.
ALTER TABLE accounts ADD COLUMN procore_user TEXT;

-- Whether creates of a project are known to become drafts. Until one is, a single finding's create goes alone.
CREATE TABLE project_trials (
    company      INTEGER NOT NULL,
    project      INTEGER NOT NULL,
    -- When a create last became a draft, and with which configured fields.
    confirmed_at INTEGER,
    setup        TEXT,
    -- The finding whose create is under way, and until when others wait for it.
    finding      TEXT,
    held_until   INTEGER,
    -- Why the last create was refused, to notice when the next is refused for the same.
    refusal      TEXT,
    PRIMARY KEY (company, project)
) STRICT;
