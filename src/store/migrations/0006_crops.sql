-- What review shows of a finding at the photo's own resolution. Goes with the photo's picture.
CREATE TABLE crops (
    finding    TEXT PRIMARY KEY REFERENCES findings (id),
    photo      TEXT NOT NULL REFERENCES photos (id),
    area       TEXT NOT NULL,
    media_type TEXT NOT NULL,
    bytes      BLOB NOT NULL
) STRICT;

CREATE INDEX crops_of_photo ON crops (photo);
