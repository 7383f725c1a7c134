//! The development users. They have no passwords, and begin without any workspace.

/// Somebody who can sign in.
#[derive(Debug, PartialEq, Eq)]
pub struct User {
    /// The address, which is also what `login_hint` names.
    pub email: &'static str,
    /// What the user is called.
    pub name: &'static str,
    /// The `sub` claim.
    pub(super) subject: &'static str,
    /// What the user is there for.
    pub(super) purpose: &'static str,
}

/// Everybody who can sign in.
pub static USERS: [User; 3] = [
    User {
        email: "owner@example.com",
        name: "Olivia Owner",
        subject: "dev-owner",
        purpose: "creates workspaces and their tokens",
    },
    User {
        email: "member@example.com",
        name: "Max Member",
        subject: "dev-member",
        purpose: "somebody else, with other workspaces",
    },
    User {
        email: "outsider@example.com",
        name: "Uma Outsider",
        subject: "dev-outsider",
        purpose: "to see that outsiders see nothing",
    },
];

impl User {
    /// The user with this address, compared exactly.
    pub(super) fn with_email(email: &str) -> Option<&'static Self> {
        USERS.iter().find(|user| user.email == email)
    }
}
