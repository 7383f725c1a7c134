//! Signing in as a CI job: with the OIDC token that the platform issues to it. There is no person, no
//! browser and no secret that somebody would have had to store; the session ends and is not renewed.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use nt_api::auth::TokenExchange;
use nt_token::Secret;

use super::keep;
use crate::arguments::TextOrJson;
use crate::context::Context;
use crate::error::Error;

/// No platform's token is longer.
const LONGEST: u64 = 16 * 1024;

/// Signs in with the token in this file; `-` is standard input. Keyrings are not looked for: the
/// machine is gone when the job is.
pub(super) fn sign_in(file: &Path, output: &TextOrJson, context: &Context) -> Result<(), Error> {
    let exchange = TokenExchange { oauth_token: token(file)?, nonce: None };
    let session = keep::exchange(
        &exchange,
        "ask the CI platform for a new token, and check the rule",
        context,
    )?;
    keep::print(&keep::keep(session, None, context)?, output)
}

fn token(file: &Path) -> Result<Secret, Error> {
    let is_input = file.as_os_str() == "-";
    let name = if is_input { "standard input".to_owned() } else { file.display().to_string() };
    let failed = |e: io::Error| Error::failed(format!("Could not read {name}: {e}"));
    let mut text = String::new();
    if is_input {
        io::stdin().lock().take(LONGEST + 1).read_to_string(&mut text).map_err(failed)?;
    } else {
        let file = File::open(file).map_err(failed)?;
        file.take(LONGEST + 1).read_to_string(&mut text).map_err(failed)?;
    }
    let text = Secret::from(text);
    let token = text.expose().trim();
    let is_compact = token.split('.').count() == 3;
    let is_bearable = token.bytes().all(|b| b.is_ascii_graphic());
    if text.expose().len() as u64 > LONGEST || !is_compact || !is_bearable {
        return Err(Error::usage(format!("There is no OIDC token in {name}."))
            .hint("it is a JWT: three parts with dots between them, and nothing else"));
    }
    Ok(Secret::from(token.to_owned()))
}
