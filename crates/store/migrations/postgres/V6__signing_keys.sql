-- The signing keys. The private half is encrypted under the key secret, which is not here.

-- One key signs, and at most one is announced: told to everybody who checks, and not used yet. A
-- retired key checks what it signed. A revoked one is without its private half; its public one stays,
-- so that what it signed is known to be revoked. `seq` is the entry of the log that brought the key.
CREATE TABLE signing_keys (
    kid        TEXT COLLATE "C" PRIMARY KEY,
    algorithm  TEXT COLLATE "C" NOT NULL,
    jwk        TEXT COLLATE "C" NOT NULL,
    sealed     BYTEA,
    seq        BIGINT NOT NULL,
    state      TEXT COLLATE "C" NOT NULL
        CHECK (state IN ('announced', 'active', 'retired', 'revoked')),
    created_at BIGINT NOT NULL,
    signs_from BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    CHECK ((sealed IS NULL) = (state = 'revoked'))
);

CREATE UNIQUE INDEX signing_keys_by_state ON signing_keys (state)
    WHERE state IN ('announced', 'active');

-- A program that does not know this table would sign with a key of its own.
UPDATE meta SET oldest_program = 6 WHERE one = 1;
