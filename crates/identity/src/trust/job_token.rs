//! A job's token: an OpenID Connect token whose claims say what runs where. Pure, and told the time.

use nt_token::check::LEEWAY;
use nt_token::jws::{Compact, Malformed};
use nt_token::key::NotOpened;
use nt_token::{KeySet, Timestamp};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::{ReadRule, TrustedJob};
use crate::id_token::{LONGEST, LONGEST_NAME, VerifiedIdentity, is_one_line};

/// Why no rule lets a token's holder in. The reason is for logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TrustRefused {
    /// Not a compact JWS as we demand it.
    #[error("job token is malformed: {0}")]
    Malformed(#[from] Malformed),
    /// A signed token of another kind.
    #[error("not a job's token, but another type of token")]
    Type,
    /// No rule names its issuer.
    #[error("no trust rule names the issuer")]
    Issuer,
    /// No key of the issuer's signed it.
    #[error("job token is not the issuer's: {0}")]
    NotOpened(#[from] NotOpened),
    /// The claims are not those of such a token.
    #[error("claims are not those of a job's token")]
    Claims,
    /// Issued or valid only in the future.
    #[error("job token is not valid yet")]
    NotYet,
    /// Expired.
    #[error("job token has expired")]
    Expired,
    /// Names nobody.
    #[error("job token has no usable subject")]
    Subject,
    /// No rule of the issuer names its audience.
    #[error("no trust rule of the issuer has this audience")]
    Audience,
    /// No rule matches its claims.
    #[error("no trust rule matches the claims")]
    NoRule,
}

/// What a token says of itself before anything is checked: where its keys are to be sought.
pub(super) struct Claimed {
    pub(super) iss: String,
    pub(super) kid: Option<String>,
}

pub(super) fn unverified(token: &str) -> Result<Claimed, TrustRefused> {
    #[derive(Deserialize)]
    struct Issuer {
        iss: String,
    }
    let jws = Compact::parse(token, LONGEST)?;
    let payload = jws.unverified_payload()?;
    let Issuer { iss } = serde_json::from_slice(&payload).map_err(|_| TrustRefused::Claims)?;
    Ok(Claimed { iss, kid: jws.header.kid })
}

/// The claims of a token that its issuer signed and that holds at this moment.
pub(super) struct JobClaims {
    all: Map<String, Value>,
    expires_at: Timestamp,
}

pub(super) fn checked(
    token: &str,
    keys: &KeySet,
    issuer: &str,
    now: Timestamp,
) -> Result<JobClaims, TrustRefused> {
    let jws = Compact::parse(token, LONGEST)?;
    if jws.header.typ.as_deref().is_some_and(|typ| typ != "JWT") {
        return Err(TrustRefused::Type);
    }
    let (_, payload) = keys.open(&jws)?;
    let Claims(all) = serde_json::from_slice(&payload).map_err(|_| TrustRefused::Claims)?;
    if all.get("iss").and_then(Value::as_str) != Some(issuer) {
        return Err(TrustRefused::Issuer);
    }
    let time = |name| all.get(name).map(seconds).transpose();
    let (exp, iat, nbf) = (time("exp")?, time("iat")?, time("nbf")?);
    let (exp, iat) = exp.zip(iat).ok_or(TrustRefused::Claims)?;
    if now >= exp.plus_seconds(LEEWAY) {
        return Err(TrustRefused::Expired);
    }
    if nbf.unwrap_or(iat).max(iat) > now.plus_seconds(LEEWAY) {
        return Err(TrustRefused::NotYet);
    }
    Ok(JobClaims { all, expires_at: exp })
}

/// RFC 7519, section 2; a fraction is cut off.
fn seconds(value: &Value) -> Result<Timestamp, TrustRefused> {
    crate::id_token::numeric_date(value).map_err(|_| TrustRefused::Claims)
}

impl JobClaims {
    /// The job, if one of the rules lets it in: the first that does.
    pub(super) fn admitted_by(&self, rules: &[ReadRule]) -> Result<TrustedJob, TrustRefused> {
        let text = |name| self.all.get(name).and_then(Value::as_str);
        let issuer = text("iss").ok_or(TrustRefused::Issuer)?;
        let sub = text("sub").ok_or(TrustRefused::Claims)?;
        let subject = format!("{issuer} {sub}");
        if sub.is_empty() || !is_one_line(&subject, 2 * LONGEST_NAME) {
            return Err(TrustRefused::Subject);
        }
        let of_issuer = || rules.iter().filter(|rule| rule.rule.issuer == issuer);
        let mut for_us = of_issuer().filter(|rule| self.is_for(&rule.rule.audience)).peekable();
        for_us.peek().ok_or(TrustRefused::Audience)?;
        let admits = |rule: &&ReadRule| {
            rule.claims.iter().all(|(claim, pattern)| {
                self.as_text(claim).is_some_and(|text| pattern.matches(&text))
            })
        };
        let rule = for_us.find(admits).ok_or(TrustRefused::NoRule)?;
        let identity = VerifiedIdentity {
            issuer: issuer.to_owned(),
            subject,
            email: None,
            name: Some(rule.rule.name.clone()),
        };
        let jti = text("jti").filter(|jti| is_one_line(jti, LONGEST_NAME)).map(str::to_owned);
        Ok(TrustedJob {
            rule: std::sync::Arc::clone(&rule.rule),
            identity,
            expires_at: self.expires_at,
            jti,
        })
    }

    /// Whether the token is for this audience and for nobody else.
    fn is_for(&self, audience: &str) -> bool {
        match self.all.get("aud") {
            Some(Value::String(one)) => one == audience,
            Some(Value::Array(several)) => {
                matches!(several.as_slice(), [Value::String(one)] if one == audience)
            }
            _ => false,
        }
    }

    /// A claim as patterns see it. A number with a fraction or an exponent has no one spelling.
    fn as_text(&self, claim: &str) -> Option<String> {
        match self.all.get(claim)? {
            Value::String(text) => Some(text.clone()),
            Value::Bool(flag) => Some(flag.to_string()),
            Value::Number(number) if !number.is_f64() => Some(number.to_string()),
            _ => None,
        }
    }
}

/// All claims; one given twice is refused.
struct Claims(Map<String, Value>);

impl<'de> Deserialize<'de> for Claims {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Map<String, Value>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("claims")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut all = Map::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if all.insert(name, value).is_some() {
                        return Err(A::Error::custom("duplicate claim"));
                    }
                }
                Ok(all)
            }
        }
        input.deserialize_map(Members).map(Self)
    }
}
