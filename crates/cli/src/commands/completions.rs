//! `ntcli completions`.

use clap_complete::Shell;

use crate::arguments;
use crate::error::Error;
use crate::ui;

/// Print completions for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ntcli completions bash > ~/.local/share/bash-completion/completions/ntcli
  ntcli completions zsh > ~/.zfunc/_ntcli
  ntcli completions fish > ~/.config/fish/completions/ntcli.fish")]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

pub(super) fn run(args: &Args) -> Result<(), Error> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut arguments::command(), "ntcli", &mut script);
    ui::raw(&String::from_utf8_lossy(&script))
}
