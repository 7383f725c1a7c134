//! Counting uses and denials.

use std::net::IpAddr;
use std::slice;

use nt_store::{Denial, UseDelta, Visibility};
use nt_token::record::TokenUse;

use crate::world::{T0, on_each, operator};

fn address(last: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, last])
}

#[tokio::test]
async fn uses_add_up_and_the_latest_one_is_shown() {
    on_each(async |world| {
        let (made, token) = world.workspace(&operator(1), "demo").await;
        let delta = |count, after, last| UseDelta {
            jti: token.jti.clone(),
            count,
            last_at: T0.plus_seconds(after),
            last_from: Some(address(last)),
        };
        world.store.count(vec![delta(2, 5, 1)], vec![]).await.expect("counted");
        // One comes late.
        let late = vec![delta(3, 9, 2), delta(1, 7, 3)];
        world.store.count(late, vec![]).await.expect("counted");
        let used = TokenUse { count: 6, last_at: T0.plus_seconds(9), last_from: Some(address(2)) };
        let found = world.store.token(made.id, &token.jti).await.expect("answers");
        assert_eq!(found.expect("there").0.used, Some(used));
        let unknown = UseDelta { jti: world.ids.jti(), ..delta(1, 9, 1) };
        world.store.count(vec![unknown], vec![]).await.expect("counted, of no token");
    })
    .await;
}

#[tokio::test]
async fn an_unknown_address_does_not_replace_a_known_one() {
    on_each(async |world| {
        let (made, token) = world.workspace(&operator(1), "demo").await;
        let at = |after| T0.plus_seconds(after);
        // One at a time; the last comes late.
        for (after, from) in [(1, None), (2, Some(address(1))), (3, None), (0, Some(address(2)))] {
            let (jti, last_at) = (token.jti.clone(), at(after));
            let used = UseDelta { jti: jti.clone(), count: 1, last_at, last_from: from };
            let denied = Denial {
                jti,
                workspace: made.id,
                count: 1,
                first_at: last_at,
                last_at,
                last_from: from,
            };
            world.store.count(vec![used], vec![denied]).await.expect("counted");
        }
        let found = world.store.token(made.id, &token.jti).await.expect("answers");
        let used = TokenUse { count: 4, last_at: at(3), last_from: Some(address(1)) };
        assert_eq!(found.expect("there").0.used, Some(used));
        let denied = world.store.denials(Visibility::Everything, None, None, 9).await;
        let denied = denied.expect("answers");
        assert_eq!((denied[0].last_at, denied[0].last_from), (at(3), Some(address(1))));
    })
    .await;
}

#[tokio::test]
async fn denials_add_up_and_are_shown_to_members_the_latest_first() {
    on_each(async |world| {
        let (mine, token) = world.workspace(&operator(1), "mine").await;
        let (theirs, other) = world.workspace(&operator(2), "theirs").await;
        let denial = |workspace, jti: &nt_token::Jti, count, first, last| Denial {
            jti: jti.clone(),
            workspace,
            count,
            first_at: T0.plus_seconds(first),
            last_at: T0.plus_seconds(last),
            last_from: Some(address(4)),
        };
        let deltas =
            vec![denial(mine.id, &token.jti, 2, 5, 6), denial(theirs.id, &other.jti, 1, 8, 8)];
        world.store.count(vec![], deltas).await.expect("counted");
        let more = vec![denial(mine.id, &token.jti, 3, 3, 4), denial(mine.id, &token.jti, 1, 7, 7)];
        world.store.count(vec![], more).await.expect("counted");

        let mine = denial(mine.id, &token.jti, 6, 3, 7);
        let theirs = denial(theirs.id, &other.jti, 1, 8, 8);
        let ask = async |visible, jti, since, limit| {
            world.store.denials(visible, jti, since, limit).await.expect("answers")
        };
        let all = Visibility::Everything;
        let of = |number| Visibility::Of(operator(number));
        assert_eq!(ask(all.clone(), None, None, 9).await, [theirs.clone(), mine.clone()]);
        assert_eq!(ask(all.clone(), None, None, 1).await, slice::from_ref(&theirs));
        assert_eq!(ask(of(1), None, None, 9).await, slice::from_ref(&mine));
        assert_eq!(ask(of(2), None, None, 9).await, slice::from_ref(&theirs));
        assert!(ask(of(2), Some(token.jti.clone()), None, 9).await.is_empty());
        assert_eq!(ask(of(1), Some(token.jti.clone()), None, 9).await, slice::from_ref(&mine));
        assert_eq!(ask(all.clone(), Some(token.jti), None, 9).await, [mine]);
        assert_eq!(ask(all, None, Some(T0.plus_seconds(8)), 9).await, [theirs]);
    })
    .await;
}
