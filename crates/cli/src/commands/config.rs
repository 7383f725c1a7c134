//! The configuration as a whole.

mod secrets;

use clap::Subcommand;
use nt_token::WorkspaceId;
use serde::Serialize;

use crate::arguments::{Format, TextOrJson};
use crate::config::{self, Config};
use crate::context::Context;
use crate::credentials::{self, AtAuthority, Credentials};
use crate::error::Error;
use crate::pinned;
use crate::ui;
use crate::ui::prompt;

/// Show, find or reset the configuration, and choose where secrets are kept
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  ntcli config show
  ntcli config path
  ntcli config secrets keyring
  ntcli config reset")]
pub(crate) enum Command {
    Show(ShowArgs),
    Path(PathArgs),
    Secrets(secrets::Args),
    Reset(ResetArgs),
}

/// Show the configuration, and which secrets are kept, without the secrets
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ntcli config show
  ntcli config show --format json")]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    output: TextOrJson,
}

/// Show where the configuration is kept
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ntcli config path")]
pub(crate) struct PathArgs {
    #[command(flatten)]
    output: TextOrJson,
}

/// Remove the configuration and all credentials that are kept here
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ntcli config reset
  ntcli config reset --force

Tokens are forgotten, not revoked: `ntcli token revoke` does that.")]
pub(crate) struct ResetArgs {
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    output: TextOrJson,
}

pub(super) fn run(command: &Command, context: &Context) -> Result<(), Error> {
    match command {
        Command::Show(args) => show(args, context),
        Command::Path(args) => path(args, context),
        Command::Secrets(args) => secrets::run(args, context),
        Command::Reset(args) => reset(args, context),
    }
}

#[derive(Serialize)]
struct Shown<'a> {
    path: String,
    config: &'a Config,
    credentials: Vec<Kept<'a>>,
}

/// That there are secrets, and whose they are.
#[derive(Serialize)]
struct Kept<'a> {
    authority: &'a str,
    session: Option<Redacted>,
    workspace_tokens: Vec<KeptToken<'a>>,
}

#[derive(Serialize)]
struct KeptToken<'a> {
    workspace_id: WorkspaceId,
    jti: &'a str,
    token: Redacted,
}

/// What stands for a secret.
#[derive(Clone, Copy, Serialize)]
enum Redacted {
    #[serde(rename = "[redacted]")]
    Redacted,
}

fn show(args: &ShowArgs, context: &Context) -> Result<(), Error> {
    let config = context.config()?;
    let all = &context.credentials()?.authorities;
    let credentials: Vec<_> = all.iter().map(|(at, kept)| redact(at.as_str(), kept)).collect();
    let path = context.folder.path(config::FILE).display().to_string();
    if args.output.format == Format::Json {
        return ui::json(&Shown { path, config, credentials });
    }
    let mut lines = vec![format!("# {path}"), config.to_toml()?];
    let path = context.folder.path(credentials::FILE);
    for Kept { authority, session, workspace_tokens } in &credentials {
        lines.push(format!("# {}: {authority}", path.display()));
        if session.is_some() {
            lines.push("session = \"[redacted]\"".to_owned());
        }
        for KeptToken { workspace_id, jti, .. } in workspace_tokens {
            lines.push(format!("token.{workspace_id} = \"[redacted]\"  # {jti}"));
        }
    }
    ui::data(lines.join("\n").trim_end())
}

fn redact<'a>(authority: &'a str, kept: &'a AtAuthority) -> Kept<'a> {
    let workspace_tokens = kept.workspaces.iter().filter_map(|(id, workspace)| {
        let current = workspace.current.as_ref()?;
        let jti = current.jti.as_str();
        Some(KeptToken { workspace_id: *id, jti, token: Redacted::Redacted })
    });
    Kept {
        authority,
        session: kept.session.as_ref().map(|_| Redacted::Redacted),
        workspace_tokens: workspace_tokens.collect(),
    }
}

#[derive(Serialize)]
struct Where {
    path: String,
}

fn path(args: &PathArgs, context: &Context) -> Result<(), Error> {
    let path = context.folder.path(config::FILE).display().to_string();
    if args.output.format == Format::Json {
        return ui::json(&Where { path });
    }
    ui::data(&path)
}

#[derive(Serialize)]
struct Removed {
    removed: Vec<String>,
}

fn reset(args: &ResetArgs, context: &Context) -> Result<(), Error> {
    let folder = &context.folder;
    if !args.force {
        prompt::require_terminal("--force removes without asking")?;
        ui::say(&format!("{} will be removed,", folder.path(config::FILE).display()));
        let path = folder.path(credentials::FILE);
        ui::say(&format!("and {} with {}.", path.display(), at_stake(context)));
        ui::say("Tokens are forgotten, not revoked. This action cannot be undone.\n");
        if !prompt::confirm()? {
            return Err(Error::declined("Aborted. Nothing was removed."));
        }
    }
    let kept = Credentials::read(folder).unwrap_or_default();
    let mut removed = Vec::new();
    for name in [credentials::FILE, config::FILE, pinned::FILE] {
        let _lock = folder.lock(name)?;
        if folder.path(name).symlink_metadata().is_ok() {
            folder.remove(name)?;
            removed.push(folder.path(name).display().to_string());
        }
    }
    kept.clear_keyring();
    if args.output.format == Format::Json {
        return ui::json(&Removed { removed });
    }
    if removed.is_empty() {
        return ui::data("Nothing to remove.");
    }
    ui::data(&format!("Removed {}.", removed.join(" and ")))
}

/// What would be lost.
fn at_stake(context: &Context) -> String {
    match Credentials::read(&context.folder).map(|all| all.count()) {
        Ok((sessions, tokens)) => format!("{sessions} session(s) and {tokens} workspace token(s)"),
        Err(_) => "whatever is in it (it cannot be read)".to_owned(),
    }
}
