//! What a workspace token says of itself. Nobody has checked it here: it serves to show a token and
//! to ask the authority about it, never to trust it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nt_token::{Jti, Secret, Timestamp, WorkspaceId};
use serde::Deserialize;

/// What a workspace token starts with.
pub(crate) const PREFIX: &str = "wst_";

/// No workspace token is longer.
const LONGEST: usize = 4 * 1024;

/// What a token says of itself, unchecked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Claimed {
    pub(crate) jti: Jti,
    #[serde(rename = "sub")]
    pub(crate) workspace: WorkspaceId,
    #[serde(rename = "iat")]
    pub(crate) created_at: Timestamp,
    #[serde(rename = "exp")]
    pub(crate) expires_at: Timestamp,
    #[serde(default)]
    pub(crate) scope: String,
    #[serde(default)]
    pub(crate) source_networks: Vec<String>,
}

impl Claimed {
    /// Reads the claims of something that has the form of a workspace token.
    pub(crate) fn by(token: &Secret) -> Option<Self> {
        let text = token.expose();
        let compact = text.strip_prefix(PREFIX).unwrap_or(text);
        let parts: Vec<&str> = compact.split('.').collect();
        let &[_, payload, _] = parts.as_slice() else { return None };
        if text.len() > LONGEST {
            return None;
        }
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(token: &str) -> Option<Claimed> {
        Claimed::by(&Secret::from(token.to_owned()))
    }

    #[test]
    fn the_form_of_a_token_is_needed() {
        let body =
            r#"{"jti":"jti_a","sub":"6f0b7c52-89d3-4c6e-8f0a-3f6f5d0c1b2a","iat":1,"exp":2}"#;
        let body = URL_SAFE_NO_PAD.encode(body);
        let read = claims(&format!("wst_e30.{body}.c2ln")).expect("it has the form");
        assert_eq!((read.created_at.unix(), read.expires_at.unix()), (1, 2));
        let long = format!("wst_e30.{body}.{}", "a".repeat(LONGEST));
        for bad in ["", "wst_", "wst_a.b", "wst_a.b.c", "wst_e30.e30.e30", &long] {
            assert_eq!(claims(bad), None, "{bad:.20}");
        }
    }
}
