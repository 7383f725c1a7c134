-- The register of OAuth clients: services that may ask about tokens, or revoke them, with a secret of
-- their own.

-- A client is found by the SHA-256 of its secret; the secret is not here. One that was removed stays as a
-- record, and its name is free again. `rights` are words with spaces between; without a workspace they
-- hold for every one.
CREATE TABLE oauth_clients (
    secret_hash BYTEA PRIMARY KEY,
    name        TEXT COLLATE "C" NOT NULL,
    rights      TEXT COLLATE "C" NOT NULL,
    workspace   BYTEA,
    created_at  BIGINT NOT NULL,
    created_by  TEXT COLLATE "C" NOT NULL,
    removed_at  BIGINT,
    removed_by  TEXT COLLATE "C",
    CHECK ((removed_at IS NULL) = (removed_by IS NULL))
);

CREATE UNIQUE INDEX oauth_clients_by_name ON oauth_clients (name) WHERE removed_at IS NULL;
