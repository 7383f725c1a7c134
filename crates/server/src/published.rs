//! What anybody may have, and may keep for a while.

use axum::body::Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::authority::entropy::sha256;

/// Bytes, and what they are recognised by.
#[derive(Debug, Clone)]
pub struct Published {
    /// What is sent.
    pub bytes: Bytes,
    /// The entity tag (RFC 9110, section 8.8.3): equal bytes have equal ones.
    pub tag: String,
}

impl Published {
    /// Names these bytes.
    pub fn new(bytes: Bytes) -> Self {
        let tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(&sha256(&bytes)[..16]));
        Self { bytes, tag }
    }
}
