//! What follows every sign-in: the proof becomes a session, and the session is kept.

use nt_api::auth::{Session, TokenExchange, User};
use serde::Serialize;

use crate::arguments::{Format, TextOrJson};
use crate::client::failure::ClientError;
use crate::client::idempotency_key;
use crate::config::Config;
use crate::context::{Context, now};
use crate::credentials::{Credentials, FILE, Grant, StoredSession};
use crate::error::{Code, Error};
use crate::held::Place;
use crate::keyring;
use crate::pinned;
use crate::ui;

#[derive(Serialize)]
struct Output<'a> {
    authenticated: bool,
    email: Option<&'a str>,
    user_id: &'a str,
    expires_at: nt_api::IsoTime,
}

/// Decides where secrets are kept, if that was never decided: in the keyring if one answers. One that
/// was decided for must answer now, rather than when the person has signed in.
pub(super) fn choose_place(context: &Context) -> Result<(), Error> {
    match context.config()?.secrets {
        Some(Place::File) => return Ok(()),
        Some(Place::Keyring) => {
            return keyring::probe().map_err(|failure| keyring::unavailable(&failure));
        }
        None => {}
    }
    let why = if context.settings.has_session_bus {
        keyring::probe().err().map(|failure| failure.to_string())
    } else {
        Some("there is no session bus".to_owned())
    };
    let place = if why.is_none() { Place::Keyring } else { Place::File };
    if let Some(why) = why {
        let path = context.folder.path(FILE);
        ui::say(&format!("No keyring answers ({why}): secrets are kept in {}.", path.display()));
    }
    Config::update(&context.folder, |config| config.secrets = Some(place))?;
    Credentials::relocate(&context.folder, place).map(drop)
}

/// Exchanges the identity provider's token for a session. `retry` says how to get another token where
/// this one is not accepted.
pub(super) fn exchange(
    exchange: &TokenExchange,
    retry: &str,
    context: &Context,
) -> Result<Session, Error> {
    let session = context.client()?.exchange_token(exchange, &idempotency_key()?);
    session.map_err(|error| match error {
        // Not a session that ended: there is none yet.
        ClientError::Refused(refusal) => {
            let code = Code::from(refusal.code);
            let hint = if code == Code::Unavailable { "try again in a moment" } else { retry };
            Error::new(code, refusal.message).hint(hint)
        }
        other => other.into(),
    })
}

/// Keeps the session in the place of an older one.
pub(super) fn keep(
    session: Session,
    grant: Option<Grant>,
    context: &Context,
) -> Result<StoredSession, Error> {
    let began_at = now();
    let kept = StoredSession {
        access_token: session.access_token.into(),
        user: session.user,
        began_at: Some(began_at),
        expires_at: began_at.plus_seconds(session.expires_in),
        grant,
    };
    let authority = context.authority()?;
    Credentials::update(&context.folder, |all| {
        all.at_mut(authority).session = Some(kept.clone());
    })?;
    pin_keys(context);
    Ok(kept)
}

/// Keeps the authority's public keys, for checking its receipts when it is not there. A sign-in is
/// good without them.
pub(super) fn pin_keys(context: &Context) {
    let pinned = || {
        let jwks = context.client()?.jwks()?;
        pinned::pin(&context.folder, context.authority()?, jwks)
    };
    if let Err(error) = pinned() {
        ui::warning(&format!("the authority's keys could not be kept: {error}"));
    }
}

/// Says who is signed in.
pub(super) fn print(session: &StoredSession, output: &TextOrJson) -> Result<(), Error> {
    let user = &session.user;
    if output.format == Format::Json {
        return ui::json(&Output {
            authenticated: true,
            email: user.email.as_deref(),
            user_id: user.id.as_str(),
            expires_at: session.expires_at.into(),
        });
    }
    ui::data(&format!("✅ Authenticated as {}", display_name(user)))
}

/// What an operator is called.
pub(super) fn display_name(user: &User) -> &str {
    user.email.as_deref().or(user.name.as_deref()).unwrap_or(user.id.as_str())
}
