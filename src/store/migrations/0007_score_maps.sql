-- How sure the model was of a finding's class, cell by cell, to be laid over the photo. Goes with the photo's picture.
CREATE TABLE score_maps (
    finding    TEXT PRIMARY KEY REFERENCES findings (id),
    photo      TEXT NOT NULL REFERENCES photos (id),
    area       TEXT NOT NULL,
    media_type TEXT NOT NULL,
    bytes      BLOB NOT NULL
) STRICT;

CREATE INDEX score_maps_of_photo ON score_maps (photo);
