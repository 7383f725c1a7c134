//! By what right a step is taken: decided before it, and still so when it is taken.

use crate::record::Role;

/// By what right somebody asks for a token in a workspace. Looked at again in the step's own
/// transaction: whoever was removed meanwhile gets none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Right {
    /// A membership of the operator who takes the step.
    Member {
        /// With this role, or with one that is more.
        least: Role,
    },
    /// The workspace is of this organisation, which the operator acts for: the identity provider said
    /// so, and no membership is needed.
    Organisation(String),
    /// Nothing that is kept here: a CI job's rule, or the step that makes the workspace itself.
    Unrecorded,
}

impl Right {
    /// Whether it is so of an operator who is this in a live workspace that this organisation owns.
    pub(crate) fn holds(&self, role: Option<Role>, organisation: Option<&str>) -> bool {
        match self {
            // From most to least.
            Self::Member { least } => role.is_some_and(|role| role <= *least),
            Self::Organisation(of) => organisation == Some(of.as_str()),
            Self::Unrecorded => true,
        }
    }
}
