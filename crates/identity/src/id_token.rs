//! Checking an ID token (OpenID Connect Core 1.0, section 3.1.3.7). Pure, and told the time.
//!
//! Where the keys come from and what a signed-in person may do are other people's business.

use nt_token::check::LEEWAY;
use nt_token::jws::{Compact, Malformed};
use nt_token::key::NotOpened;
use nt_token::{KeySet, Timestamp};
use serde::{Deserialize, Deserializer};

use crate::text::misleads;

/// The longest ID token that is looked at, in bytes.
pub const LONGEST: usize = 16 * 1_024;

/// How long ago an ID token may have been issued, in seconds: it answers a login of just now.
pub const OLDEST: i64 = 600;

/// The longest email address (RFC 5321, section 4.5.3.1.3, less its brackets).
const LONGEST_EMAIL: usize = 254;

/// The longest subject (OpenID Connect Core 1.0, section 2), and name, in bytes.
pub(crate) const LONGEST_NAME: usize = 255;

/// Somebody whom the identity provider vouches for. Only [`check`] should make one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedIdentity {
    /// The provider.
    pub issuer: String,
    /// The provider's lasting name for the person; unique together with the issuer.
    pub subject: String,
    /// An email address, unless the provider says that it is not verified.
    pub email: Option<String>,
    /// What the person is called.
    pub name: Option<String>,
}

/// The login that an ID token must answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedLogin {
    /// The provider, compared byte for byte.
    pub issuer: String,
    /// The client that asked.
    pub client_id: String,
    /// The nonce of the authorization request, where there was one.
    pub nonce: Option<String>,
}

/// Why an ID token proves nothing. The reason is for logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdTokenRefused {
    /// Not a compact JWS as we demand it.
    #[error("ID token is malformed: {0}")]
    Malformed(#[from] Malformed),
    /// A signed token of another kind.
    #[error("not an ID token, but another type of token")]
    Type,
    /// No key of the provider's signed it.
    #[error("ID token is not the provider's: {0}")]
    NotOpened(#[from] NotOpened),
    /// The claims are not those of an ID token.
    #[error("claims are not those of an ID token")]
    Claims,
    /// Issued by another provider.
    #[error("ID token was issued by another provider")]
    Issuer,
    /// Meant for another client.
    #[error("ID token is meant for another client")]
    Audience,
    /// Given to another client.
    #[error("ID token was given to another client")]
    AuthorizedParty,
    /// Issued or valid only in the future.
    #[error("ID token is not valid yet")]
    NotYet,
    /// Expired.
    #[error("ID token has expired")]
    Expired,
    /// Issued too long ago to answer a login of just now.
    #[error("ID token was issued too long ago")]
    TooOld,
    /// The answer to another authorization request.
    #[error("ID token does not carry the nonce of this login")]
    Nonce,
    /// Names nobody.
    #[error("ID token has no usable subject")]
    Subject,
}

/// What a good ID token proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// Who signed in.
    pub identity: VerifiedIdentity,
    /// The provider's session, where the token names one.
    pub sid: Option<String>,
    /// The nonce of the authorization request, where the token carries one.
    pub nonce: Option<String>,
    /// When the token expires.
    pub expires_at: Timestamp,
}

/// Reads the ID token, if it is a good answer to this login at this moment.
pub fn check(
    token: &str,
    keys: &KeySet,
    expected: &ExpectedLogin,
    now: Timestamp,
) -> Result<VerifiedIdentity, IdTokenRefused> {
    prove(token, keys, expected, now).map(|proof| proof.identity)
}

/// Like [`check`], with all that the token proves.
pub fn prove(
    token: &str,
    keys: &KeySet,
    expected: &ExpectedLogin,
    now: Timestamp,
) -> Result<Proof, IdTokenRefused> {
    let jws = Compact::parse(token, LONGEST)?;
    // RFC 8725, section 3.11: a workspace token, signed by whatever key, is never an ID token.
    if jws.header.typ.as_deref().is_some_and(|typ| typ != "JWT") {
        return Err(IdTokenRefused::Type);
    }
    let (_, payload) = keys.open(&jws)?;
    let claims: Claims = serde_json::from_slice(&payload).map_err(|_| IdTokenRefused::Claims)?;
    claims.answers(expected)?;
    claims.valid_at(now)?;
    let expires_at = claims.exp;
    let sid = claims.sid.filter(|sid| is_one_line(sid, LONGEST_NAME));
    let Claims { sub, nonce, email, email_verified, name, .. } = claims;
    let person = Person { sub, email, email_verified, name };
    let identity = person.identity(claims.iss).ok_or(IdTokenRefused::Subject)?;
    Ok(Proof { identity, sid, nonce, expires_at })
}

/// The claims that we act on; a member given twice is refused, others are passed over.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    azp: Option<String>,
    #[serde(deserialize_with = "numeric_date")]
    exp: Timestamp,
    #[serde(deserialize_with = "numeric_date")]
    iat: Timestamp,
    #[serde(default, deserialize_with = "optional_numeric_date")]
    nbf: Option<Timestamp>,
    nonce: Option<String>,
    sid: Option<String>,
    email: Option<String>,
    email_verified: Option<Verified>,
    name: Option<String>,
}

/// What a provider says about a person: in an ID token, and at its userinfo endpoint.
#[derive(Deserialize)]
pub(crate) struct Person {
    sub: String,
    email: Option<String>,
    email_verified: Option<Verified>,
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// A boolean, which some providers write as a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Verified {
    Flag(bool),
    Text(String),
}

impl Claims {
    fn answers(&self, expected: &ExpectedLogin) -> Result<(), IdTokenRefused> {
        if self.iss != expected.issuer {
            return Err(IdTokenRefused::Issuer);
        }
        let audience = match &self.aud {
            Audience::One(one) => std::slice::from_ref(one),
            Audience::Several(several) => several,
        };
        if !audience.contains(&expected.client_id) {
            return Err(IdTokenRefused::Audience);
        }
        let authorized = match &self.azp {
            Some(azp) => *azp == expected.client_id,
            None => audience.len() == 1,
        };
        if !authorized {
            return Err(IdTokenRefused::AuthorizedParty);
        }
        if expected.nonce.is_some() && self.nonce != expected.nonce {
            return Err(IdTokenRefused::Nonce);
        }
        Ok(())
    }

    fn valid_at(&self, now: Timestamp) -> Result<(), IdTokenRefused> {
        if now >= self.exp.plus_seconds(LEEWAY) {
            return Err(IdTokenRefused::Expired);
        }
        let begins = self.nbf.unwrap_or(self.iat).max(self.iat);
        if begins > now.plus_seconds(LEEWAY) {
            return Err(IdTokenRefused::NotYet);
        }
        if now > self.iat.plus_seconds(OLDEST + LEEWAY) {
            return Err(IdTokenRefused::TooOld);
        }
        Ok(())
    }
}

impl Person {
    /// Who this is at the issuer, if it is somebody. What cannot be believed or shown is left out.
    pub(crate) fn identity(self, issuer: String) -> Option<VerifiedIdentity> {
        if !is_one_line(&self.sub, LONGEST_NAME) {
            return None;
        }
        let verified = match self.email_verified {
            None => true,
            Some(Verified::Flag(flag)) => flag,
            Some(Verified::Text(text)) => text == "true",
        };
        Some(VerifiedIdentity {
            issuer,
            subject: self.sub,
            email: self.email.filter(|email| verified && is_plausible_email(email)),
            name: self.name.filter(|name| is_one_line(name, LONGEST_NAME)),
        })
    }
}

/// RFC 7519, section 2: seconds since the epoch, which may have a fraction. It is cut off.
pub(crate) fn numeric_date<'de, D: Deserializer<'de>>(input: D) -> Result<Timestamp, D::Error> {
    let number = serde_json::Number::deserialize(input)?;
    let seconds = number.as_i64().or_else(|| number.as_f64().and_then(whole_seconds));
    let out_of_range = || serde::de::Error::custom("time is out of range");
    Ok(Timestamp::from_unix(seconds.ok_or_else(out_of_range)?))
}

pub(crate) fn optional_numeric_date<'de, D: Deserializer<'de>>(
    input: D,
) -> Result<Option<Timestamp>, D::Error> {
    numeric_date(input).map(Some)
}

fn whole_seconds(seconds: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked on this line")]
    (0.0..1e15).contains(&seconds).then_some(seconds as i64)
}

fn is_plausible_email(email: &str) -> bool {
    let has_two_sides = email
        .rsplit_once('@')
        .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
    is_one_line(email, LONGEST_EMAIL) && has_two_sides && !email.contains(char::is_whitespace)
}

/// Whether a text can be shown on one line as what it is.
pub(crate) fn is_one_line(text: &str, longest: usize) -> bool {
    !text.is_empty() && text.len() <= longest && !text.contains(misleads)
}

#[cfg(test)]
mod tests;
