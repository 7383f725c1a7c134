-- The register of verifiers: services that follow this authority's log with a credential of their own.

-- A verifier is found by the SHA-256 of its credential; the credential is not here. One that was
-- removed stays as a record, and its name is free again.
CREATE TABLE verifiers (
    id                TEXT PRIMARY KEY,
    name              TEXT NOT NULL,
    credential_hash   BLOB NOT NULL UNIQUE,
    created_at        INTEGER NOT NULL,
    created_by        TEXT NOT NULL,
    removed_at        INTEGER,
    removed_by        TEXT,
    last_connected_at INTEGER,
    last_version      TEXT,
    CHECK ((removed_at IS NULL) = (removed_by IS NULL)),
    CHECK ((last_connected_at IS NULL) = (last_version IS NULL))
) STRICT;

CREATE UNIQUE INDEX verifiers_by_name ON verifiers (name) WHERE removed_at IS NULL;
