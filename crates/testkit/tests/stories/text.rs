//! Comparing what is printed with what is documented, identifiers and dates aside.

/// The text with `JTI`, `UUID`, `TOKEN`, `TIME`, `DATE` and `CLOCK` in the place of such values.
pub(crate) fn mask(text: &str) -> String {
    let mut out = String::new();
    let mut word = String::new();
    for c in text.chars().chain(['\0']) {
        if c.is_ascii_alphanumeric() || "_:.-".contains(c) {
            word.push(c);
        } else {
            out.push_str(&mask_word(&word));
            word.clear();
            out.extend((c != '\0').then_some(c));
        }
    }
    out
}

/// As [`mask`], and each run of blanks or of box lines is one: columns may be of any width.
pub(crate) fn mask_table(text: &str) -> String {
    let mut out = String::new();
    for c in mask(text).chars() {
        if !(matches!(c, ' ' | '─') && out.ends_with(c)) {
            out.push(c);
        }
    }
    out
}

fn mask_word(word: &str) -> String {
    let bare = word.trim_end_matches(['.', ':']);
    let shape: String = bare.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
    let name = match shape.as_str() {
        "9999-99-99T99:99:99Z" => "TIME",
        "9999-99-99" => "DATE",
        "99:99:99" => "CLOCK",
        _ if bare.starts_with("jti_") => "JTI",
        _ if bare.starts_with("wst_") => "TOKEN",
        _ if is_uuid(bare) => "UUID",
        _ => return word.to_owned(),
    };
    format!("{name}{}", &word[bare.len()..])
}

fn is_uuid(word: &str) -> bool {
    let lengths: Vec<usize> = word.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && word.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

/// The lines of a text from the one that reads `first` to the next that reads `last`, both
/// included.
pub(crate) fn lines_between(text: &str, first: &str, last: &str) -> String {
    let mut lines = text.lines().skip_while(|line| *line != first).peekable();
    assert!(lines.peek().is_some(), "no line {first:?}");
    let mut block = String::new();
    for line in lines {
        block.push_str(line);
        block.push('\n');
        if line == last {
            return block;
        }
    }
    unreachable!("no line {last:?} after {first:?}")
}

#[test]
fn values_are_masked_and_words_stay() {
    let line = "Old token (jti_old123) has been revoked. 2025-08-07T12:00:00Z wst_eyJ.a-b_c: ok";
    assert_eq!(mask(line), "Old token (JTI) has been revoked. TIME TOKEN: ok");
    assert_eq!(mask_table("│ jti_a     │ 2024-08-07 10:30:00 │"), "│ JTI │ DATE CLOCK │");
    assert_eq!(mask("9b2a1c1e-0000-4000-8000-000000000000."), "UUID.");
}
