-- Accounts of this box, beside those who sign in at Procore. Passwords are Argon2id hashes with their salts.
CREATE TABLE accounts (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    login       TEXT NOT NULL UNIQUE,
    name        TEXT NOT NULL,
    role        TEXT NOT NULL CHECK (role IN ('viewer', 'reviewer', 'admin')),
    projects    TEXT,
    password    TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    disabled_at INTEGER
) STRICT;

-- Who is signed in where, by the digest of what the browser holds. An account's rights are read from the
-- account each time; `viewer` has those of people without one.
CREATE TABLE sessions (
    digest     TEXT PRIMARY KEY,
    who        TEXT NOT NULL,
    name       TEXT NOT NULL,
    account    INTEGER REFERENCES accounts (id),
    viewer     TEXT,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    CHECK ((account IS NULL) <> (viewer IS NULL))
) STRICT;

CREATE INDEX sessions_of_person ON sessions (who);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

-- What scripts sign in with, by its digest.
CREATE TABLE api_tokens (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    digest       TEXT NOT NULL UNIQUE,
    account      INTEGER NOT NULL REFERENCES accounts (id),
    label        TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    last_used_at INTEGER,
    revoked_at   INTEGER
) STRICT;

CREATE INDEX api_tokens_of_account ON api_tokens (account, id);
