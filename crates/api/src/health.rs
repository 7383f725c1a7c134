//! Whether the authority answers.

use serde::{Deserialize, Serialize};

use crate::iso::IsoTime;

/// Answer of `GET /health` (*published*).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Health {
    /// `healthy`.
    pub status: String,
    /// `ntd`.
    pub service: String,
    /// The authority's wall time.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub timestamp: IsoTime,
    /// The authority's version.
    pub version: String,
}
