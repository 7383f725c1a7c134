-- What the authority remembers, on PostgreSQL: the schema that SQLite has come to with its fifth
-- migration. From here on a version's number means the same on both.
--
-- Times are seconds since 1970; identifiers are as they are written, a workspace's as the 16 bytes of
-- its UUID; addresses are text. Texts are compared byte for byte, whatever the database's locale is.

-- One row. `head` is the number of the log's last entry; whoever writes locks the row first, so that
-- writers of all nodes come one after the other and the log is dense and in commit order. `proof` is
-- raised to prove, by a commit that was not in doubt, that all before it is safe. A program that knows
-- the schema up to `oldest_program` or later may use this database.
--
-- `system` and `timeline` are the server and the line of its history that the log was last written by,
-- nothing before the first start. `lossless` says whether each commit waited for a standby's disk when
-- that was last looked at: what a promotion may cost. `doubt` is why nobody may rely on this log any
-- more; only a recovery, which begins a new epoch, takes it away.
--
-- The row is written with each batch: room in its page keeps the old versions out of the index.
CREATE TABLE meta (
    one            BIGINT PRIMARY KEY CHECK (one = 1),
    epoch          BIGINT NOT NULL,
    head           BIGINT NOT NULL,
    issuer         TEXT COLLATE "C",
    proof          BIGINT NOT NULL DEFAULT 0,
    system         BIGINT,
    timeline       BIGINT,
    lossless       BOOLEAN NOT NULL DEFAULT FALSE,
    doubt          TEXT COLLATE "C",
    oldest_program BIGINT NOT NULL
) WITH (fillfactor = 20);

INSERT INTO meta (one, epoch, head, oldest_program) VALUES (1, 1, 0, 5);

-- Append-only. Kinds and bodies are drawn in `nt_revocation::entry`.
CREATE TABLE log (
    seq  BIGINT PRIMARY KEY,
    id   BYTEA NOT NULL UNIQUE,
    kind BIGINT NOT NULL,
    body BYTEA NOT NULL
);

CREATE TABLE operators (
    id      TEXT COLLATE "C" PRIMARY KEY,
    issuer  TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    email   TEXT COLLATE "C",
    name    TEXT COLLATE "C",
    UNIQUE (issuer, subject)
);

-- E-mail addresses are compared in lower case; only ASCII letters have one here.
CREATE INDEX operators_by_email ON operators (lower(email));

-- A session is found by the SHA-256 of its secret; the secret is not here. `id` names it and opens
-- nothing. The columns of `grant` are those of a CI job's session: set together or not at all.
CREATE TABLE sessions (
    hash              BYTEA PRIMARY KEY,
    id                TEXT COLLATE "C" NOT NULL UNIQUE,
    operator          TEXT COLLATE "C" NOT NULL REFERENCES operators (id),
    created_at        BIGINT NOT NULL,
    last_used_at      BIGINT NOT NULL,
    expires_at        BIGINT NOT NULL,
    came_from         TEXT COLLATE "C",
    client            TEXT COLLATE "C",
    organisation      TEXT COLLATE "C",
    organisation_role TEXT COLLATE "C",
    grant_workspace   BYTEA,
    grant_role        TEXT COLLATE "C",
    grant_revoke      BOOLEAN,
    CHECK ((grant_workspace IS NULL) = (grant_role IS NULL)
        AND (grant_workspace IS NULL) = (grant_revoke IS NULL))
);

CREATE INDEX sessions_by_end ON sessions (expires_at);

-- A deleted workspace stays as a tombstone: its records and its idempotency keys outlive it.
CREATE TABLE workspaces (
    id              BYTEA PRIMARY KEY,
    owner           TEXT COLLATE "C" NOT NULL,
    name            TEXT COLLATE "C" NOT NULL,
    description     TEXT COLLATE "C",
    created_at      BIGINT NOT NULL,
    first_token     TEXT COLLATE "C" NOT NULL,
    idempotency_key TEXT COLLATE "C",
    request_digest  BYTEA NOT NULL,
    deleted_at      BIGINT,
    deleted_by      TEXT COLLATE "C",
    deletion_key    TEXT COLLATE "C",
    organisation    TEXT COLLATE "C"
);

CREATE UNIQUE INDEX workspaces_by_name ON workspaces (owner, name) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX workspaces_by_key ON workspaces (owner, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
CREATE INDEX workspaces_by_organisation ON workspaces (organisation, name, id)
    WHERE organisation IS NOT NULL AND deleted_at IS NULL;

CREATE TABLE members (
    operator  TEXT COLLATE "C" NOT NULL,
    workspace BYTEA NOT NULL REFERENCES workspaces (id),
    role      TEXT COLLATE "C" NOT NULL,
    since     BIGINT NOT NULL,
    PRIMARY KEY (operator, workspace)
);

CREATE INDEX members_by_workspace ON members (workspace, role);

-- Who becomes a member by signing in with this address, which is in lower case. A deleted workspace
-- has no invitations.
CREATE TABLE invitations (
    workspace BYTEA NOT NULL REFERENCES workspaces (id),
    email     TEXT COLLATE "C" NOT NULL,
    role      TEXT COLLATE "C" NOT NULL,
    since     BIGINT NOT NULL,
    PRIMARY KEY (workspace, email)
);

CREATE INDEX invitations_by_email ON invitations (email);

-- The revocation set's lists: how many places each has, and how many are taken. `bucket` is the month
-- in which the list's tokens expire.
CREATE TABLE lists (
    list     BIGINT PRIMARY KEY,
    bucket   BIGINT NOT NULL,
    capacity BIGINT NOT NULL,
    issued   BIGINT NOT NULL
) WITH (fillfactor = 50);

CREATE INDEX lists_by_bucket ON lists (bucket, list);

-- Everything of a token but its value. `expires_at` is what the claims say, also where it never ends.
CREATE TABLE tokens (
    jti             TEXT COLLATE "C" PRIMARY KEY,
    workspace       BYTEA NOT NULL REFERENCES workspaces (id),
    created_by      TEXT COLLATE "C" NOT NULL,
    created_at      BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL,
    never           BOOLEAN NOT NULL,
    scope           TEXT COLLATE "C" NOT NULL,
    description     TEXT COLLATE "C",
    kid             TEXT COLLATE "C" NOT NULL,
    audience        TEXT COLLATE "C" NOT NULL,
    rv              BIGINT NOT NULL,
    list            BIGINT NOT NULL REFERENCES lists (list),
    idx             BIGINT NOT NULL,
    replaces        TEXT COLLATE "C",
    idempotency_key TEXT COLLATE "C",
    request_digest  BYTEA NOT NULL,
    revoked_at      BIGINT,
    revoked_by      TEXT COLLATE "C",
    revoked_because TEXT COLLATE "C",
    UNIQUE (list, idx)
);

CREATE INDEX tokens_by_workspace ON tokens (workspace, created_at DESC, jti DESC);
-- A page of the revoked ones, also of a workspace that has none: by the index above it would be read whole.
CREATE INDEX tokens_revoked ON tokens (workspace, created_at DESC, jti DESC)
    WHERE revoked_at IS NOT NULL;
CREATE UNIQUE INDEX tokens_by_key ON tokens (created_by, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
-- What a member had issued and is not revoked: revoked together when the member is removed.
CREATE INDEX tokens_by_member ON tokens (created_by, workspace) WHERE revoked_at IS NULL;

-- Counted off the hot path, and so apart from the tokens.
CREATE TABLE token_uses (
    jti       TEXT COLLATE "C" PRIMARY KEY,
    count     BIGINT NOT NULL,
    last_at   BIGINT NOT NULL,
    last_from TEXT COLLATE "C"
);

CREATE TABLE token_denials (
    jti       TEXT COLLATE "C" PRIMARY KEY,
    workspace BYTEA NOT NULL,
    count     BIGINT NOT NULL,
    first_at  BIGINT NOT NULL,
    last_at   BIGINT NOT NULL,
    last_from TEXT COLLATE "C"
);

CREATE INDEX token_denials_by_time ON token_denials (last_at DESC, jti DESC);
CREATE INDEX token_denials_by_workspace ON token_denials (workspace, last_at DESC, jti DESC);

-- Numbered by the writers, who come one after the other: a sequence would leave gaps.
CREATE TABLE audit (
    id        BIGINT PRIMARY KEY,
    at        BIGINT NOT NULL,
    operator  TEXT COLLATE "C" NOT NULL,
    came_from TEXT COLLATE "C",
    action    TEXT COLLATE "C" NOT NULL,
    workspace BYTEA,
    jti       TEXT COLLATE "C",
    reason    TEXT COLLATE "C",
    about     TEXT COLLATE "C",
    note      TEXT COLLATE "C"
);

CREATE INDEX audit_by_operator ON audit (operator, id);
CREATE INDEX audit_by_workspace ON audit (workspace, id) WHERE workspace IS NOT NULL;
CREATE INDEX audit_by_token ON audit (jti, id) WHERE jti IS NOT NULL;

-- Signed statements that a revocation is in force, written down after it was answered. A token that
-- is revoked again has another entry of the log, and another receipt.
CREATE TABLE receipts (
    jti     TEXT COLLATE "C" NOT NULL,
    seq     BIGINT NOT NULL,
    receipt TEXT COLLATE "C" NOT NULL,
    at      BIGINT NOT NULL,
    PRIMARY KEY (jti, seq)
);

-- A verifier is found by the SHA-256 of its credential; the credential is not here. One that was
-- removed stays as a record, and its name is free again.
CREATE TABLE verifiers (
    id                TEXT COLLATE "C" PRIMARY KEY,
    name              TEXT COLLATE "C" NOT NULL,
    credential_hash   BYTEA NOT NULL UNIQUE,
    created_at        BIGINT NOT NULL,
    created_by        TEXT COLLATE "C" NOT NULL,
    removed_at        BIGINT,
    removed_by        TEXT COLLATE "C",
    last_connected_at BIGINT,
    last_version      TEXT COLLATE "C",
    CHECK ((removed_at IS NULL) = (removed_by IS NULL)),
    CHECK ((last_connected_at IS NULL) = (last_version IS NULL))
);

CREATE UNIQUE INDEX verifiers_by_name ON verifiers (name) WHERE removed_at IS NULL;

-- The nodes of the authority and their lives. Who waits for whom is decided by the log; here is how a
-- node renews its lease, and where others reach it. Numbers of nodes and lives are random, 64 bits.
CREATE TABLE nodes (
    node        BIGINT NOT NULL,
    incarnation BIGINT NOT NULL,
    address     TEXT COLLATE "C" NOT NULL,
    home        BYTEA NOT NULL,
    version     TEXT COLLATE "C" NOT NULL,
    state       TEXT COLLATE "C" NOT NULL CHECK (state IN ('active', 'fenced', 'gone')),
    renewals    BIGINT NOT NULL,
    acked       BIGINT NOT NULL,
    last_seen   BIGINT NOT NULL,
    PRIMARY KEY (node, incarnation)
) WITH (fillfactor = 20);

CREATE INDEX nodes_by_state ON nodes (state) WHERE state <> 'gone';

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
