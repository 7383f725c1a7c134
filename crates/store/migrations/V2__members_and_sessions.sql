-- Members with roles, invitations, workspaces of organisations, and sessions that can be told apart.

-- A session of version 1 has no identifier, and where it began was not kept: it cannot be shown to its
-- owner or ended by name. All of them end here; people sign in again. Tokens are not touched.
DROP TABLE sessions;

-- A session is found by the SHA-256 of its secret; the secret is not here. `id` names it and opens
-- nothing. The columns of `grant` are those of a CI job's session: set together or not at all.
CREATE TABLE sessions (
    hash              BLOB PRIMARY KEY,
    id                TEXT NOT NULL UNIQUE,
    operator          TEXT NOT NULL REFERENCES operators (id),
    created_at        INTEGER NOT NULL,
    last_used_at      INTEGER NOT NULL,
    expires_at        INTEGER NOT NULL,
    came_from         TEXT,
    client            TEXT,
    organisation      TEXT,
    organisation_role TEXT,
    grant_workspace   BLOB,
    grant_role        TEXT,
    grant_revoke      INTEGER,
    CHECK ((grant_workspace IS NULL) = (grant_role IS NULL)
        AND (grant_workspace IS NULL) = (grant_revoke IS NULL))
) STRICT;

CREATE INDEX sessions_by_end ON sessions (expires_at);

-- E-mail addresses are compared in lower case; only ASCII letters have one here.
CREATE INDEX operators_by_email ON operators (lower(email));

-- The organisation at the identity provider that owns the workspace.
ALTER TABLE workspaces ADD COLUMN organisation TEXT;

CREATE INDEX workspaces_by_organisation ON workspaces (organisation, name, id)
    WHERE organisation IS NOT NULL AND deleted_at IS NULL;

-- Made anew, so that `since` needs no default: until now each member was a workspace's creator.
CREATE TABLE members_since (
    operator  TEXT NOT NULL,
    workspace BLOB NOT NULL REFERENCES workspaces (id),
    role      TEXT NOT NULL,
    since     INTEGER NOT NULL,
    PRIMARY KEY (operator, workspace)
) STRICT, WITHOUT ROWID;

INSERT INTO members_since (operator, workspace, role, since)
SELECT m.operator, m.workspace, m.role, w.created_at
FROM members m JOIN workspaces w ON w.id = m.workspace;

DROP TABLE members;
ALTER TABLE members_since RENAME TO members;

CREATE INDEX members_by_workspace ON members (workspace, role);

-- Who becomes a member by signing in with this address, which is in lower case. A deleted workspace
-- has no invitations.
CREATE TABLE invitations (
    workspace BLOB NOT NULL REFERENCES workspaces (id),
    email     TEXT NOT NULL,
    role      TEXT NOT NULL,
    since     INTEGER NOT NULL,
    PRIMARY KEY (workspace, email)
) STRICT, WITHOUT ROWID;

CREATE INDEX invitations_by_email ON invitations (email);

-- What a member had issued and is not revoked: revoked together when the member is removed. The
-- operator comes first, so that no page of a workspace's list is read by this index and then sorted.
CREATE INDEX tokens_by_member ON tokens (created_by, workspace) WHERE revoked_at IS NULL;

-- Whom a record concerns, and what else must be known of the step.
ALTER TABLE audit ADD COLUMN about TEXT;
ALTER TABLE audit ADD COLUMN note TEXT;
