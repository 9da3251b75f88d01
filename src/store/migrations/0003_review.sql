-- What review narrows its lists by, taken out of the card.
ALTER TABLE findings ADD COLUMN place TEXT;
ALTER TABLE findings ADD COLUMN trade INTEGER;
ALTER TABLE findings ADD COLUMN uploader TEXT;

-- only SQLite
UPDATE findings SET
    place = (SELECT GROUP_CONCAT(value, ' › ') FROM JSON_EACH(card, '$.place.location.path')),
    trade = JSON_EXTRACT(card, '$.draft.trade'),
    uploader = JSON_EXTRACT(card, '$.photo.uploader');
-- both

-- Narrowed lists and what there is to choose from read this and no card.
CREATE INDEX findings_narrowed
    ON findings (state, held, place, trade, uploader, class, company, project, found_at, decided_at, delivery, id);
