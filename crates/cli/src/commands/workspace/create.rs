//! `ntcli workspace create`: the new workspace becomes the active one, and its first token the
//! current one.

use nt_api::IsoTime;
use nt_api::workspaces::CreateWorkspace;
use nt_token::{Jti, WorkspaceId};
use serde::Serialize;

use crate::arguments::{Format, TextOrJson};
use crate::client::idempotency_key;
use crate::config::KnownWorkspace;
use crate::context::Context;
use crate::credentials::{Credentials, CurrentToken};
use crate::error::Error;
use crate::ui;

/// Create a workspace and make it the active one
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ntcli workspace create my-workspace
  ntcli workspace create my-workspace -d 'staging environment'
  ntcli workspace create my-workspace --format json | jq -r '.workspace_id'")]
pub(crate) struct Args {
    /// 3 to 32 lower-case letters, digits and hyphens, beginning with a letter
    name: String,
    /// What the workspace is for, for people
    #[arg(short, long, value_name = "TEXT")]
    description: Option<String>,
    /// The organisation that you signed in for owns it; its admins administer it
    #[arg(long)]
    organisation: bool,
    #[command(flatten)]
    output: TextOrJson,
}

#[derive(Serialize)]
struct Output<'a> {
    workspace_id: WorkspaceId,
    name: &'a str,
    created_at: IsoTime,
    jti: &'a Jti,
    token_expires_at: IsoTime,
}

pub(super) fn run(args: Args, context: &Context) -> Result<(), Error> {
    if !is_name(&args.name) {
        return Err(Error::usage("Invalid workspace name")
            .hint("use 3 to 32 lower-case letters, digits and hyphens, beginning with a letter"));
    }
    let operator = context.operator("workspace creation")?;
    let Args { name, description, organisation, output } = args;
    let request = CreateWorkspace { name, description, organisation };
    let created = operator.create_workspace(&request, &idempotency_key()?)?;
    let (id, name, jti) = (created.workspace_id, created.workspace_name, created.jti);
    let expires_at = created.created_at.0.plus_seconds(created.expires_in);
    let authority = context.authority()?;
    Credentials::update(&context.folder, |all| {
        let token = created.access_token.into();
        let expires_at = Some(expires_at);
        all.workspace_mut(authority, id).current =
            Some(CurrentToken { token, jti: jti.clone(), expires_at });
    })?;
    context.update_known(|at| {
        at.workspaces.insert(id, KnownWorkspace::named(&name));
        at.active = Some(id);
    })?;
    if output.format == Format::Json {
        return ui::json(&Output {
            workspace_id: id,
            name: &name,
            created_at: created.created_at,
            jti: &jti,
            token_expires_at: expires_at.into(),
        });
    }
    ui::data(&format!(
        "Workspace '{name}' created successfully.\n\
         Workspace ID: {id}\n\
         Token JTI: {jti}\n\
         It is the active workspace now."
    ))
}

fn is_name(name: &str) -> bool {
    (3..=32).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn names_are_plain() {
        for name in ["abc", "my-workspace", "a1-", &"a".repeat(32)] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "ab", "1abc", "-abc", "Abc", "a_b", "a b", "a/b", &"a".repeat(33)] {
            assert!(!is_name(name), "{name}");
        }
    }
}
