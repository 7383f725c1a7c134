//! Texts of others that are going to be shown.

/// Whether a character would make a shown text look like what it is not: control characters, and
/// those that break lines or turn the direction of writing.
pub(crate) fn misleads(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
