//! `ntcli auth logout`.

use nt_token::Secret;
use serde::Serialize;

use crate::arguments::{Format, TextOrJson};
use crate::client::failure::ClientError;
use crate::context::Context;
use crate::credentials::{Credentials, StoredSession};
use crate::error::Error;
use crate::renewal;
use crate::ui;

/// End the session at the authority, and forget it and all workspace tokens here
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ntcli auth logout")]
pub(crate) struct Args {
    #[command(flatten)]
    output: TextOrJson,
}

#[derive(Serialize)]
struct Output {
    session_ended: bool,
    tokens_forgotten: usize,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<(), Error> {
    let authority = context.authority()?;
    // Not while another process renews the session: that one would stay.
    let _lock = context.folder.lock(renewal::LOCK)?;
    // A keyring that does not answer now could not forget it, either.
    let secret = context.kept_session()?.map(|kept| kept.access_token.reveal()).transpose()?;
    // The secrets go first: they must not stay because the authority cannot be reached.
    let (session, tokens_forgotten) = Credentials::update(&context.folder, |all| {
        let Some(at) = all.authorities.get_mut(authority) else { return (None, 0) };
        let tokens = at.workspaces.values_mut().filter_map(|kept| kept.current.take()).count();
        // What remains of a workspace is a refresh that must still be finished.
        at.workspaces.retain(|_, kept| kept.pending_refresh.is_some());
        (at.session.take(), tokens)
    })?;
    if context.settings.session_token.is_some() {
        ui::warning("NTCLI_SESSION_TOKEN is set; that session goes on.");
    }
    let session_ended = session.is_some();
    if let (Some(session), Some(secret)) = (session, secret.flatten()) {
        end(&session, secret, context)?;
    }
    if args.output.format == Format::Json {
        return ui::json(&Output { session_ended, tokens_forgotten });
    }
    if !session_ended && tokens_forgotten == 0 {
        return ui::data("No credentials found to clear");
    }
    ui::data(&format!("Signed out of {authority}."))
}

fn end(session: &StoredSession, secret: Secret, context: &Context) -> Result<(), Error> {
    let operator = context.client()?.operator(secret, "this");
    match operator.end_session() {
        // A session that the authority does not know has ended already.
        Ok(_) | Err(ClientError::Refused(_)) => Ok(()),
        Err(error) => {
            let error = Error::from(error);
            let message = format!(
                "The credentials here are forgotten, but the session could not be ended at the \
                 authority; it ends by itself at {}. {}",
                session.expires_at, error.message
            );
            Err(Error::new(error.code, message))
        }
    }
}
