//! Revoking at three nodes while nodes, verifiers, networks and the database fail.

use std::thread;
use std::time::Duration;

use anyhow::Result;
use nt_postgres_testing::{Commit, Replicated};
use nt_testkit::checker::{examine, with_answers_too_early};
use nt_testkit::dice::Dice;
use nt_testkit::hammer::Hammer;
use nt_testkit::nodes::{Database, Wires};
use nt_testkit::operator::Operator;
use nt_testkit::{Nodes, settings};

use super::faults::Field;
use super::{NODES, fleet, targets, tokens, until_all};
use crate::report;

const VERIFIERS: usize = 6;
/// How many tokens nobody revokes.
const KEPT: usize = 2;
/// How many revokes are under way at once.
const REVOKERS: usize = 6;
/// An owner asks at the next node after this.
const PATIENCE: Duration = Duration::from_secs(5);
/// Long enough for every client to ask about every token once more.
const LAST_LOOK: Duration = Duration::from_millis(1_500);

#[test]
fn nobody_accepts_what_was_revoked_at_any_node_whatever_becomes_of_the_others_and_the_database() {
    let count = if settings::full() { 300 } else { 30 };
    (|| -> Result<()> {
        let (mut dice, chosen) = Dice::cast()?;
        report(&format!("cluster: NT_TESTKIT_SEED={chosen}"))?;
        let pair = Replicated::start(Commit::Synchronous)?;
        let mut nodes = Nodes::start(NODES, Database::Replicated(&pair), Wires::Namespaces)?;
        let mut followers = fleet(&nodes, VERIFIERS)?;
        let made = tokens(&nodes, KEPT + count)?;
        until_all(&followers, &made[0].token, 200)?;
        let hammer = Hammer::new(targets(&nodes, &followers, &made));
        let owners: Vec<Operator> =
            nodes.owners().into_iter().map(|owner| owner.patient(PATIENCE)).collect();
        let (told, checks) = hammer.during(|| {
            let mut field =
                Field { nodes: &mut nodes, followers: &mut followers, pair: &pair };
            let told = hammer.revoke_all(&owners, &made, KEPT, REVOKERS, |go_on| {
                field.rage(&mut dice, go_on)
            })?;
            // One that was started while the database was not back yet has ended, as it should; whoever
            // looks after it starts it again.
            nodes.nodes.iter_mut().try_for_each(|node| {
                node.world.until_ready().or_else(|_| node.world.restart())
            })?;
            until_all(&followers, &made[0].token, 200)?;
            // Each refuses what it may not have heard of: they accept again, so they know.
            (KEPT..made.len()).for_each(|token| hammer.heat(token));
            thread::sleep(LAST_LOOK);
            anyhow::Ok(told)
        });
        let (revokes, tally) = told?;
        let seen = examine(&checks, &revokes);
        let control = examine(&checks, &with_answers_too_early(&checks, &revokes));
        let mut took: Vec<_> =
            revokes.iter().map(|revoke| revoke.end.saturating_sub(revoke.start)).collect();
        took.sort();
        report(&format!(
            "cluster: {count} revokes (median {:?}, longest {:?}) at {NODES} nodes with {VERIFIERS} \
             verifiers; {tally}; {} checks ({} accepted), {} without a verdict, {} overlapped a \
             revoke; {} violations, {} refused for nothing; negative control: {} violations",
            took[count / 2],
            took[count - 1],
            seen.checks,
            seen.accepted,
            seen.unknown,
            seen.overlapped,
            seen.violations.len(),
            seen.refused_for_nothing.len(),
            control.violations.len(),
        ))?;
        assert!(seen.is_clean(), "{seen:#?}");
        assert_eq!((seen.revoked, seen.refused_after), (count, count));
        assert!(seen.overlapped >= 10 * count, "the run has no power: {}", seen.overlapped);
        assert!(control.violations.len() >= count, "the checker is blind");
        assert!(tally.is_full(), "something never happened: {tally}");
        Ok(())
    })()
    .expect("the story holds");
}
