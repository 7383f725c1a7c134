//! What is known of a token's revocation.

/// Why a token no longer counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The token itself was revoked.
    Token,
    /// Everything of its workspace up to a point of the log was.
    Workspace,
    /// Everything issued by its operator up to a point of the log was.
    Operator,
    /// Everything issued by its operator for its workspace up to a point of the log was.
    Member,
    /// Everything up to a point of the log was.
    All,
    /// The key that signed it was.
    Key,
    /// It ends behind the horizon, where revocations may be forgotten.
    Horizon,
}

/// What the log says of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Status {
    /// Nothing against it.
    Good,
    /// It no longer counts, for good.
    Revoked(Why),
    /// The token was issued at a point of the log that has not been applied here: whoever cannot
    /// know refuses.
    Unknown,
}
