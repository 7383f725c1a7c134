//! Questions to a person at a terminal. They go to standard error: standard output is for data.

use std::io::{self, Read as _, Write as _};

use crate::error::{Code, Error};
use crate::ui;

/// Far more than an answer of `yes` needs.
const LONGEST_ANSWER: u64 = 1024;

/// Refuses where nobody could answer.
pub(crate) fn require_terminal(hint: &str) -> Result<(), Error> {
    if ui::is_interactive() {
        return Ok(());
    }
    let message = "Confirmation is needed, and standard input is not a terminal.";
    Err(Error::new(Code::ConfirmationRequired, message).hint(hint))
}

/// Asks `Are you sure?`; only `y` and `yes` agree.
pub(crate) fn confirm() -> Result<bool, Error> {
    let failed = |e: io::Error| Error::failed(format!("Could not ask for confirmation: {e}"));
    let mut screen = anstream::stderr();
    screen.write_all(b"Are you sure? (y/N): ").and_then(|()| screen.flush()).map_err(failed)?;
    let mut answer = Vec::new();
    let mut input = io::stdin().lock().take(LONGEST_ANSWER);
    let mut byte = [0];
    // A byte at a time: whatever is typed after the answer is not ours to read.
    while input.read(&mut byte).map_err(failed)? == 1 {
        answer.push(byte[0]);
        if byte[0] == b'\n' {
            break;
        }
    }
    if !answer.ends_with(b"\n") {
        ui::say("");
    }
    Ok(agrees(&answer))
}

fn agrees(answer: &[u8]) -> bool {
    let answer = answer.trim_ascii();
    answer.eq_ignore_ascii_case(b"y") || answer.eq_ignore_ascii_case(b"yes")
}

#[cfg(test)]
mod tests {
    use super::agrees;

    #[test]
    fn only_yes_is_yes() {
        for yes in ["y\n", "Y\r\n", "yes\n", " YES \n"] {
            assert!(agrees(yes.as_bytes()), "{yes:?}");
        }
        for no in ["", "\n", "n\n", "yy\n", "yes!\n", "j\n", "1\n", "y y\n"] {
            assert!(!agrees(no.as_bytes()), "{no:?}");
        }
    }
}
