//! Who may do what in a workspace: one table.

use nt_store::Role;

/// What can be done in a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// See the workspace and its tokens.
    See,
    /// Change its description.
    Describe,
    /// Issue tokens.
    Issue,
    /// Revoke tokens, and replace them.
    Revoke,
    /// Delete the workspace and with it all its tokens.
    Delete,
}

/// Whether this role allows this action. Without a role nothing is allowed, not even to learn that
/// the workspace exists.
pub const fn allows(role: Role, action: Action) -> bool {
    use Action::{Delete, Describe, Issue, Revoke, See};
    match (role, action) {
        (Role::Owner, See | Describe | Issue | Revoke | Delete) => true,
    }
}
