//! `ntcli info`: what this program is and works with. The authority is not asked.

use nt_token::WorkspaceId;
use serde::Serialize;

use crate::arguments::{Format, TextOrJson};
use crate::config;
use crate::context::{Context, Source};
use crate::error::Error;
use crate::ui;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Show the version, the files and the settings in use
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ntcli info
  ntcli info --format json")]
pub(crate) struct Args {
    #[command(flatten)]
    output: TextOrJson,
}

#[derive(Serialize)]
struct Output<'a> {
    version: &'a str,
    platform: String,
    config_path: String,
    authority: &'a str,
    authority_source: Source,
    workspace_id: Option<WorkspaceId>,
    workspace: Option<String>,
    has_session: bool,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<(), Error> {
    let (authority, authority_source) = context.authority_and_source()?;
    let active = context.known()?.and_then(|at| at.active);
    let workspace = active.map(|id| context.name_of(id)).transpose()?;
    let has_session = context.has_session()?;
    let platform = format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH);
    let config_path = context.folder.path(config::FILE).display().to_string();
    if args.output.format == Format::Json {
        return ui::json(&Output {
            version: VERSION,
            platform,
            config_path,
            authority: authority.as_str(),
            authority_source,
            workspace_id: active,
            workspace,
            has_session,
        });
    }
    let workspace = workspace.unwrap_or_else(|| "none".to_owned());
    let session = if has_session { "yes" } else { "no" };
    ui::data(&format!(
        "ntcli {VERSION} ({platform})\n\
         Configuration:  {config_path}\n\
         Authority:      {authority}\n\
         Workspace:      {workspace}\n\
         Session:        {session}"
    ))
}
