//! How a Token Status List is written.
//!
//! ```text
//! places ──1 bit each, the lowest of a byte first──▶ bytes ──zlib──▶ lst
//!
//! JWT   {typ: statuslist+jwt, alg, kid} . {iss, sub, iat, exp, ttl, status_list: {bits: 1, lst, aggregation_uri}}
//! ```

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use nt_api::path;
use nt_token::sign::sign_jws;
use nt_token::{SigningKey, Timestamp};
use serde::Serialize;

use crate::authority::limits;
use crate::published::Published;

/// What is stated of a list, but for its places.
pub(super) struct Statement {
    /// Who states it.
    pub(super) issuer: String,
    /// Of which list.
    pub(super) list: u32,
    /// When.
    pub(super) iat: Timestamp,
}

/// In which form a list is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `application/statuslist+jwt`.
    Jwt,
}

/// A list, signed.
#[derive(Debug)]
pub struct SignedList {
    jwt: Published,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    iat: i64,
    exp: i64,
    ttl: i64,
    status_list: StatusList<'a>,
}

#[derive(Serialize)]
struct StatusList<'a> {
    bits: u8,
    lst: String,
    aggregation_uri: &'a str,
}

impl SignedList {
    pub(super) fn new(of: &Statement, bits: &[u8], key: &SigningKey) -> Self {
        let (iss, iat) = (of.issuer.as_str(), of.iat.unix());
        let (sub, all) = (path::status_list(iss, of.list), format!("{iss}{}", path::STATUS_LISTS));
        let exp = iat.saturating_add(limits::STATUS_LIST_EXPIRES);
        let lst = URL_SAFE_NO_PAD.encode(compressed(bits));
        let status_list = StatusList { bits: 1, lst, aggregation_uri: &all };
        let claims = Claims { iss, sub: &sub, iat, exp, ttl: limits::STATUS_LIST_TTL, status_list };
        Self { jwt: Published::new(sign_jws("statuslist+jwt", &claims, key).into()) }
    }

    /// The list in this form.
    pub fn published(&self, form: Form) -> &Published {
        match form {
            Form::Jwt => &self.jwt,
        }
    }
}

fn compressed(bits: &[u8]) -> Vec<u8> {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
    zlib.write_all(bits).and_then(|()| zlib.finish()).expect("a vector takes every byte")
}
