//! `ntcli man`.

use std::path::PathBuf;

use clap_mangen::Man;

use crate::arguments;
use crate::error::Error;
use crate::ui;

/// Print the manual page, or write all of them to a folder
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ntcli man | man -l -
  ntcli man --dir ~/.local/share/man/man1")]
pub(crate) struct Args {
    /// Write a page for every command to this folder
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<(), Error> {
    let failed = |e: std::io::Error| Error::failed(format!("Could not write a manual page: {e}"));
    let command = arguments::command();
    if let Some(dir) = &args.dir {
        std::fs::create_dir_all(dir).map_err(failed)?;
        return clap_mangen::generate_to(command, dir).map_err(failed);
    }
    let mut page = Vec::new();
    Man::new(command).render(&mut page).map_err(failed)?;
    ui::raw(&String::from_utf8_lossy(&page))
}
