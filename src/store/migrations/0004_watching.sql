-- Projects in which nothing is made until a person has looked, with the reason.
CREATE TABLE project_stops (
    company INTEGER NOT NULL,
    project INTEGER NOT NULL,
    reason  TEXT NOT NULL,
    since   INTEGER NOT NULL,
    PRIMARY KEY (company, project)
) STRICT;

-- When something that is done now and then in a project was last done.
CREATE TABLE marks (
    company INTEGER NOT NULL,
    project INTEGER NOT NULL,
    kind    TEXT NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (company, project, kind)
) STRICT;
