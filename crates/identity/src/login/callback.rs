//! Reading the authorization response (RFC 6749, sections 4.1.2 and 4.1.2.1). Pure.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use nt_token::Secret;

use crate::form::Parameters;
use crate::text::misleads;

/// Where the browser brings the response.
pub(super) const PATH: &str = "/callback";

/// The longest text of a provider's that is repeated, in characters.
const LONGEST_SHOWN: usize = 200;

/// What a response must carry to be the answer to our request.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    pub(super) state: String,
    pub(super) issuer: String,
    pub(super) names_itself: bool,
}

/// The answer to our request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// Somebody signed in.
    Code(Secret),
    /// The provider or the person said no.
    Refused { error: String, description: Option<String> },
    /// It knows our state, but comes from another provider (RFC 9207, section 2.4).
    WrongIssuer,
}

/// Why something is not the answer to our request. It is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotOurs {
    /// Not parameters, or some of them repeated.
    #[error("this is not the address that the browser was sent to")]
    Unreadable,
    /// Another state, or none.
    #[error("this belongs to another sign-in")]
    State,
    /// Neither a code nor an error.
    #[error("this has neither a code nor an error in it")]
    Empty,
}

impl Expected {
    /// Reads a redirect's query.
    pub(super) fn read(&self, query: &str) -> Result<Answer, NotOurs> {
        let parameters = Parameters::parse(query).map_err(|_| NotOurs::Unreadable)?;
        let state = parameters.value("state").unwrap_or_default();
        verify_slices_are_equal(state.as_bytes(), self.state.as_bytes())
            .map_err(|_| NotOurs::State)?;
        match parameters.value("iss") {
            Some(iss) if iss != self.issuer => return Ok(Answer::WrongIssuer),
            None if self.names_itself => return Ok(Answer::WrongIssuer),
            _ => {}
        }
        if let Some(error) = parameters.value("error") {
            let description = parameters.value("error_description").map(one_line);
            return Ok(Answer::Refused { error: one_line(error), description });
        }
        let code = parameters.value("code").ok_or(NotOurs::Empty)?;
        Ok(Answer::Code(Secret::from(code.to_owned())))
    }

    /// Reads a redirect's URL as a person copies it, or its query alone.
    pub(super) fn read_pasted(&self, text: &str) -> Result<Answer, NotOurs> {
        let url = text.trim().split('#').next().unwrap_or_default();
        let query = url.split_once('?').map_or(url, |(_, query)| query);
        if query.contains('=') { self.read(query) } else { Err(NotOurs::Unreadable) }
    }
}

/// A provider's text as one line of bounded length that can be shown anywhere as text.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if misleads(c) { ' ' } else { c }).take(LONGEST_SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected() -> Expected {
        let issuer = "https://id.example.com".to_owned();
        Expected { state: "s-1".to_owned(), issuer, names_itself: false }
    }

    #[test]
    fn only_the_state_of_this_login_counts() {
        for query in [
            "code=c",
            "code=c&state=",
            "code=c&state=s-2",
            "code=c&state=s-1x",
            "error=access_denied",
            "error=access_denied&state=S-1",
        ] {
            assert_eq!(expected().read(query), Err(NotOurs::State), "{query}");
        }
        assert_eq!(expected().read("state=s-1&code=c&code=d"), Err(NotOurs::Unreadable));
        assert_eq!(expected().read("state=s-1&state=s-2&code=c"), Err(NotOurs::Unreadable));
        assert_eq!(expected().read("state=s-1"), Err(NotOurs::Empty));
    }

    #[test]
    fn a_code_or_an_error_with_the_right_state_is_the_answer() {
        let code = Answer::Code(Secret::from("c/1".to_owned()));
        assert_eq!(expected().read("code=c%2F1&state=s-1&session_state=x"), Ok(code));
        let error = "error=access_denied&error_description=not+now%1b%5B2J%0a&state=s-1";
        let refused = Answer::Refused {
            error: "access_denied".to_owned(),
            description: Some("not now [2J ".to_owned()),
        };
        assert_eq!(expected().read(error), Ok(refused));
    }

    #[test]
    fn another_issuer_is_noticed() {
        let iss = "code=c&state=s-1&iss=https%3A%2F%2Fid.example.com";
        assert!(matches!(expected().read(iss), Ok(Answer::Code(_))));
        assert_eq!(expected().read(&format!("{iss}%2F")), Ok(Answer::WrongIssuer));
        let strict = Expected { names_itself: true, ..expected() };
        assert!(matches!(strict.read(iss), Ok(Answer::Code(_))));
        assert_eq!(strict.read("code=c&state=s-1"), Ok(Answer::WrongIssuer));
    }

    #[test]
    fn a_pasted_url_is_read_as_people_copy_it() {
        for text in [
            "http://127.0.0.1:41247/callback?code=c&state=s-1",
            "  http://127.0.0.1:41247/callback?code=c&state=s-1#\n",
            "code=c&state=s-1",
        ] {
            assert!(matches!(expected().read_pasted(text), Ok(Answer::Code(_))), "{text}");
        }
        let url = "http://127.0.0.1:41247/callback";
        for (text, problem) in [
            (String::new(), NotOurs::Unreadable),
            ("hello".to_owned(), NotOurs::Unreadable),
            (url.to_owned(), NotOurs::Unreadable),
            (format!("{url}?code=c&state=other"), NotOurs::State),
            (format!("{url}?state=s-1"), NotOurs::Empty),
        ] {
            assert_eq!(expected().read_pasted(&text), Err(problem), "{text}");
        }
    }
}
