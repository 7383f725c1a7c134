//! How a Token Status List is written.
//!
//! ```text
//! places ──1 bit each, the lowest of a byte first──▶ bytes ──zlib──▶ lst
//!
//! JWT   {typ: statuslist+jwt, alg, kid} . {iss, sub, iat, exp, ttl, status_list}
//!       status_list: {bits: 1, lst, aggregation_uri}, where lst is base64url
//! CWT   18([<<{1: alg, 16: "application/statuslist+cwt"}>>, {4: kid}, <<claims>>, signature])
//!       claims: {1: iss, 2: sub, 4: exp, 6: iat, 65533: status_list, 65534: ttl}, where lst is bytes
//! ```

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use nt_api::path;
use nt_token::key::Algorithm;
use nt_token::sign::{sign_bytes, sign_jws};
use nt_token::{SigningKey, Timestamp};
use serde::Serialize;

use crate::authority::limits;
use crate::authority::status_lists::cbor::Cbor;
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
    /// `application/statuslist+cwt`.
    Cwt,
}

/// A list, signed.
#[derive(Debug)]
pub struct SignedList {
    jwt: Published,
    cwt: Published,
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
        let (ttl, lst) = (limits::STATUS_LIST_TTL, compressed(bits));
        let cwt = cwt(
            &Cbor::map([
                (Cbor::Int(1), Cbor::text(iss)),
                (Cbor::Int(2), Cbor::text(&sub)),
                (Cbor::Int(4), Cbor::Int(exp)),
                (Cbor::Int(6), Cbor::Int(iat)),
                (
                    Cbor::Int(65_533),
                    Cbor::map([
                        (Cbor::text("bits"), Cbor::Int(1)),
                        (Cbor::text("lst"), Cbor::bytes(&lst)),
                        (Cbor::text("aggregation_uri"), Cbor::text(&all)),
                    ]),
                ),
                (Cbor::Int(65_534), Cbor::Int(ttl)),
            ]),
            key,
        );
        let lst = URL_SAFE_NO_PAD.encode(&lst);
        let status_list = StatusList { bits: 1, lst, aggregation_uri: &all };
        let claims = Claims { iss, sub: &sub, iat, exp, ttl, status_list };
        let jwt = sign_jws("statuslist+jwt", &claims, key);
        Self { jwt: Published::new(jwt.into()), cwt: Published::new(cwt.into()) }
    }

    /// The list in this form.
    pub fn published(&self, form: Form) -> &Published {
        match form {
            Form::Jwt => &self.jwt,
            Form::Cwt => &self.cwt,
        }
    }
}

/// Claims, signed as RFC 9052, section 4.4 says and tagged as COSE_Sign1. What is signed begins with an
/// array's head, and so is no JWS.
fn cwt(claims: &Cbor, key: &SigningKey) -> Vec<u8> {
    // RFC 9053, section 2, and RFC 8812, section 2.
    let algorithm = match key.algorithm() {
        Algorithm::EdDsa => -8,
        Algorithm::Es256 => -7,
        Algorithm::Rs256 => -257,
    };
    let media = Cbor::text("application/statuslist+cwt");
    let protected = Cbor::map([(Cbor::Int(1), Cbor::Int(algorithm)), (Cbor::Int(16), media)]);
    let (protected, payload) = (Cbor::Bytes(protected.encoded()), Cbor::Bytes(claims.encoded()));
    let (context, nothing) = (Cbor::text("Signature1"), Cbor::bytes(b""));
    let signed = Cbor::Array(vec![context, protected.clone(), nothing, payload.clone()]);
    let signature = Cbor::Bytes(sign_bytes(&signed.encoded(), key));
    let kid = Cbor::bytes(key.kid().as_str().as_bytes());
    let unprotected = Cbor::map([(Cbor::Int(4), kid)]);
    let message = Cbor::Array(vec![protected, unprotected, payload, signature]);
    Cbor::Tagged(18, message.into()).encoded()
}

fn compressed(bits: &[u8]) -> Vec<u8> {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
    zlib.write_all(bits).and_then(|()| zlib.finish()).expect("a vector takes every byte")
}
