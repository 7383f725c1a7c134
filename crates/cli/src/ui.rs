//! What people see: data on standard output, everything else on standard error. Whatever came from
//! elsewhere is scrubbed on its way to a terminal.

pub(crate) mod prompt;
pub(crate) mod scrub;
pub(crate) mod table;

use std::io::{self, ErrorKind, IsTerminal as _, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::arguments::Format;
use crate::error::{Code, Error};

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();
const DEBUG: Style = Style::new().dimmed();

/// Prints a text and a line end on standard output.
pub(crate) fn data(text: &str) -> Result<(), Error> {
    raw(&format!("{}\n", scrub::text(text)))
}

/// Prints a value as one JSON document.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|e| Error::failed(format!("Could not write JSON: {e}")))?;
    raw(&format!("{}\n", scrub::json(&text)))
}

/// Prints a text that is known to be free of foreign control characters, as it is.
pub(crate) fn raw(text: &str) -> Result<(), Error> {
    let mut out = anstream::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // The reader has seen enough: `ntcli token list | head -1`.
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(e) => Err(Error::failed(format!("Could not write to standard output: {e}"))),
        Ok(()) => Ok(()),
    }
}

/// Prints a line on standard error. That it cannot be written is no reason to stop: there is
/// nowhere left to say so.
pub(crate) fn say(text: &str) {
    let _ = writeln!(anstream::stderr(), "{}", scrub::text(text));
}

/// Warns of something that was not asked about.
pub(crate) fn warning(text: &str) {
    labelled(WARNING, "warning", text);
}

/// Says what to do next.
pub(crate) fn hint(text: &str) {
    labelled(HINT, "hint", text);
}

/// Tells a developer what happens.
pub(crate) fn debug(text: &str) {
    labelled(DEBUG, "debug", text);
}

fn labelled(style: Style, label: &str, text: &str) {
    let text = scrub::line(text);
    let _ = writeln!(anstream::stderr(), "{style}{label}:{style:#} {text}");
}

/// Whether standard error shows colours.
pub(crate) fn has_colours() -> bool {
    anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never
}

/// Whether both sides of a dialogue are there: questions can be seen and answers typed.
pub(crate) fn is_interactive() -> bool {
    io::stdin().is_terminal()
}

/// Says why a command failed, and returns the exit code.
pub(crate) fn report(error: &Error, format: Format) -> u8 {
    #[derive(Serialize)]
    struct Body<'a> {
        error: Detail<'a>,
    }
    #[derive(Serialize)]
    struct Detail<'a> {
        code: Code,
        message: &'a str,
        hint: Option<&'a str>,
    }
    if error.said {
        return error.code.exit();
    }
    match format {
        Format::Json => {
            let (code, hint) = (error.code, error.hint.as_deref());
            let body = Body { error: Detail { code, message: &error.message, hint } };
            let text = serde_json::to_string(&body).unwrap_or_default();
            let _ = writeln!(anstream::stderr(), "{}", scrub::json(&text));
        }
        Format::Text if error.code == Code::Declined => say(&error.message),
        Format::Text => {
            labelled(ERROR, "error", &error.message);
            error.hint.as_deref().inspect(|text| hint(text));
        }
    }
    error.code.exit()
}
