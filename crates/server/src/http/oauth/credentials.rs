//! How a caller proves who it is: as a client by `client_secret_basic` or `client_secret_post` (RFC 6749,
//! section 2.3.1), or as an operator by a session (RFC 6750).

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nt_token::Secret;
use percent_encoding::percent_decode_str;

use super::Fields;
use crate::authority::oauth::Presented;
use crate::http::oauth::error::OAuthFailure;

/// What the caller presents. One way only: of two it would be unclear whose request it is.
pub fn presented(headers: &HeaderMap, fields: &Fields) -> Result<Presented, OAuthFailure> {
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    let (line, another) = (lines.next(), lines.next());
    let (id, secret) = (fields.get("client_id"), fields.get("client_secret"));
    if another.is_some() || (line.is_some() && secret.is_some()) {
        return Err(OAuthFailure::invalid("More than one credential was sent"));
    }
    let Some(line) = line else {
        let (Some(id), Some(secret)) = (id, secret) else {
            return Err(OAuthFailure::no_client());
        };
        return Ok(Presented::Client { id: id.to_owned(), secret: secret.to_owned().into() });
    };
    let (scheme, credential) =
        line.to_str().ok().and_then(|line| line.split_once(' ')).unwrap_or_default();
    let credential = credential.trim_matches(' ');
    if scheme.eq_ignore_ascii_case("bearer") && !credential.is_empty() {
        return Ok(Presented::Session(Secret::from(credential.to_owned())));
    }
    let basic = scheme.eq_ignore_ascii_case("basic").then(|| basic(credential)).flatten();
    let (basic_id, secret) = basic.ok_or(OAuthFailure::bad_client())?;
    // Some clients name themselves in the form as well.
    if id.is_some_and(|id| id != basic_id) {
        return Err(OAuthFailure::invalid("Two clients are named"));
    }
    Ok(Presented::Client { id: basic_id, secret: secret.into() })
}

/// The name and the secret of `Authorization: Basic`, each encoded as in a form before they were joined.
fn basic(credential: &str) -> Option<(String, String)> {
    let joined = String::from_utf8(STANDARD.decode(credential).ok()?).ok()?;
    let (id, secret) = joined.split_once(':')?;
    Some((decoded(id)?, decoded(secret)?))
}

fn decoded(encoded: &str) -> Option<String> {
    let text = encoded.replace('+', " ");
    Some(percent_decode_str(&text).decode_utf8().ok()?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "ntc_a-b_c";

    fn ask(lines: &[&str], fields: &[(&str, &str)]) -> Result<Presented, OAuthFailure> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(AUTHORIZATION, line.parse().expect("a header value"));
        }
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        presented(&headers, &Fields(fields.iter().map(owned).collect()))
    }

    fn basic_of(text: &str) -> String {
        format!("Basic {}", STANDARD.encode(text))
    }

    fn is_client(found: Result<Presented, OAuthFailure>) -> bool {
        matches!(found, Ok(Presented::Client { id, secret })
            if id == "billing" && secret.expose() == SECRET)
    }

    #[test]
    fn a_client_is_taken_from_the_header_encoded_or_not_or_from_the_form() {
        for text in ["billing:ntc_a-b_c", "b%69lling:ntc%5Fa%2Db%5fc"] {
            assert!(is_client(ask(&[&basic_of(text)], &[])), "{text}");
        }
        let lower = basic_of("billing:ntc_a-b_c").replacen("Basic", "bAsIc", 1);
        assert!(is_client(ask(&[&lower], &[("client_id", "billing")])));
        assert!(is_client(ask(&[], &[("client_id", "billing"), ("client_secret", SECRET)])));
    }

    #[test]
    fn a_session_is_taken_from_the_header_alone() {
        let found = ask(&["Bearer nts_1"], &[("access_token", "nts_2")]);
        assert!(matches!(found, Ok(Presented::Session(session)) if session.expose() == "nts_1"));
        assert_eq!(ask(&[], &[("access_token", "nts_2")]).err(), Some(OAuthFailure::no_client()));
    }

    #[test]
    fn two_credentials_are_none() {
        let basic = basic_of("billing:ntc_a-b_c");
        let secret = [("client_id", "billing"), ("client_secret", SECRET)];
        for (lines, fields) in [
            ([basic.as_str()].as_slice(), secret.as_slice()),
            (&["Bearer nts_1"], &secret),
            (&[&basic, &basic], &[]),
            (&[&basic, "Bearer nts_1"], &[]),
            (&[&basic], &[("client_id", "another")]),
        ] {
            let refused = ask(lines, fields).err().map(|failure| failure.status());
            assert_eq!(refused, Some(axum::http::StatusCode::BAD_REQUEST), "{lines:?}");
        }
    }

    #[test]
    fn what_is_no_credential_is_refused_as_a_wrong_one() {
        let no_utf8 = format!("Basic {}", STANDARD.encode([0xff, b':', 0xff]));
        for line in
            ["Basic", "Basic ", "Basic !!!", "Digest abc", "Bearer ", &basic_of("none"), &no_utf8]
        {
            assert_eq!(ask(&[line], &[]).err(), Some(OAuthFailure::bad_client()), "{line}");
        }
        for fields in [[].as_slice(), &[("client_id", "billing")], &[("client_secret", SECRET)]] {
            assert_eq!(ask(&[], fields).err(), Some(OAuthFailure::no_client()), "{fields:?}");
        }
    }
}
