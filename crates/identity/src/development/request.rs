//! The authorization request (RFC 6749, section 4.1.1; OpenID Connect Core 1.0, section 3.1.2.1),
//! read strictly. Pure.

use super::{CLIENT_ID, OFFLINE_ACCESS, SCOPES};
use crate::form::{Parameters, with_query};
use crate::pkce::{self, Challenge};

/// Where the answer goes: a loopback address of this machine, any port (RFC 8252, section 7.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RedirectUri(String);

impl RedirectUri {
    /// Reads `http://127.0.0.1:<port>/callback` or the same with `[::1]`; nothing else, not even in
    /// another spelling, so that no two readers can understand it differently.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let authority = text.strip_prefix("http://")?.strip_suffix("/callback")?;
        let port = ["127.0.0.1", "[::1]"].iter().find_map(|host| authority.strip_prefix(host))?;
        (port.is_empty() || is_port(port.strip_prefix(':')?)).then(|| Self(text.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The host and port, to be shown.
    pub(super) fn authority(&self) -> &str {
        self.0.trim_start_matches("http://").trim_end_matches("/callback")
    }

    /// The origin as Content-Security-Policy can write it. It has no IPv6 addresses; all of `http`
    /// stands in for one.
    pub(super) fn csp_source(&self) -> String {
        let authority = self.authority();
        if authority.starts_with('[') { "http:".to_owned() } else { format!("http://{authority}") }
    }
}

fn is_port(text: &str) -> bool {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    digits && !text.starts_with('0') && text.parse::<u16>().is_ok()
}

/// The way back to the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WayBack {
    pub(super) redirect_uri: RedirectUri,
    pub(super) state: Option<String>,
}

impl WayBack {
    /// The redirect's target with these parameters, the state and the issuer (RFC 9207).
    pub(super) fn with(&self, issuer: &str, answer: &[(&str, &str)]) -> String {
        let mut all = answer.to_vec();
        all.extend(self.state.as_deref().map(|state| ("state", state)));
        all.push(("iss", issuer));
        with_query(self.redirect_uri.as_str(), &all)
    }
}

/// A request that can be granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AuthorizationRequest {
    pub(super) way_back: WayBack,
    pub(super) challenge: Challenge,
    /// The scopes that were asked for and that there are.
    pub(super) scope: String,
    pub(super) nonce: Option<String>,
    pub(super) login_hint: Option<String>,
    /// `prompt=none`: no page may be shown.
    pub(super) silent: bool,
}

/// Why a request cannot be granted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rejected {
    /// It is not known who would receive the answer: said on a page, never by redirect.
    Shown(String),
    /// Said to the client (RFC 6749, section 4.1.2.1).
    Redirected(WayBack, &'static str, &'static str),
}

impl AuthorizationRequest {
    /// Reads the query of a link or the body of the sign-in page's form.
    pub(super) fn read(text: &str) -> Result<(Self, Parameters), Rejected> {
        let shown = |what: &str| Rejected::Shown(what.to_owned());
        let parameters = Parameters::parse(text).map_err(|e| Rejected::Shown(e.to_string()))?;
        if parameters.value("client_id") != Some(CLIENT_ID) {
            return Err(shown("client_id is not that of a known client"));
        }
        let redirect_uri = parameters
            .value("redirect_uri")
            .and_then(RedirectUri::parse)
            .ok_or_else(|| shown("redirect_uri is not http://127.0.0.1:<port>/callback"))?;
        let way_back =
            WayBack { redirect_uri, state: parameters.value("state").map(str::to_owned) };
        match Self::answered_at(way_back.clone(), &parameters) {
            Ok(request) => Ok((request, parameters)),
            Err((error, why)) => Err(Rejected::Redirected(way_back, error, why)),
        }
    }

    fn answered_at(
        way_back: WayBack,
        parameters: &Parameters,
    ) -> Result<Self, (&'static str, &'static str)> {
        for (name, error) in [
            ("request", "request_not_supported"),
            ("request_uri", "request_uri_not_supported"),
            ("registration", "registration_not_supported"),
        ] {
            if parameters.value(name).is_some() {
                return Err((error, "not supported"));
            }
        }
        match parameters.value("response_type") {
            Some("code") => {}
            Some(_) => return Err(("unsupported_response_type", "response_type must be code")),
            None => return Err(("invalid_request", "response_type is missing")),
        }
        if parameters.value("response_mode").is_some_and(|mode| mode != "query") {
            return Err(("invalid_request", "response_mode must be query"));
        }
        // RFC 7636, section 4.3: a method that is left out means `plain`.
        if parameters.value("code_challenge_method") != Some(pkce::METHOD) {
            return Err(("invalid_request", "code_challenge_method must be S256"));
        }
        let challenge = parameters
            .value("code_challenge")
            .and_then(Challenge::parse)
            .ok_or(("invalid_request", "code_challenge is missing or not a SHA-256"))?;
        let asked: Vec<&str> = parameters.value("scope").unwrap_or_default().split(' ').collect();
        let known = SCOPES.into_iter().chain([OFFLINE_ACCESS]);
        let scope = known.filter(|scope| asked.contains(scope)).collect::<Vec<_>>();
        if !scope.contains(&"openid") {
            return Err(("invalid_scope", "scope must contain openid"));
        }
        Ok(Self {
            way_back,
            challenge,
            scope: scope.join(" "),
            nonce: parameters.value("nonce").map(str::to_owned),
            login_hint: parameters.value("login_hint").map(str::to_owned),
            silent: parameters.value("prompt") == Some("none"),
        })
    }

    /// The request as parameters, for the sign-in page to send back. The hint has had its effect.
    pub(super) fn parameters(&self) -> Vec<(&'static str, &str)> {
        let mut all = vec![
            ("response_type", "code"),
            ("client_id", CLIENT_ID),
            ("redirect_uri", self.way_back.redirect_uri.as_str()),
            ("scope", &self.scope),
            ("code_challenge", self.challenge.as_str()),
            ("code_challenge_method", pkce::METHOD),
        ];
        all.extend(self.way_back.state.as_deref().map(|state| ("state", state)));
        all.extend(self.nonce.as_deref().map(|nonce| ("nonce", nonce)));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn good() -> Vec<(&'static str, &'static str)> {
        vec![
            ("response_type", "code"),
            ("client_id", "ntcli"),
            ("redirect_uri", "http://127.0.0.1:41247/callback"),
            ("scope", "openid email phone offline_access"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("state", "a b&c"),
            ("nonce", "n"),
        ]
    }

    fn read(parameters: &[(&str, &str)]) -> Result<AuthorizationRequest, Rejected> {
        let url = with_query("", parameters);
        AuthorizationRequest::read(&url[1..]).map(|(request, _)| request)
    }

    /// The good request with one parameter put in another's place; an empty one is as left out.
    fn with(name: &'static str, value: &'static str) -> Vec<(&'static str, &'static str)> {
        let mut parameters = good();
        parameters.retain(|(each, _)| *each != name);
        parameters.push((name, value));
        parameters
    }

    #[test]
    fn a_good_request_is_read_and_comes_back_from_the_page_as_it_was() {
        let request = read(&good()).expect("all is well");
        assert_eq!(request.scope, "openid email offline_access");
        assert_eq!(request.way_back.state.as_deref(), Some("a b&c"));
        assert_eq!(read(&request.parameters()), Ok(request));
    }

    #[test]
    fn an_answer_never_goes_to_a_foreign_address() {
        for uri in [
            "",
            "http://127.0.0.1:41247/",
            "http://127.0.0.1:41247/callback/",
            "http://127.0.0.1:41247/callback?x=1",
            "http://127.0.0.1:41247/callback#x",
            "https://127.0.0.1:41247/callback",
            "http://localhost:41247/callback",
            "http://127.0.0.1.example.com/callback",
            "http://127.0.0.1:1@example.com/callback",
            "http://127.0.0.1@example.com/callback",
            "http://127.0.0.1:41247/x/../callback",
            "http://127.0.0.1:/callback",
            "http://127.0.0.1:0/callback",
            "http://127.0.0.1:65536/callback",
            "http://127.0.0.1:+80/callback",
            "http://127.1:80/callback",
            "HTTP://127.0.0.1:80/callback",
            "http://[::1/callback",
            "http://example.com/callback",
            "javascript:alert(1)//callback",
        ] {
            let rejected = read(&with("redirect_uri", uri)).err();
            assert!(matches!(rejected, Some(Rejected::Shown(_))), "{uri}: {rejected:?}");
        }
        for uri in ["http://127.0.0.1:1/callback", "http://[::1]:65535/callback"] {
            assert!(read(&with("redirect_uri", uri)).is_ok(), "{uri}");
        }
    }

    #[test]
    fn an_unknown_client_and_a_repeated_parameter_are_never_answered_by_redirect() {
        let mut twice = good();
        twice.push(("state", "again"));
        for parameters in [with("client_id", "other"), with("client_id", ""), twice] {
            assert!(matches!(read(&parameters).err(), Some(Rejected::Shown(_))));
        }
    }

    #[test]
    fn other_errors_go_back_to_the_client_with_its_state() {
        for (name, value, error) in [
            ("response_type", "", "invalid_request"),
            ("response_type", "token", "unsupported_response_type"),
            ("response_mode", "form_post", "invalid_request"),
            ("code_challenge", "", "invalid_request"),
            ("code_challenge", "short", "invalid_request"),
            ("code_challenge_method", "", "invalid_request"),
            ("code_challenge_method", "plain", "invalid_request"),
            ("scope", "", "invalid_scope"),
            ("scope", "email", "invalid_scope"),
            ("request", "x", "request_not_supported"),
            ("request_uri", "https://example.com", "request_uri_not_supported"),
        ] {
            let Some(Rejected::Redirected(way_back, actual, why)) = read(&with(name, value)).err()
            else {
                panic!("{name}={value} was not redirected");
            };
            assert_eq!(actual, error, "{name}={value}");
            let url = way_back.with("http://127.0.0.1:8480/dev", &[("error", actual)]);
            assert!(url.starts_with("http://127.0.0.1:41247/callback?error="), "{url}");
            assert!(
                url.contains("&state=a+b%26c&iss=http%3A%2F%2F127.0.0.1%3A8480%2Fdev"),
                "{url}"
            );
            assert!(!why.is_empty());
        }
    }
}
