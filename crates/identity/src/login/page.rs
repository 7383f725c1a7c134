//! What the person at the browser is told, as whole HTTP responses.

use super::LoginError;
use super::callback::NotOurs;
use crate::html::{content_security_policy, document, escape};

/// How the login ended.
pub(super) fn of_outcome(failed: Option<&LoginError>) -> String {
    match failed {
        None => {
            // The authority has yet to accept it, which only the terminal can tell.
            let advice =
                "Close this window and go back to the terminal, which finishes the sign-in.";
            page("200 OK", Mark::Good, "The identity provider knows you", advice)
        }
        Some(LoginError::Provider { error, description }) => {
            let (error, description) = (escape(error), description.as_deref().map(escape));
            let what = description.map_or_else(String::new, |text| format!("<br>{text}"));
            let text = format!("The identity provider refused: <code>{error}</code>{what}");
            page("200 OK", Mark::Bad, "You are not signed in", &text)
        }
        Some(_) => {
            let advice = "The sign-in could not be completed. The terminal says why.";
            page("200 OK", Mark::Bad, "You are not signed in", advice)
        }
    }
}

/// Something came that is not the answer to our request.
pub(super) fn not_ours(what: NotOurs) -> String {
    let why = match what {
        NotOurs::State => "This answer belongs to another sign-in.",
        NotOurs::Unreadable | NotOurs::Empty => "This answer cannot be read.",
    };
    let text = format!("{why} The terminal goes on waiting; use the link that it shows.");
    page("400 Bad Request", Mark::Bad, "This did not sign you in", &text)
}

/// There is nothing else here.
pub(super) fn not_found() -> String {
    page("404 Not Found", Mark::Bad, "There is nothing here", "Go back to the terminal.")
}

/// A request that no browser sends to a redirect URI.
pub(super) fn bad_request(status: &str) -> String {
    page(status, Mark::Bad, "This request is not answered", "Go back to the terminal.")
}

#[derive(Clone, Copy)]
enum Mark {
    Good,
    Bad,
}

/// A response; `html` is escaped already.
fn page(status: &str, mark: Mark, title: &str, html: &str) -> String {
    let mark = match mark {
        Mark::Good => "<div class=\"mark good\" aria-hidden=\"true\">&#10003;</div>",
        Mark::Bad => "<div class=\"mark bad\" aria-hidden=\"true\">!</div>",
    };
    let content = format!("{mark}\n<h1>{}</h1>\n<p class=\"quiet\">{html}</p>\n", escape(title));
    let body = document(title, &content);
    let policy = content_security_policy("'none'");
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\n\
         Content-Length: {length}\r\nConnection: close\r\nCache-Control: no-store\r\n\
         Content-Security-Policy: {policy}\r\nX-Frame-Options: DENY\r\n\
         X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n\r\n{body}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_providers_texts_are_escaped() {
        let failed = LoginError::Provider {
            error: "<script>alert(1)</script>".to_owned(),
            description: Some("\"><img src=x onerror=alert(1)>".to_owned()),
        };
        let page = of_outcome(Some(&failed));
        assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
        assert!(page.contains("&lt;script&gt;") && page.contains("&quot;&gt;&lt;img"), "{page}");
    }
}
