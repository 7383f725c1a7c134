-- The register of OAuth clients: services that may ask about tokens, or revoke them, with a secret of
-- their own.

-- A client is found by the SHA-256 of its secret; the secret is not here. One that was removed stays as a
-- record, and its name is free again. `rights` are words with spaces between; without a workspace they
-- hold for every one.
CREATE TABLE oauth_clients (
    secret_hash BLOB PRIMARY KEY,
    name        TEXT NOT NULL,
    rights      TEXT NOT NULL,
    workspace   BLOB,
    created_at  INTEGER NOT NULL,
    created_by  TEXT NOT NULL,
    removed_at  INTEGER,
    removed_by  TEXT,
    CHECK ((removed_at IS NULL) = (removed_by IS NULL))
) STRICT;

CREATE UNIQUE INDEX oauth_clients_by_name ON oauth_clients (name) WHERE removed_at IS NULL;
