//! The rules, broken one at a time.

use std::time::Duration;

use nt_revocation::protocol::Rules;
use stateright::{Checker, HasDiscoveries, Model, UniformChooser};

use super::world::Bounds;
use super::{ALL, Checked, LEAVES, NESTED, PROMISE, RESTART};

/// Little time, so that more of the steps are others.
const SHORT_LEAVES: Bounds = Bounds { ticks: 1, ..LEAVES };

/// A set of rules of which one is broken, and the test that the checker notices.
macro_rules! broken {
    ($test:ident, $name:ident, $rule:ident, $bounds:expr) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(super) struct $name;

        impl Rules for $name {
            const $rule: bool = true;
        }

        #[test]
        fn $test() {
            must_be_caught::<$name>($bounds);
        }
    };
}

fn must_be_caught<R: Rules>(bounds: Bounds) {
    let checker = Checked::<R>::new(bounds)
        .checker()
        .finish_when(HasDiscoveries::AnyFailures)
        .target_state_count(10_000_000)
        .timeout(Duration::from_mins(1))
        .spawn_simulation(7, UniformChooser)
        .join();
    let found = checker.discovery(PROMISE);
    println!("{} states", checker.state_count());
    let path = found.expect("the broken rule goes unnoticed");
    println!("{:?}", path.into_actions());
}

broken!(a_lease_timed_from_its_receipt_is_caught, AnchorAtReceipt, ANCHOR_AT_RECEIPT, ALL);
broken!(a_grant_without_a_minimum_is_caught, GrantWithoutMin, GRANT_WITHOUT_MIN, ALL);
broken!(a_node_lease_before_catching_up_is_caught, BeforeCatchUp, LEASE_BEFORE_CATCH_UP, ALL);
broken!(a_node_lease_timed_from_the_answer_is_caught, AtAnswer, NODE_ANCHOR_AT_ANSWER, ALL);
broken!(answering_because_it_is_revoked_is_caught, Already, ANSWER_IF_ALREADY_REVOKED, ALL);
broken!(complete_without_sessions_is_caught, NoSessions, COMPLETE_WITHOUT_SESSIONS, ALL);
broken!(forgetting_an_incarnation_is_caught, Forgets, JOIN_FORGETS_OLD_INCARNATION, RESTART);
broken!(members_from_before_the_commit_are_caught, Early, MEMBERS_BEFORE_COMMIT, ALL);
broken!(a_close_taken_for_a_release_is_caught, CloseIsRelease, CLOSE_IS_RELEASE, ALL);
broken!(a_grant_that_outlives_its_node_is_caught, Outlives, GRANT_OUTLIVES_NODE, NESTED);
broken!(a_renewal_by_a_zombie_is_caught, ByRead, RENEWAL_BY_READ, ALL);
broken!(gone_without_waiting_is_caught, GoneAtOnce, GONE_AT_ONCE, ALL);
broken!(a_leave_before_its_sessions_ended_is_caught, LeftAtOnce, LEFT_AT_ONCE, SHORT_LEAVES);
