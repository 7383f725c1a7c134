//! A command under a pseudo-terminal, with somebody who answers its prompts.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use nix::pty::{Winsize, openpty};

use crate::process;

/// How long a prompt may take to appear.
const PROMPT: Duration = Duration::from_secs(30);

/// What stood on the terminal in the end, and the exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcript {
    /// The text, with plain line ends and without colours.
    pub text: String,
    /// The exit code; none where a signal ended it.
    pub code: Option<i32>,
}

/// Runs the command on a terminal of its own. Each answer is a prompt to wait for and the text to
/// type then.
pub fn converse(command: &Command, answers: &[(&str, &str)]) -> Result<Transcript> {
    let size = Winsize { ws_row: 50, ws_col: 200, ws_xpixel: 0, ws_ypixel: 0 };
    let terminal = openpty(&size, None).context("cannot open a pseudo-terminal")?;
    // `setsid --ctty` makes the terminal the controlling one, so that Ctrl-C works as it does for
    // people; doing so in this process would need unsafe code.
    let mut inner = Command::new("setsid");
    // A job that a shell started in the background ignores SIGINT, and hands that on.
    inner.args(["--ctty", "env", "--default-signal=INT"]);
    inner.arg(command.get_program()).args(command.get_args()).env_clear();
    inner.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if let Some(dir) = command.get_current_dir() {
        inner.current_dir(dir);
    }
    let end = || terminal.slave.try_clone();
    inner.stdin(Stdio::from(end()?)).stdout(Stdio::from(end()?)).stderr(Stdio::from(end()?));
    let mut child = inner.spawn().with_context(|| format!("cannot run {inner:?}"))?;
    drop(inner);
    drop(terminal.slave);

    let screen = read_screen(terminal.master.try_clone()?);
    let mut keyboard = File::from(terminal.master);
    let mut text = String::new();
    let mut seen = 0;
    for (prompt, answer) in answers {
        while !text[seen..].contains(prompt) {
            let Ok(more) = screen.recv_timeout(PROMPT) else {
                child.kill()?;
                child.wait()?;
                bail!("no prompt {prompt:?} on the terminal:\n{text}");
            };
            text.push_str(&more);
        }
        seen = text.len();
        keyboard.write_all(answer.as_bytes())?;
    }
    let status = process::wait(&mut child, process::DEADLINE)?;
    text.extend(screen.iter());
    Ok(Transcript { text: plain(&text), code: status.code() })
}

/// Everything that appears on the terminal, until its other side is closed.
fn read_screen(master: OwnedFd) -> mpsc::Receiver<String> {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let mut master = File::from(master);
        let mut bytes = [0; 4096];
        // Linux answers EIO when the last process has closed the terminal.
        while let Ok(read @ 1..) = master.read(&mut bytes) {
            let text = String::from_utf8_lossy(&bytes[..read]).into_owned();
            if send.send(text).is_err() {
                break;
            }
        }
    });
    receive
}

/// The text without carriage returns and without colours (ECMA-48 SGR); all else stays, so that a
/// test sees it.
pub fn plain(text: &str) -> String {
    let mut rest = text;
    let mut out = String::new();
    while let Some(at) = rest.find("\u{1b}[") {
        let (before, sequence) = rest.split_at(at);
        out.push_str(before);
        let body = &sequence[2..];
        let end = body.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(body.len());
        if body[end..].starts_with('m') {
            rest = &body[end + 1..];
        } else {
            out.push_str("\u{1b}[");
            rest = body;
        }
    }
    out.push_str(rest);
    out.replace("\r\n", "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_is_answered_and_the_transcript_is_what_a_person_would_see() {
        let mut command = Command::new("bash");
        command.args(["-c", "test -t 0 && read -p 'Name? ' name && echo \"Hello $name\"; exit 3"]);
        let transcript = converse(&command, &[("Name? ", "Ada\n")]).expect("bash runs");
        assert_eq!(transcript.text, "Name? Ada\nHello Ada\n");
        assert_eq!(transcript.code, Some(3));
    }

    #[test]
    fn only_colours_are_taken_away() {
        assert_eq!(plain("\u{1b}[1;31mred\u{1b}[0m\r\n\u{1b}[2J"), "red\n\u{1b}[2J");
    }
}
