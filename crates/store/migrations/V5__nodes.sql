-- The nodes of the authority and their lives. Who waits for whom is decided by the log; here is how a
-- node renews its lease, and where others reach it. Numbers of nodes and lives are random, 64 bits.
CREATE TABLE nodes (
    node        INTEGER NOT NULL,
    incarnation INTEGER NOT NULL,
    address     TEXT NOT NULL,
    home        BLOB NOT NULL,
    version     TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('active', 'fenced', 'gone')),
    renewals    INTEGER NOT NULL,
    acked       INTEGER NOT NULL,
    last_seen   INTEGER NOT NULL,
    PRIMARY KEY (node, incarnation)
) STRICT, WITHOUT ROWID;

CREATE INDEX nodes_by_state ON nodes (state) WHERE state <> 'gone';
