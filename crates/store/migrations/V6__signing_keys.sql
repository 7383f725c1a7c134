-- The signing keys. The private half is encrypted under the key secret, which is not here.

-- One key signs, and at most one is announced: told to everybody who checks, and not used yet. A
-- retired key checks what it signed. A revoked one is without its private half; its public one stays,
-- so that what it signed is known to be revoked. `seq` is the entry of the log that brought the key.
CREATE TABLE signing_keys (
    kid        TEXT PRIMARY KEY,
    algorithm  TEXT NOT NULL,
    jwk        TEXT NOT NULL,
    sealed     BLOB,
    seq        INTEGER NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('announced', 'active', 'retired', 'revoked')),
    created_at INTEGER NOT NULL,
    signs_from INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    CHECK ((sealed IS NULL) = (state = 'revoked'))
) STRICT;

CREATE UNIQUE INDEX signing_keys_by_state ON signing_keys (state)
    WHERE state IN ('announced', 'active');
