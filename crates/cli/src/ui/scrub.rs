//! Text from elsewhere must not steer the terminal: control characters, and characters that turn
//! the direction of writing, are shown as a replacement character.

use std::borrow::Cow;
use std::fmt::Write as _;

/// A text of several lines.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    replace(text, |c| c != '\n' && steers(c))
}

/// A text that must stay on one line.
pub(crate) fn line(text: &str) -> Cow<'_, str> {
    replace(text, steers)
}

/// A JSON document: what steers can only be inside its strings, and is escaped there (RFC 8259,
/// section 7), so that programs still read it as it was.
pub(crate) fn json(document: &str) -> Cow<'_, str> {
    if !document.chars().any(|c| c != '\n' && steers(c)) {
        return Cow::Borrowed(document);
    }
    let mut escaped = String::with_capacity(document.len());
    for c in document.chars() {
        if c != '\n' && steers(c) {
            // All of them are in the basic plane: one code unit is enough.
            let _ = write!(escaped, "\\u{:04x}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

fn replace(text: &str, is_bad: impl Fn(char) -> bool) -> Cow<'_, str> {
    if text.chars().any(&is_bad) {
        let mend = |c| if is_bad(c) { char::REPLACEMENT_CHARACTER } else { c };
        return Cow::Owned(text.chars().map(mend).collect());
    }
    Cow::Borrowed(text)
}

/// C0, DEL and C1 controls, line and paragraph separators, and the bidirectional formatting
/// characters of Unicode Standard Annex 9.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_passes() {
        let hostile = "a\u{1b}[2J\u{7}b\u{9b}31m\r\u{202e}c\td\u{7f}";
        assert_eq!(line(hostile), "a�[2J�b�31m��c�d�");
        assert_eq!(text("two\nlines\r"), "two\nlines�");
        assert_eq!(line("two\nlines"), "two�lines");
        assert_eq!(line("Grüße, 世界 ✓"), "Grüße, 世界 ✓");
    }

    #[test]
    fn json_stays_the_same_value() {
        let value = serde_json::json!({ "a": "x\u{9b}y\u{202e}z\u{1b}\u{7f}" });
        let document = serde_json::to_string_pretty(&value).expect("is JSON");
        let escaped = json(&document);
        assert!(!escaped.chars().any(|c| c != '\n' && steers(c)), "{escaped}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&escaped).ok(), Some(value));
    }
}
