//! Running programs, and showing that we do.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, ensure};

/// The `cargo` that runs us, in the repository.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env!("CARGO"));
    command.current_dir(root);
    command
}

/// A program of this workspace that was built with this profile: beside our own, or where a profile
/// of that name keeps them.
pub(crate) fn built(profile: &str, program: &str) -> Result<Command> {
    let own = std::env::current_exe().context("a process knows its program")?;
    let target =
        own.parent().and_then(Path::parent).context("a program is in a profile's folder")?;
    Ok(Command::new(target.join(profile).join(program)))
}

/// Runs it; it must succeed.
pub(crate) fn demand(command: &mut Command) -> Result<()> {
    show(command);
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{} ended with {status}", line(command));
    Ok(())
}

/// Runs it; our exit code becomes its own.
pub(crate) fn status(command: &mut Command) -> Result<ExitCode> {
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Prints the command as one would type it.
pub(crate) fn show(command: &Command) {
    println!("$ {}", line(command));
}

fn line(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
