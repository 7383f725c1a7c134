//! What is moved: every table, in an order in which each finds what it refers to.
//!
//! A test compares this with the schema: a column that is added there and not here does not pass.

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A number, a text or bytes.
    Plain,
    /// True or false, which SQLite keeps as a number.
    Truth,
}

/// A table that is moved.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    /// The first of them are the primary key.
    pub(super) columns: &'static [&'static str],
    pub(super) key: usize,
    pub(super) truths: &'static [&'static str],
}

impl Table {
    pub(super) fn kind(&self, column: &str) -> Kind {
        if self.truths.contains(&column) { Kind::Truth } else { Kind::Plain }
    }
}

const fn table(name: &'static str, key: usize, columns: &'static [&'static str]) -> Table {
    Table { name, columns, key, truths: &[] }
}

/// Not among them: `meta`, which is one row and travels in the header, and `nodes`, whose leases are of
/// the place that is left.
pub(super) const TABLES: &[Table] = &[
    table("log", 1, &["seq", "id", "kind", "body"]),
    table("operators", 1, &["id", "issuer", "subject", "email", "name"]),
    Table {
        truths: &["grant_revoke"],
        ..table(
            "sessions",
            1,
            &[
                "hash",
                "id",
                "operator",
                "created_at",
                "last_used_at",
                "expires_at",
                "came_from",
                "client",
                "organisation",
                "organisation_role",
                "grant_workspace",
                "grant_role",
                "grant_revoke",
            ],
        )
    },
    table(
        "workspaces",
        1,
        &[
            "id",
            "owner",
            "name",
            "description",
            "created_at",
            "first_token",
            "idempotency_key",
            "request_digest",
            "deleted_at",
            "deleted_by",
            "deletion_key",
            "organisation",
        ],
    ),
    table("members", 2, &["operator", "workspace", "role", "since"]),
    table("invitations", 2, &["workspace", "email", "role", "since"]),
    table("lists", 1, &["list", "bucket", "capacity", "issued"]),
    Table {
        truths: &["never"],
        ..table(
            "tokens",
            1,
            &[
                "jti",
                "workspace",
                "created_by",
                "created_at",
                "expires_at",
                "never",
                "scope",
                "description",
                "kid",
                "audience",
                "rv",
                "list",
                "idx",
                "replaces",
                "idempotency_key",
                "request_digest",
                "revoked_at",
                "revoked_by",
                "revoked_because",
                "source_networks",
            ],
        )
    },
    table("token_uses", 1, &["jti", "count", "last_at", "last_from"]),
    table("token_denials", 1, &["jti", "workspace", "count", "first_at", "last_at", "last_from"]),
    table(
        "audit",
        1,
        &[
            "id",
            "at",
            "operator",
            "came_from",
            "action",
            "workspace",
            "jti",
            "reason",
            "about",
            "note",
        ],
    ),
    table("receipts", 2, &["jti", "seq", "receipt", "at"]),
    table(
        "verifiers",
        1,
        &[
            "id",
            "name",
            "credential_hash",
            "created_at",
            "created_by",
            "removed_at",
            "removed_by",
            "last_connected_at",
            "last_version",
        ],
    ),
    table(
        "signing_keys",
        1,
        &[
            "kid",
            "algorithm",
            "jwk",
            "sealed",
            "seq",
            "state",
            "created_at",
            "signs_from",
            "changed_at",
        ],
    ),
    table(
        "oauth_clients",
        1,
        &[
            "secret_hash",
            "name",
            "rights",
            "workspace",
            "created_at",
            "created_by",
            "removed_at",
            "removed_by",
        ],
    ),
    table("job_tokens", 2, &["issuer", "digest", "until"]),
];
