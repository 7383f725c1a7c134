//! What passes without a token.
//!
//! The server behind us may read a path otherwise than it is sent: with escapes decoded, dots and
//! double slashes taken out, or what follows a semicolon left out. A path that could come to mean
//! another one there is never public, however it begins.

use std::str::FromStr;

/// A path, and everything below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicPath(String);

impl PublicPath {
    /// Whether this path is the public one or is below it, however it is read.
    pub fn covers(&self, path: &str) -> bool {
        let Some(rest) = path.strip_prefix(self.0.as_str()) else { return false };
        let below = rest.is_empty() || rest.starts_with('/') || self.0.ends_with('/');
        below && has_one_reading(path)
    }
}

impl FromStr for PublicPath {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !text.starts_with('/') || !has_one_reading(text) || text.contains(['?', '#']) {
            return Err("a public path begins with / and has no dots, escapes or double slashes");
        }
        Ok(Self(text.to_owned()))
    }
}

/// Whether a path means the same to everybody.
fn has_one_reading(path: &str) -> bool {
    let is_plain = !path.contains(['%', '\\', ';']) && !path.contains("//");
    is_plain && path.split('/').all(|segment| segment != "." && segment != "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_path_covers_itself_and_what_is_below_it_and_no_neighbour() {
        let public: PublicPath = "/public".parse().expect("a path");
        for path in ["/public", "/public/", "/public/a.css", "/public/a/b"] {
            assert!(public.covers(path), "{path}");
        }
        for path in ["/", "/publicity", "/PUBLIC", "/a/public", "/publi", "public"] {
            assert!(!public.covers(path), "{path}");
        }
        let folder: PublicPath = "/.well-known/".parse().expect("a path");
        assert!(folder.covers("/.well-known/a") && !folder.covers("/.well-known"));
    }

    #[test]
    fn a_path_that_the_upstream_may_read_otherwise_is_not_public() {
        let public: PublicPath = "/public".parse().expect("a path");
        for path in [
            "/public/../admin",
            "/public/./a",
            "/public/..",
            "/public/%2e%2e/admin",
            "/public/..%2fadmin",
            "/public%2f..%2fadmin",
            "/public/..;/admin",
            "/public//admin",
            "/public\\..\\admin",
            "/public/%252e%252e/admin",
        ] {
            assert!(!public.covers(path), "{path}");
        }
        for text in ["", "public", "/a/../b", "/a%2fb", "/a?b", "//a"] {
            assert!(text.parse::<PublicPath>().is_err(), "{text}");
        }
    }
}
