//! An operator's sessions.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::iso::IsoTime;

/// One of the caller's sessions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionRecord {
    /// Names the session; it is no secret.
    pub id: String,
    /// When it began.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created_at: IsoTime,
    /// When it was last used, to the minute.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub last_used_at: IsoTime,
    /// When it ends, if it is used until then.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub expires_at: IsoTime,
    /// From where it began.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub from: Option<IpAddr>,
    /// The program that it began with, as it named itself.
    pub client: Option<String>,
    /// Whether the request was made with it.
    pub current: bool,
}

/// Answer of `GET /v1/auth/sessions`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionList {
    /// The sessions, the latest first.
    pub sessions: Vec<SessionRecord>,
    /// How many they are.
    pub total: u64,
}

/// Answer of `DELETE /v1/auth/sessions` (all but the current one) and
/// `DELETE /v1/auth/sessions/{session}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionsEnded {
    /// `ended`.
    pub status: String,
    /// How many.
    pub count: u64,
}
