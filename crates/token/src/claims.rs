//! What a workspace token says (RFC 7519, RFC 9068), read strictly.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::{Jti, OperatorId, WorkspaceId};
use crate::jws::Name;
use crate::network::Networks;
use crate::scope::Scopes;
use crate::time::Timestamp;

/// A token's place in the revocation set, which is also its place in a Token Status List.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Which list; lists hold tokens that expire at about the same time.
    pub list: u32,
    /// Which bit of the list, below 2²⁰; drawn at random, so that neighbours tell nothing.
    pub idx: u32,
}

impl Place {
    /// A list has at most this many places.
    pub const LIST_MAX: u32 = 1 << 20;
}

/// The claims of a workspace token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// Who issued it: the authority's URL.
    pub iss: String,
    /// Whom it is for.
    pub aud: String,
    /// Which workspace it refers to.
    pub sub: WorkspaceId,
    /// The token's own identifier.
    pub jti: Jti,
    /// When it was issued.
    pub iat: Timestamp,
    /// When it ends. A token without expiry carries the policy's maximum here.
    pub exp: Timestamp,
    /// What it may be used for.
    pub scope: Scopes,
    /// From where it may be used; a claim of ours, left out where it may be from anywhere.
    pub source_networks: Networks,
    /// Who had it issued: the operator, in the place that RFC 9068 has for the client.
    pub client_id: OperatorId,
    /// The head of the authority's log when the token was issued: a revocation of a whole scope
    /// kills it exactly if it came later in the log.
    pub rv: u64,
    /// Where the token's own revocation is looked up.
    pub place: Place,
}

/// The `status` claim of the Token Status List: `{"status_list":{"idx":…,"uri":…}}`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Status<'a> {
    #[serde(borrow)]
    status_list: StatusList<'a>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StatusList<'a> {
    idx: u32,
    #[serde(borrow)]
    uri: Cow<'a, str>,
}

const LISTS_PATH: &str = "/v1/status-lists/";

impl Serialize for Claims {
    fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
        let uri = format!("{}{LISTS_PATH}{}", self.iss, self.place.list);
        let status_list = StatusList { idx: self.place.idx, uri: uri.into() };
        let mut map = output.serialize_map(None)?;
        map.serialize_entry("iss", &self.iss)?;
        map.serialize_entry("aud", &self.aud)?;
        map.serialize_entry("sub", &self.sub)?;
        map.serialize_entry("jti", &self.jti)?;
        map.serialize_entry("iat", &self.iat)?;
        map.serialize_entry("exp", &self.exp)?;
        map.serialize_entry("scope", &self.scope.to_string())?;
        if !self.source_networks.is_empty() {
            map.serialize_entry("source_networks", &self.source_networks)?;
        }
        map.serialize_entry("client_id", &self.client_id)?;
        map.serialize_entry("rv", &self.rv)?;
        map.serialize_entry("status", &Status { status_list })?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Claims {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_map(ClaimsVisitor)
    }
}

struct ClaimsVisitor;

impl<'de> Visitor<'de> for ClaimsVisitor {
    type Value = Claims;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the claims of a workspace token")
    }

    /// Every claim of ours once and of its exact type; claims that we do not know are passed over,
    /// so that a later version may add one, but no name may stand twice.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Claims, A::Error> {
        let (mut iss, mut aud, mut sub, mut jti) = (None::<String>, None, None, None);
        let (mut iat, mut exp, mut scope, mut client_id) =
            (None, None, None::<Cow<'de, str>>, None);
        let (mut rv, mut status, mut source_networks) = (None, None::<Status<'de>>, None);
        let mut seen: Vec<Cow<'de, str>> = Vec::with_capacity(10);
        while let Some(Name(name)) = map.next_key()? {
            if seen.contains(&name) {
                return Err(A::Error::custom("a claim stands twice"));
            }
            match name.as_ref() {
                "iss" => iss = Some(map.next_value()?),
                "aud" => aud = Some(map.next_value()?),
                "sub" => sub = Some(map.next_value()?),
                "jti" => jti = Some(map.next_value()?),
                "iat" => iat = Some(map.next_value()?),
                "exp" => exp = Some(map.next_value()?),
                "scope" => scope = Some(map.next_value::<Name<'de>>()?.0),
                "source_networks" => source_networks = Some(map.next_value()?),
                "client_id" => client_id = Some(map.next_value()?),
                "rv" => rv = Some(map.next_value()?),
                "status" => status = Some(map.next_value()?),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            seen.push(name);
        }
        let missing = A::Error::missing_field;
        let iss = iss.ok_or_else(|| missing("iss"))?;
        let StatusList { idx, uri } = status.ok_or_else(|| missing("status"))?.status_list;
        let place = place(&iss, &uri, idx).ok_or_else(|| A::Error::custom("not a place"))?;
        let scope = scope.ok_or_else(|| missing("scope"))?;
        Ok(Claims {
            aud: aud.ok_or_else(|| missing("aud"))?,
            sub: sub.ok_or_else(|| missing("sub"))?,
            jti: jti.ok_or_else(|| missing("jti"))?,
            iat: iat.ok_or_else(|| missing("iat"))?,
            exp: exp.ok_or_else(|| missing("exp"))?,
            scope: scope.parse().map_err(A::Error::custom)?,
            source_networks: source_networks.unwrap_or_default(),
            client_id: client_id.ok_or_else(|| missing("client_id"))?,
            rv: rv.ok_or_else(|| missing("rv"))?,
            place,
            iss,
        })
    }
}

/// The place that a status claim names, if it is one of this issuer's lists.
fn place(iss: &str, uri: &str, idx: u32) -> Option<Place> {
    let number = uri.strip_prefix(iss)?.strip_prefix(LISTS_PATH)?;
    let canonical = number.bytes().all(|b| b.is_ascii_digit()) && !number.starts_with('0');
    let list = if canonical || number == "0" { number.parse().ok()? } else { return None };
    (idx < Place::LIST_MAX).then_some(Place { list, idx })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn example() -> Claims {
        Claims {
            iss: "http://127.0.0.1:8480".to_owned(),
            aud: "http://127.0.0.1:8480".to_owned(),
            sub: WorkspaceId::mint([1; 16]),
            jti: Jti::mint(1_723_000_000_000, [2; 10]),
            iat: Timestamp::from_unix(1_723_000_000),
            exp: Timestamp::from_unix(1_754_536_000),
            scope: Scopes::default(),
            source_networks: Networks::default(),
            client_id: OperatorId::mint(1_722_000_000_000, [3; 10]),
            rv: 7,
            place: Place { list: 3, idx: 1_048_575 },
        }
    }

    fn json() -> serde_json::Value {
        serde_json::to_value(example()).expect("claims serialise")
    }

    #[test]
    fn claims_read_back_as_written() {
        let text = serde_json::to_string(&example()).expect("claims serialise");
        assert_eq!(serde_json::from_str::<Claims>(&text).expect("our own"), example());
        assert_eq!(
            json()["status"]["status_list"]["uri"],
            "http://127.0.0.1:8480/v1/status-lists/3"
        );
    }

    #[test]
    fn a_claim_that_is_missing_or_of_another_type_is_refused() {
        let names =
            ["iss", "aud", "sub", "jti", "iat", "exp", "scope", "client_id", "rv", "status"];
        for name in names {
            let mut missing = json();
            missing.as_object_mut().expect("an object").remove(name);
            assert!(serde_json::from_value::<Claims>(missing).is_err(), "{name} missing");
            let wrong = [serde_json::json!(null), serde_json::json!([1]), serde_json::json!(1.5)];
            for value in wrong {
                let mut other = json();
                other[name] = value;
                assert!(serde_json::from_str::<Claims>(&other.to_string()).is_err(), "{name}");
            }
        }
        let mut text_time = json();
        text_time["exp"] = "1754536000".into();
        assert!(serde_json::from_str::<Claims>(&text_time.to_string()).is_err());
    }

    #[test]
    fn a_claim_that_stands_twice_is_refused_known_or_not() {
        let text = json().to_string();
        for extra in [r#","exp":9999999999}"#, r#","\u0065xp":9999999999}"#, r#","x":1,"x":1}"#] {
            let twice = format!("{}{extra}", text.strip_suffix('}').expect("an object"));
            assert!(serde_json::from_str::<Claims>(&twice).is_err(), "{extra}");
        }
        let once = format!("{},\"x\":1}}", text.strip_suffix('}').expect("an object"));
        assert!(serde_json::from_str::<Claims>(&once).is_ok(), "an unknown claim is passed over");
    }

    #[test]
    fn networks_are_said_only_where_there_are_some_and_read_strictly() {
        assert!(json().get("source_networks").is_none());
        let network = "192.0.2.0/24".parse().expect("a network");
        let source_networks = Networks::new([network]).expect("one");
        let bound = Claims { source_networks, ..example() };
        let text = serde_json::to_string(&bound).expect("claims serialise");
        assert!(text.contains(r#""source_networks":["192.0.2.0/24"]"#), "{text}");
        assert_eq!(serde_json::from_str::<Claims>(&text).expect("our own"), bound);
        for wrong in [r#""192.0.2.0/24""#, "null", r#"["192.0.2.1/24"]"#, r#"["elsewhere"]"#] {
            let other = text.replace(r#"["192.0.2.0/24"]"#, wrong);
            assert!(serde_json::from_str::<Claims>(&other).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_place_that_is_not_ours_is_refused() {
        for (uri, idx) in [
            ("http://127.0.0.1:8480/v1/status-lists/03", 1_u64),
            ("http://127.0.0.1:8480/v1/status-lists/", 1),
            ("http://127.0.0.1:8480/v1/status-lists/-1", 1),
            ("http://127.0.0.1:8480/v1/status-lists/4294967296", 1),
            ("http://elsewhere.example/v1/status-lists/3", 1),
            ("http://127.0.0.1:8480/v1/status-lists/3", 1 << 20),
        ] {
            let mut other = json();
            other["status"]["status_list"] = serde_json::json!({"idx": idx, "uri": uri});
            assert!(serde_json::from_str::<Claims>(&other.to_string()).is_err(), "{uri} {idx}");
        }
    }
}
