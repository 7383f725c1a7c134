//! Patterns for claims. Pure.

/// A text in which every `*` stands for any characters, or none, but for `/`. Everything else stands
/// for itself, and the whole text must match. There is no way to write a literal `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(String);

/// The longest pattern, in bytes.
pub(super) const LONGEST: usize = 512;

/// Why a text is not a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadPattern {
    #[error("the pattern is empty or too long")]
    Length,
    #[error("the pattern has an asterisk next to another; one does not cross a slash, nor do two")]
    TwoAsterisks,
}

impl Pattern {
    pub(super) fn parse(text: &str) -> Result<Self, BadPattern> {
        if !(1..=LONGEST).contains(&text.len()) {
            return Err(BadPattern::Length);
        }
        if text.contains("**") {
            return Err(BadPattern::TwoAsterisks);
        }
        Ok(Self(text.to_owned()))
    }

    /// What every matching text begins with.
    pub(super) fn literal_beginning(&self) -> &str {
        self.0.split('*').next().unwrap_or_default()
    }

    pub(super) fn is_exact(&self) -> bool {
        !self.0.contains('*')
    }

    /// Whether a text can fail to match for something else than a slash.
    pub(super) fn restricts(&self) -> bool {
        self.0.chars().any(char::is_alphanumeric)
    }

    /// Slashes divide both alike, so the parts between them match one by one.
    pub(super) fn matches(&self, text: &str) -> bool {
        let mut parts = text.split('/');
        let all =
            self.0.split('/').all(|pattern| parts.next().is_some_and(|part| fits(pattern, part)));
        all && parts.next().is_none()
    }
}

/// Whether a part without slashes fits. Each piece is taken where it is first found, which leaves
/// the most for the rest; so the time is bounded by the product of the lengths.
fn fits(pattern: &str, part: &str) -> bool {
    let Some((beginning, rest)) = pattern.split_once('*') else { return pattern == part };
    let Some(mut part) = part.strip_prefix(beginning) else { return false };
    let (middle, end) = rest.rsplit_once('*').map_or(("", rest), |(middle, end)| (middle, end));
    for piece in middle.split('*') {
        let Some(at) = part.find(piece) else { return false };
        part = &part[at + piece.len()..];
    }
    part.ends_with(end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_asterisk_stands_for_anything_within_two_slashes() {
        for (pattern, text, matches) in [
            ("a/b", "a/b", true),
            ("a/b", "a/B", false),
            ("a/b", "a/b/", false),
            ("a/b", "a/bc", false),
            ("a/b", "xa/b", false),
            ("a/*", "a/b", true),
            ("a/*", "a/", true),
            ("a/*", "a", false),
            ("a/*", "a/b/c", false),
            ("*", "anything at all", true),
            ("*", "", true),
            ("*", "a/b", false),
            ("refs/heads/release-*", "refs/heads/release-1.2", true),
            ("refs/heads/release-*", "refs/heads/release-1/evil", false),
            ("refs/heads/release-*", "refs/tags/release-1", false),
            ("*-a", "b-a", true),
            ("*-a", "b-ab", false),
            ("a*b*c", "abc", true),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("a*bc", "abcbc", true),
            ("a*a", "a", false),
            ("ab*ba", "aba", false),
            ("a*b*b", "ab", false),
            ("repo:acme/*:ref:refs/heads/main", "repo:acme/x:ref:refs/heads/main", true),
            ("repo:acme/*:ref:refs/heads/main", "repo:acme/x:y:ref:refs/heads/main", true),
            ("repo:acme/*:ref:refs/heads/main", "repo:acme/x/y:ref:refs/heads/main", false),
            ("repo:acme/*:ref:refs/heads/main", "repo:acme2/x:ref:refs/heads/main", false),
            ("a?c", "abc", false),
            ("a.c", "abc", false),
            ("[a]", "a", false),
            ("ä*ü", "äöü", true),
        ] {
            let parsed = Pattern::parse(pattern).expect("a pattern");
            assert_eq!(parsed.matches(text), matches, "{pattern} {text}");
        }
    }

    #[test]
    fn what_says_nothing_or_looks_like_more_than_it_is_is_refused() {
        assert_eq!(Pattern::parse(""), Err(BadPattern::Length));
        assert_eq!(Pattern::parse(&"a".repeat(LONGEST + 1)), Err(BadPattern::Length));
        assert_eq!(Pattern::parse("a/**"), Err(BadPattern::TwoAsterisks));
        for (text, restricts) in [("*", false), ("*/*", false), ("-", false), ("*a", true)] {
            assert_eq!(Pattern::parse(text).expect("a pattern").restricts(), restricts, "{text}");
        }
    }

    /// The definition, written without any cleverness.
    fn by_definition(pattern: &[char], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => {
                let reach = text.iter().position(|c| *c == '/').unwrap_or(text.len());
                (0..=reach).any(|taken| by_definition(rest, &text[taken..]))
            }
            Some((c, rest)) => text.first() == Some(c) && by_definition(rest, &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn matching_is_what_it_is_defined_to_be(pattern in "[ab/*ä]{1,8}", text in "[ab/ä]{0,8}") {
            prop_assume!(!pattern.contains("**"));
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            let expected = by_definition(&chars(&pattern), &chars(&text));
            prop_assert_eq!(Pattern::parse(&pattern).expect("a pattern").matches(&text), expected);
        }
    }
}
