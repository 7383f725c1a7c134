//! Making a token: `wst_` and a compact JWS.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use crate::claims::Claims;
use crate::key::SigningKey;
use crate::secret::Secret;

/// What a workspace token starts with, so that people and scanners recognise one.
pub const PREFIX: &str = "wst_";

/// The media type of a workspace token (RFC 9068, section 2.1).
pub const TOKEN_TYPE: &str = "at+jwt";

#[derive(Serialize)]
struct Header<'a> {
    alg: &'a str,
    typ: &'a str,
    kid: &'a str,
}

/// Signs the claims. A repeated create signs the same claims again, as nobody stored the token. With
/// EdDSA and RS256 that is the same text; with ES256 it is another spelling of the same token, with
/// another signature that is as good: nothing may tell tokens apart by their text.
pub fn sign(claims: &Claims, key: &SigningKey) -> Secret {
    Secret::from(format!("{PREFIX}{}", sign_jws(TOKEN_TYPE, claims, key)))
}

/// How long the token of these claims is, in bytes, so that none is issued that no verifier takes.
pub fn length(claims: &Claims, key: &SigningKey) -> usize {
    let signature = (key.signature_length() * 8).div_ceil(6);
    PREFIX.len() + unsigned(TOKEN_TYPE, claims, key).len() + 1 + signature
}

/// Signs what is no JWS, such as COSE (RFC 9053 has the same signatures). Whoever calls this sees to it
/// that what is signed can be taken for nothing else.
pub fn sign_bytes(message: &[u8], key: &SigningKey) -> Vec<u8> {
    key.sign(message)
}

/// Signs any payload as a compact JWS with this `typ`.
pub fn sign_jws(typ: &str, payload: &impl Serialize, key: &SigningKey) -> String {
    let mut jws = unsigned(typ, payload, key);
    let signature = key.sign(jws.as_bytes());
    jws.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut jws);
    jws
}

/// What is signed (RFC 7515, section 5.1).
fn unsigned(typ: &str, payload: &impl Serialize, key: &SigningKey) -> String {
    let header = Header { alg: key.algorithm().name(), typ, kid: key.kid().as_str() };
    let header = serde_json::to_vec(&header).expect("three strings serialise");
    let payload =
        serde_json::to_vec(payload).expect("payloads have string keys and finite numbers");
    let mut jws = URL_SAFE_NO_PAD.encode(header);
    jws.push('.');
    URL_SAFE_NO_PAD.encode_string(payload, &mut jws);
    jws
}
