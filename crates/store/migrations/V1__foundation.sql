-- What the authority remembers.
--
-- PostgreSQL reads the same text with BYTEA for BLOB and BIGINT for INTEGER, and without the words
-- STRICT and WITHOUT ROWID. Times are seconds since 1970; identifiers are as they are written, a
-- workspace's as the 16 bytes of its UUID; addresses are text.

-- One row. `head` is the number of the log's last entry: raising it is what makes the log dense.
CREATE TABLE meta (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    epoch  INTEGER NOT NULL,
    head   INTEGER NOT NULL,
    issuer TEXT
) STRICT;

INSERT INTO meta (one, epoch, head) VALUES (1, 1, 0);

-- Append-only. Kinds and bodies are drawn in `nt_revocation::entry`.
CREATE TABLE log (
    seq  INTEGER PRIMARY KEY,
    id   BLOB NOT NULL UNIQUE,
    kind INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;

CREATE TABLE operators (
    id      TEXT PRIMARY KEY,
    issuer  TEXT NOT NULL,
    subject TEXT NOT NULL,
    email   TEXT,
    name    TEXT,
    UNIQUE (issuer, subject)
) STRICT;

-- A session is found by the SHA-256 of its secret; the secret is not here.
CREATE TABLE sessions (
    hash       BLOB PRIMARY KEY,
    operator   TEXT NOT NULL REFERENCES operators (id),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

CREATE INDEX sessions_by_end ON sessions (expires_at);

-- A deleted workspace stays as a tombstone: its records and its idempotency keys outlive it.
CREATE TABLE workspaces (
    id              BLOB PRIMARY KEY,
    owner           TEXT NOT NULL,
    name            TEXT NOT NULL,
    description     TEXT,
    created_at      INTEGER NOT NULL,
    first_token     TEXT NOT NULL,
    idempotency_key TEXT,
    request_digest  BLOB NOT NULL,
    deleted_at      INTEGER,
    deleted_by      TEXT,
    deletion_key    TEXT
) STRICT;

CREATE UNIQUE INDEX workspaces_by_name ON workspaces (owner, name) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX workspaces_by_key ON workspaces (owner, idempotency_key)
    WHERE idempotency_key IS NOT NULL;

CREATE TABLE members (
    operator  TEXT NOT NULL,
    workspace BLOB NOT NULL REFERENCES workspaces (id),
    role      TEXT NOT NULL,
    PRIMARY KEY (operator, workspace)
) STRICT, WITHOUT ROWID;

-- The revocation set's lists: how many places each has, and how many are taken. `bucket` is the month
-- in which the list's tokens expire.
CREATE TABLE lists (
    list     INTEGER PRIMARY KEY,
    bucket   INTEGER NOT NULL,
    capacity INTEGER NOT NULL,
    issued   INTEGER NOT NULL
) STRICT;

CREATE INDEX lists_by_bucket ON lists (bucket, list);

-- Everything of a token but its value. `expires_at` is what the claims say, also where `never` is 1.
CREATE TABLE tokens (
    jti             TEXT PRIMARY KEY,
    workspace       BLOB NOT NULL REFERENCES workspaces (id),
    created_by      TEXT NOT NULL,
    created_at      INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    never           INTEGER NOT NULL,
    scope           TEXT NOT NULL,
    description     TEXT,
    kid             TEXT NOT NULL,
    audience        TEXT NOT NULL,
    rv              INTEGER NOT NULL,
    list            INTEGER NOT NULL REFERENCES lists (list),
    idx             INTEGER NOT NULL,
    replaces        TEXT,
    idempotency_key TEXT,
    request_digest  BLOB NOT NULL,
    revoked_at      INTEGER,
    revoked_by      TEXT,
    revoked_because TEXT,
    UNIQUE (list, idx)
) STRICT;

CREATE INDEX tokens_by_workspace ON tokens (workspace, created_at DESC, jti DESC);
CREATE UNIQUE INDEX tokens_by_key ON tokens (created_by, idempotency_key)
    WHERE idempotency_key IS NOT NULL;

-- Counted off the hot path, and so apart from the tokens.
CREATE TABLE token_uses (
    jti       TEXT PRIMARY KEY,
    count     INTEGER NOT NULL,
    last_at   INTEGER NOT NULL,
    last_from TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE token_denials (
    jti       TEXT PRIMARY KEY,
    workspace BLOB NOT NULL,
    count     INTEGER NOT NULL,
    first_at  INTEGER NOT NULL,
    last_at   INTEGER NOT NULL,
    last_from TEXT
) STRICT;

CREATE INDEX token_denials_by_time ON token_denials (last_at DESC, jti DESC);
CREATE INDEX token_denials_by_workspace ON token_denials (workspace, last_at DESC, jti DESC);

CREATE TABLE audit (
    id        INTEGER PRIMARY KEY,
    at        INTEGER NOT NULL,
    operator  TEXT NOT NULL,
    came_from TEXT,
    action    TEXT NOT NULL,
    workspace BLOB,
    jti       TEXT,
    reason    TEXT
) STRICT;

CREATE INDEX audit_by_operator ON audit (operator, id);
CREATE INDEX audit_by_workspace ON audit (workspace, id) WHERE workspace IS NOT NULL;
CREATE INDEX audit_by_token ON audit (jti, id) WHERE jti IS NOT NULL;

-- A token as it is read: the first twenty columns are those of a record.
CREATE VIEW token_records AS
SELECT t.jti, t.workspace, t.created_by, t.created_at, t.expires_at, t.never, t.scope,
       t.description, t.kid, t.audience, t.rv, t.list, t.idx,
       t.revoked_at, t.revoked_by, t.revoked_because,
       u.count, u.last_at, u.last_from, o.email,
       t.replaces, t.idempotency_key, t.request_digest
FROM tokens t
LEFT JOIN token_uses u ON u.jti = t.jti
LEFT JOIN operators o ON o.id = t.created_by;
