//! What an issuer says about itself (OpenID Connect Discovery 1.0, section 4): the authority's half.

use serde::Deserialize;

use crate::address::{discovery_document, is_secure};
use crate::http_client::{HttpClient, unusable};
use crate::provider::Unavailable;

/// The longest document, in bytes.
const LONGEST: usize = 64 * 1_024;

/// The members of the document that we act on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Metadata {
    issuer: String,
    pub(crate) jwks_uri: String,
    pub(crate) userinfo_endpoint: Option<String>,
}

impl Metadata {
    /// Asks the issuer for its document.
    pub(crate) async fn discover(client: &HttpClient, issuer: &str) -> Result<Self, Unavailable> {
        let url = discovery_document(issuer);
        let answer = client.fetch(&url, LONGEST).await?;
        Self::read(&answer.body, issuer).map_err(|what| unusable(&url, what))
    }

    /// Reads a document and holds it to what was asked for; else what is wrong with it.
    fn read(document: &[u8], issuer: &str) -> Result<Self, &'static str> {
        let metadata: Self =
            serde_json::from_slice(document).map_err(|_| "is not a discovery document")?;
        // Section 4.3: exactly, or somebody else's provider could stand in.
        if metadata.issuer != issuer {
            return Err("names another issuer");
        }
        let userinfo = metadata.userinfo_endpoint.as_deref();
        if !is_secure(&metadata.jwks_uri) || userinfo.is_some_and(|url| !is_secure(url)) {
            return Err("has an endpoint that is not https");
        }
        Ok(metadata)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_held_to_its_issuer_and_to_https() {
        let issuer = "https://id.example.com";
        let read = |issuer_member: &str, jwks_uri: &str, userinfo: &str| {
            let document = format!(
                r#"{{"issuer":"{issuer_member}","jwks_uri":"{jwks_uri}","userinfo_endpoint":"{userinfo}"}}"#
            );
            Metadata::read(document.as_bytes(), issuer)
        };
        let (jwks, userinfo) = ("https://keys.example.com/jwks", "https://id.example.com/me");
        assert!(read(issuer, jwks, userinfo).is_ok());
        assert!(read(issuer, "http://127.0.0.1:9/jwks", userinfo).is_ok());
        assert_eq!(read("https://id.example.com/", jwks, userinfo), Err("names another issuer"));
        let plain = Err("has an endpoint that is not https");
        assert_eq!(read(issuer, "http://id.example.com/jwks", userinfo), plain);
        assert_eq!(read(issuer, jwks, "http://id.example.com/me"), plain);
        let without = format!(r#"{{"issuer":"{issuer}","jwks_uri":"{jwks}","x":1}}"#);
        assert_eq!(
            Metadata::read(without.as_bytes(), issuer).map(|metadata| metadata.userinfo_endpoint),
            Ok(None)
        );
        for document in ["", "{}", "[]", "<html>", r#"{"issuer":"https://id.example.com"}"#] {
            let read = Metadata::read(document.as_bytes(), issuer);
            assert_eq!(read, Err("is not a discovery document"), "{document}");
        }
    }
}
