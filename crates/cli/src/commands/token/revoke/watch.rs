//! A revoke that is watched: who refuses the token already, who is waited for, and for how long at the
//! most. On standard error, while it happens.

use std::time::Duration;

use nt_api::revocations::Revocation;
use nt_api::tokens::TokenRevoked;
use nt_token::clock::Stopwatch;
use nt_token::{Jti, WorkspaceId};

use crate::client::REVOKE_LIMIT;
use crate::client::calls::Operator;
use crate::client::failure::ClientError;
use crate::ui;

/// Between two looks.
const LOOK_EACH: Duration = Duration::from_millis(100);

/// Revokes a token, and tells what happens until that is in force, or the time for a revoke is over.
pub(super) fn revoke(
    operator: &Operator<'_>,
    workspace: WorkspaceId,
    jti: &Jti,
    reason: Option<&str>,
) -> Result<TokenRevoked, ClientError> {
    let running = Stopwatch::start();
    let begun = operator.begin_to_revoke(workspace, jti, reason)?;
    if begun.status == "revoked" {
        return Ok(begun);
    }
    let mut told = String::new();
    while running.elapsed() < REVOKE_LIMIT {
        let state = match operator.revocation(workspace, jti) {
            Ok(state) => state,
            Err(error) => {
                ui::warning(&format!("the revocation cannot be watched: {error}"));
                break;
            }
        };
        if state.status == "revoked" {
            let stated = operator.receipt(workspace, jti).map(|stated| stated.receipt);
            if let Err(error) = &stated {
                ui::warning(&format!("the receipt could not be had: {error}"));
            }
            return Ok(TokenRevoked { status: state.status, receipt: stated.ok(), ..begun });
        }
        let who = who(&state);
        if who != told {
            ui::say(&format!("{who}, at most {}.", seconds(state.in_force_within_ms)));
            told = who;
        }
        std::thread::sleep(LOOK_EACH);
    }
    Ok(begun)
}

/// What is told anew only when it has changed.
fn who(state: &Revocation) -> String {
    let refused = match state.acknowledged_by.as_slice() {
        [] => String::new(),
        names => format!("Refused by {}. ", names.join(", ")),
    };
    let cut_off = match state.cut_off.as_slice() {
        [] => String::new(),
        names => format!("Cut off: {}. ", names.join(", ")),
    };
    let waiting = match state.waiting_for.as_slice() {
        [] => "the verifiers of the authority's process before".to_owned(),
        names => names.join(", "),
    };
    format!("{refused}{cut_off}Waiting for {waiting}")
}

/// Tenths, rounded up: it is a bound.
fn seconds(ms: u64) -> String {
    let tenths = ms.div_ceil(100);
    format!("{}.{} s", tenths / 10, tenths % 10)
}
