//! Checking a session token of Clerk's. Pure, and told the time.
//!
//! The rules are those of Clerk's own verifier, and in some places stricter: see
//! [`SessionTokenRefused`].

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nt_token::check::LEEWAY;
use nt_token::jws::{Compact, Malformed};
use nt_token::key::NotOpened;
use nt_token::{KeySet, Timestamp};
use serde::Deserialize;

use crate::id_token::{
    LONGEST, LONGEST_NAME, VerifiedIdentity, is_one_line, numeric_date, optional_numeric_date,
};
use crate::provider::{Identified, Organisation, ProviderSession};

/// The categories that Clerk marks its tokens with, in the header's `cat`: session tokens, and "pay
/// no attention". Tokens from before the categories have none.
const SESSION_CATEGORIES: [&str; 2] = ["cl_B7d4PD111AAA", "cl_I7d4PD111III"];

/// What a session token must say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedSession {
    /// The Frontend API, compared byte for byte.
    pub issuer: String,
    /// The origins that the token may have been made for; without any, it is not looked at.
    pub authorized_parties: Vec<String>,
}

/// Why a session token proves nothing. The reason is for logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SessionTokenRefused {
    /// Not a compact JWS as we demand it. Stricter than Clerk in the spelling.
    #[error("session token is malformed: {0}")]
    Malformed(#[from] Malformed),
    /// A signed token of another kind. Stricter than Clerk: tokens of templates are not accepted.
    #[error("not a session token, but another type of token")]
    Type,
    /// No key of the instance's signed it. Stricter than Clerk: RS384 and RS512 are not accepted.
    #[error("session token is not the instance's: {0}")]
    NotOpened(#[from] NotOpened),
    /// The claims are not those of a session token. Stricter than Clerk: none is given twice.
    #[error("claims are not those of a session token")]
    Claims,
    /// Issued by another instance.
    #[error("session token was issued by another instance")]
    Issuer,
    /// Meant for somebody in particular, as an ID token is. Stricter than Clerk, whose verifier does
    /// not tell the two apart.
    #[error("session token has an audience, as an ID token has")]
    Audience,
    /// Made for an origin that is not among the authorized parties.
    #[error("session token was made for another origin")]
    AuthorizedParty,
    /// Valid or issued only in the future.
    #[error("session token is not valid yet")]
    NotYet,
    /// Expired.
    #[error("session token has expired")]
    Expired,
    /// The session waits for the person to complete something: Clerk counts it as signed out.
    #[error("session is pending")]
    Pending,
    /// Names no session. Stricter than Clerk.
    #[error("session token names no session")]
    Session,
    /// Names nobody. Stricter than Clerk, which accepts an empty text.
    #[error("session token has no usable subject")]
    Subject,
}

/// Reads the session token, if it is a good one at this moment.
///
/// A session token's email address, where a customised one has any, is not taken over: nothing says
/// whether it is verified.
pub fn check(
    token: &str,
    keys: &KeySet,
    expected: &ExpectedSession,
    now: Timestamp,
) -> Result<Identified, SessionTokenRefused> {
    let jws = Compact::parse(token, LONGEST)?;
    if jws.header.typ.as_deref().is_some_and(|typ| typ != "JWT") || !is_of_a_session(token) {
        return Err(SessionTokenRefused::Type);
    }
    let (_, payload) = keys.open(&jws)?;
    let claims: Claims =
        serde_json::from_slice(&payload).map_err(|_| SessionTokenRefused::Claims)?;
    claims.are_expected(expected)?;
    claims.valid_at(now)?;
    claims.identified()
}

/// Whether the text can be a session's identifier, and can stand in a path.
pub(crate) fn is_session_id(sid: &str) -> bool {
    let harmless = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    (1..=128).contains(&sid.len()) && sid.bytes().all(harmless)
}

/// Whether the header's category is one of a session token's.
fn is_of_a_session(token: &str) -> bool {
    #[derive(Deserialize)]
    struct Header {
        cat: Option<String>,
    }
    let header = token.split('.').next().and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let header = header.and_then(|header| serde_json::from_slice::<Header>(&header).ok());
    let category = header.map(|header| header.cat);
    category.is_some_and(|cat| cat.is_none_or(|cat| SESSION_CATEGORIES.contains(&cat.as_str())))
}

/// The claims that we act on; a member given twice is refused, others are passed over.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    sid: Option<String>,
    aud: Option<serde::de::IgnoredAny>,
    azp: Option<String>,
    #[serde(deserialize_with = "numeric_date")]
    exp: Timestamp,
    #[serde(default, deserialize_with = "optional_numeric_date")]
    nbf: Option<Timestamp>,
    #[serde(default, deserialize_with = "optional_numeric_date")]
    iat: Option<Timestamp>,
    sts: Option<String>,
    v: Option<u32>,
    o: Option<ActiveOrganisation>,
    org_id: Option<String>,
    org_role: Option<String>,
}

/// The organisation as version 2 of the token writes it.
#[derive(Deserialize)]
struct ActiveOrganisation {
    id: String,
    rol: Option<String>,
}

impl Claims {
    fn are_expected(&self, expected: &ExpectedSession) -> Result<(), SessionTokenRefused> {
        if self.iss != expected.issuer {
            return Err(SessionTokenRefused::Issuer);
        }
        if self.aud.is_some() {
            return Err(SessionTokenRefused::Audience);
        }
        let parties = &expected.authorized_parties;
        // As in Clerk's verifier: with parties configured, a token without one is refused.
        let authorized = match self.azp.as_deref() {
            _ if parties.is_empty() => true,
            Some(azp) => parties.iter().any(|party| party == azp),
            None => false,
        };
        if !authorized {
            return Err(SessionTokenRefused::AuthorizedParty);
        }
        if self.sts.as_deref() == Some("pending") {
            return Err(SessionTokenRefused::Pending);
        }
        Ok(())
    }

    fn valid_at(&self, now: Timestamp) -> Result<(), SessionTokenRefused> {
        if now >= self.exp.plus_seconds(LEEWAY) {
            return Err(SessionTokenRefused::Expired);
        }
        let latest = now.plus_seconds(LEEWAY);
        if self.nbf.is_some_and(|nbf| nbf > latest) || self.iat.is_some_and(|iat| iat > latest) {
            return Err(SessionTokenRefused::NotYet);
        }
        Ok(())
    }

    fn identified(self) -> Result<Identified, SessionTokenRefused> {
        if !is_one_line(&self.sub, LONGEST_NAME) {
            return Err(SessionTokenRefused::Subject);
        }
        let organisation = match (self.v, self.o) {
            // The prefix is left out in this version.
            (Some(2), o) => o.map(|o| {
                let prefixed = |rol: String| {
                    if rol.starts_with("org:") { rol } else { format!("org:{rol}") }
                };
                Organisation { id: o.id, role: o.rol.map(prefixed) }
            }),
            _ => self.org_id.map(|id| Organisation { id, role: self.org_role }),
        };
        let presentable = organisation.as_ref().is_none_or(|Organisation { id, role }| {
            is_one_line(id, LONGEST_NAME)
                && role.as_deref().is_none_or(|role| is_one_line(role, LONGEST_NAME))
        });
        if !presentable {
            return Err(SessionTokenRefused::Claims);
        }
        let sid = self.sid.filter(|sid| is_session_id(sid)).ok_or(SessionTokenRefused::Session)?;
        let identity =
            VerifiedIdentity { issuer: self.iss, subject: self.sub, email: None, name: None };
        let session = Some(ProviderSession { sid, organisation });
        Ok(Identified { identity, session, expires_at: self.exp })
    }
}

#[cfg(test)]
mod tests;
