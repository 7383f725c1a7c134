//! The few pages that we show in a browser: one look, no script, nothing from anywhere else.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const STYLE: &str = include_str!("style.css");

/// The text with everything escaped that HTML gives a meaning, in elements and in quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A whole page. The title is text; the content is HTML whose texts are escaped already.
pub(crate) fn document(title: &str, content: &str) -> String {
    let title = escape(title);
    let mut page = String::with_capacity(STYLE.len() + content.len() + 512);
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n\
         <body>\n<main>\n{content}</main>\n</body>\n</html>\n"
    );
    page
}

/// The page's Content-Security-Policy: our one style sheet, and forms that go only where named.
///
/// Browsers hold the redirect that answers a form against `form-action` too.
pub(crate) fn content_security_policy(form_action: &str) -> String {
    let style = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action {form_action}; \
         base-uri 'none'; frame-ancestors 'none'"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_html_gives_a_meaning_survives() {
        let escaped = escape(r#"</title><script>alert('x')</script>" onload="&"#);
        assert!(!escaped.contains(['<', '>', '"', '\'']), "{escaped}");
        assert!(document("<b>", "").contains("<title>&lt;b&gt;</title>"));
    }

    #[test]
    fn the_style_sheet_can_stand_in_a_style_element() {
        assert!(!STYLE.contains('<'));
        assert!(!STYLE.contains("url(") && !STYLE.contains("@import"));
        assert!(document("t", "").contains(&format!("<style>{STYLE}</style>")));
    }
}
