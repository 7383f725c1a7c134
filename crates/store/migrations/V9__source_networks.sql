-- From where a token may be used.

-- Networks in CIDR notation, separated by spaces; empty where it may be used from anywhere.
ALTER TABLE tokens ADD COLUMN source_networks TEXT NOT NULL DEFAULT '';

DROP VIEW token_records;

-- A token as it is read: the first twenty columns and the last are those of a record.
CREATE VIEW issued_tokens AS
SELECT t.jti, t.workspace, t.created_by, t.created_at, t.expires_at, t.never, t.scope,
       t.description, t.kid, t.audience, t.rv, t.list, t.idx,
       t.revoked_at, t.revoked_by, t.revoked_because,
       u.count, u.last_at, u.last_from, o.email,
       t.replaces, t.idempotency_key, t.request_digest, t.source_networks
FROM tokens t
LEFT JOIN token_uses u ON u.jti = t.jti
LEFT JOIN operators o ON o.id = t.created_by;
