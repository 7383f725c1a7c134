//! Token Status Lists (draft-ietf-oauth-status-list).

use serde::{Deserialize, Serialize};

/// Where all lists are that a token which has not ended may be in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StatusLists {
    /// Their URIs.
    pub status_lists: Vec<String>,
}
