-- What several nodes must ask, where one could remember it.

-- CI jobs' tokens that were exchanged: each opens one session, at whichever node and after any restart.
-- The digest is SHA-256 of what the issuer signed.
CREATE TABLE job_tokens (
    issuer TEXT NOT NULL,
    digest BLOB NOT NULL,
    until  INTEGER NOT NULL,
    PRIMARY KEY (issuer, digest)
) STRICT, WITHOUT ROWID;

CREATE INDEX job_tokens_by_end ON job_tokens (until);

-- Somebody's sessions are listed and ended by their owner.
CREATE INDEX sessions_by_operator ON sessions (operator);
