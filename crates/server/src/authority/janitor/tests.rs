//! A clock that is moved over months, and what is answered before and after.

use std::time::Duration;

use nt_api::tokens::CreateToken;
use nt_revocation::RevocationSet;
use nt_token::clock::Clock as _;

use super::*;
use crate::authority::NotAccepted;
use crate::authority::tests::World;

const DAY: i64 = 86_400;

fn days(days: u64) -> Duration {
    Duration::from_hours(24 * days)
}

#[tokio::test]
async fn what_ended_is_forgotten_and_nothing_that_is_answered_of_other_tokens_changes() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    let workspace = world.workspace(&owner, "main").await.workspace_id;
    let short = world.token(&owner, workspace, 30 * DAY).await;
    let (good, revoked) = (
        world.token(&owner, workspace, 300 * DAY).await,
        world.token(&owner, workspace, 300 * DAY).await,
    );
    let forever = CreateToken { no_expiry: true, ..CreateToken::default() };
    let forever = world.authority.issue(&owner, workspace, forever, None).await.expect("may");
    for jti in [&short.jti, &revoked.jti] {
        let done = world.authority.revoke(&owner, workspace, jti.clone(), None, None).await;
        done.expect("an owner may");
    }
    let mut janitor = Janitor::default();
    for _ in 0..3 {
        assert_eq!(janitor.sweep(&world.authority).await.expect("answers"), None);
    }
    world.clock.advance(days(60));
    let sweep = janitor.sweep(&world.authority).await;
    assert_eq!(sweep.expect("answers"), None, "the clock says so for the first time");
    world.clock.advance(Duration::from_hours(1));
    let sweep = janitor.sweep(&world.authority).await;
    let through = sweep.expect("answers").expect("September 2024 is over");
    assert_eq!(through.to_string(), "2024-09-30T23:59:59Z");
    assert_eq!(world.authority.set.horizon(), through);
    let sweep = janitor.sweep(&world.authority).await;
    assert_eq!(sweep.expect("answers"), None, "nothing more to forget");

    let kept = world.authority.set.memory();
    let world = world.restart().await;
    assert_eq!(world.authority.set.horizon(), through);
    assert!(world.authority.set.memory() < kept, "the list of September is gone");
    assert!(kept > RevocationSet::new().memory());
    world.verdict(short.access_token.expose()).expect_err("it has ended");
    let dead = world.verdict(revoked.access_token.expose());
    assert_eq!(dead, Err(NotAccepted::Revoked));
    for alive in [&good, &forever] {
        assert_eq!(world.verdict(alive.access_token.expose()), Ok(()));
    }
    let record = world.authority.store.token(workspace, &short.jti).await.expect("answers");
    let (record, _) = record.expect("records stay");
    assert!(record.state.revoked_at().is_some());
}

#[tokio::test]
async fn a_clock_that_ran_ahead_for_one_look_forgets_nothing() {
    let world = World::new().await;
    let (owner, _) = world.operator("owner@example.com").await;
    let workspace = world.workspace(&owner, "main").await.workspace_id;
    let token = world.token(&owner, workspace, 300 * DAY).await;
    let done = world.authority.revoke(&owner, workspace, token.jti.clone(), None, None).await;
    done.expect("an owner may");
    let mut janitor =
        Janitor { seen: Some(forgettable(world.clock.now().plus_seconds(4_000 * DAY))) };
    assert_eq!(janitor.sweep(&world.authority).await.expect("answers"), None);
    assert_eq!(janitor.sweep(&world.authority).await.expect("answers"), None);
    world.clock.advance(days(4_000));
    assert_eq!(janitor.sweep(&world.authority).await.expect("answers"), None);
}
