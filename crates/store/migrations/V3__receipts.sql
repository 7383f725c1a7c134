-- Signed statements that a revocation is in force, written down after it was answered. A token that
-- is revoked again has another entry of the log, and another receipt.
CREATE TABLE receipts (
    jti     TEXT NOT NULL,
    seq     INTEGER NOT NULL,
    receipt TEXT NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (jti, seq)
) STRICT, WITHOUT ROWID;
