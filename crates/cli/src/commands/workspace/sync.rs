//! `ntcli workspace sync`: what this machine knows of workspaces is made what the authority says.

use std::collections::BTreeMap;

use nt_token::WorkspaceId;
use serde::Serialize;

use crate::arguments::{Format, TextOrJson};
use crate::config::{AtAuthority, KnownWorkspace};
use crate::context::Context;
use crate::error::Error;
use crate::ui;

/// Compare the workspaces known here with those at the authority, and take those over
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ntcli workspace sync
  ntcli workspace sync --format json | jq '.local_only'")]
pub(crate) struct Args {
    #[command(flatten)]
    output: TextOrJson,
}

#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Differences {
    server_only: Vec<Named>,
    local_only: Vec<Named>,
    in_sync: Vec<Named>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Named {
    workspace_id: WorkspaceId,
    name: String,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<(), Error> {
    let all = context.operator("workspace listing")?.workspaces()?.workspaces;
    let there: BTreeMap<_, _> =
        all.into_iter().map(|w| (w.workspace_id, w.workspace_name)).collect();
    let mut found = Differences::default();
    context.update_known(|at| found = reconcile(at, &there))?;
    if args.output.format == Format::Json {
        return ui::json(&found);
    }
    let mut lines = Vec::new();
    for (title, list) in [
        ("Server only, now known here", &found.server_only),
        ("Local only, now forgotten here", &found.local_only),
        ("In sync", &found.in_sync),
    ] {
        lines.push(format!("{title}: {}", list.len()));
        lines.extend(list.iter().map(|w| format!("  {}  {}", w.workspace_id, w.name)));
    }
    ui::data(&lines.join("\n"))
}

fn reconcile(at: &mut AtAuthority, there: &BTreeMap<WorkspaceId, String>) -> Differences {
    let mut found = Differences::default();
    for (&workspace_id, name) in there {
        let named = Named { workspace_id, name: name.clone() };
        if let Some(known) = at.workspaces.get_mut(&workspace_id) {
            known.name.clone_from(name);
            found.in_sync.push(named);
        } else {
            at.workspaces.insert(workspace_id, KnownWorkspace::named(name));
            found.server_only.push(named);
        }
    }
    at.workspaces.retain(|&workspace_id, known| {
        let stays = there.contains_key(&workspace_id);
        if !stays {
            found.local_only.push(Named { workspace_id, name: known.name.clone() });
        }
        stays
    });
    at.active.take_if(|active| !there.contains_key(active));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authority_is_right() {
        let [a, b, c] = [1, 2, 3].map(|n| WorkspaceId::mint([n; 16]));
        let mut at = AtAuthority::default();
        at.active = Some(a);
        at.workspaces.insert(a, KnownWorkspace::named("gone"));
        at.workspaces.insert(b, KnownWorkspace::named("old-name"));
        let there = BTreeMap::from([(b, "stays".to_owned()), (c, "new".to_owned())]);
        let found = reconcile(&mut at, &there);
        let named = |workspace_id, name: &str| vec![Named { workspace_id, name: name.to_owned() }];
        let expected = Differences {
            server_only: named(c, "new"),
            local_only: named(a, "gone"),
            in_sync: named(b, "stays"),
        };
        assert_eq!(found, expected);
        assert_eq!(at.active, None);
        let known: Vec<_> = at.workspaces.values().map(|w| w.name.as_str()).collect();
        assert_eq!(known.len(), 2);
        assert!(known.contains(&"stays") && known.contains(&"new"));
    }
}
