//! Creating and listing tokens.

use nt_store::{CreatedToken, PageRequest, TokenFilter};
use nt_token::{Expiry, Jti, Scopes, State};

use crate::world::{T0, World, act, identity, on_each, operator};

#[tokio::test]
async fn a_token_is_remembered_with_all_that_its_value_is_signed_from() {
    on_each(async |world| {
        let (made, _) = world.workspace(&operator(1), "demo").await;
        for expiry in [
            Expiry::At(T0.plus_seconds(60)),
            Expiry::Never { claimed: T0.plus_seconds(315_360_000) },
        ] {
            let mut new = world.ids.token(made.id);
            new.expiry = expiry;
            new.scope = "mcp:call read".parse::<Scopes>().expect("scopes");
            new.source_networks = "2001:db8::/32 192.0.2.0/24".parse().expect("networks");
            let step = act(&operator(1), 3);
            let issued = world.store.create_token(new.clone(), step.clone()).await;
            let Ok(CreatedToken::New(token)) = issued else { panic!("{issued:?}") };
            assert_eq!((&token.jti, token.workspace), (&new.jti, made.id));
            assert_eq!((&token.created_by, token.created_at), (&step.operator, step.at));
            assert_eq!((token.expiry, &token.scope), (expiry, &new.scope));
            assert_eq!(token.source_networks, new.source_networks);
            assert_eq!((&token.description, &token.kid), (&new.description, &new.kid));
            assert_eq!((&token.audience, token.rv), (&new.audience, 0));
            assert_eq!((&token.state, &token.used), (&State::Live, &None));
            let found = world.store.token(made.id, &new.jti).await.expect("answers");
            assert_eq!(found, Some((token, None)));
        }
    })
    .await;
}

#[tokio::test]
async fn a_token_is_found_in_its_own_workspace_alone() {
    on_each(async |world| {
        let (_, mine) = world.workspace(&operator(1), "mine").await;
        let (other, _) = world.workspace(&operator(1), "other").await;
        assert_eq!(world.store.token(other.id, &mine.jti).await.expect("answers"), None);
        let nowhere = world.ids.token(world.ids.workspace_id());
        let created = world.store.create_token(nowhere, act(&operator(1), 0)).await;
        assert_eq!(created.expect("answers"), CreatedToken::NoWorkspace);
    })
    .await;
}

#[tokio::test]
async fn rv_is_the_head_of_the_log_when_the_token_was_issued() {
    on_each(async |world| {
        let owner = operator(1);
        let (made, first) = world.workspace(&owner, "demo").await;
        for expected in 1..4 {
            let entry = world.ids.entry();
            let jti = first.jti.clone();
            world.store.revoke_token(made.id, jti, entry, None, act(&owner, 0)).await.expect("ok");
            assert_eq!(world.token(made.id, act(&owner, 0)).await.rv, expected);
        }
    })
    .await;
}

#[tokio::test]
async fn a_repeated_creation_answers_with_the_token_that_it_made() {
    on_each(async |world| {
        let owner = operator(1);
        let (made, first) = world.workspace(&owner, "demo").await;
        let (other, _) = world.workspace(&owner, "other").await;
        let keyed = |workspace| {
            let mut new = world.ids.token(workspace);
            new.idempotency_key = Some("key".to_owned());
            new
        };
        let create =
            async |new, who| world.store.create_token(new, act(who, 9)).await.expect("answers");
        let CreatedToken::New(token) = create(keyed(made.id), &owner).await else {
            panic!("not created")
        };
        assert_eq!(create(keyed(made.id), &owner).await, CreatedToken::Repeated(token));
        assert_eq!(create(keyed(other.id), &owner).await, CreatedToken::KeyReused);
        let mut different = keyed(made.id);
        different.request_digest = [2; 32];
        assert_eq!(create(different, &owner).await, CreatedToken::KeyReused);
        let theirs = create(keyed(made.id), &operator(2)).await;
        assert!(matches!(theirs, CreatedToken::New(_)), "{theirs:?}");
        // A refresh under the key of a creation is another request.
        let refreshed = world.store.refresh_token(first.jti, keyed(made.id), act(&owner, 9)).await;
        assert_eq!(refreshed.expect("answers"), nt_store::RefreshedToken::KeyReused);
        assert_eq!(world.store.head().await.expect("answers").seq, 0);
    })
    .await;
}

#[tokio::test]
async fn a_list_shows_what_the_filter_asks_for_newest_first() {
    on_each(async |world| {
        let owner = operator(1);
        let session = world.ids.session(identity("1", Some("o@example.com")), owner.clone(), 0);
        world.store.open_session(session).await.expect("opened");
        let (made, first) = world.workspace(&owner, "demo").await;
        let later = world.token(made.id, act(&owner, 7)).await;
        let mut short = world.ids.token(made.id);
        short.expiry = Expiry::At(T0.plus_seconds(10));
        world.store.create_token(short.clone(), act(&owner, 3)).await.expect("created");
        let revoked = world.token(made.id, act(&owner, 5)).await;
        let (jti, entry) = (revoked.jti.clone(), world.ids.entry());
        world.store.revoke_token(made.id, jti, entry, None, act(&owner, 8)).await.expect("ok");

        let now = T0.plus_seconds(10);
        for (filter, expected) in [
            (TokenFilter::Active(now), vec![&later.jti, &first.jti]),
            (TokenFilter::Expired(now), vec![&short.jti]),
            (TokenFilter::Revoked, vec![&revoked.jti]),
            (TokenFilter::All, vec![&later.jti, &revoked.jti, &short.jti, &first.jti]),
        ] {
            let page = world.store.tokens(made.id, filter, PageRequest::default()).await;
            let page = page.expect("answers");
            assert_eq!(jtis(&page), expected, "{filter:?}");
            assert!(!page.more);
            assert!(page.tokens.iter().all(|(_, email)| email.as_deref() == Some("o@example.com")));
        }
    })
    .await;
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repetition() {
    on_each(async |world| {
        let (made, _) = world.workspace(&operator(1), "demo").await;
        for n in 0..24 {
            // Several at the same second: the JTI decides their order.
            world.token(made.id, act(&operator(1), n / 5)).await;
        }
        let whole = world.store.tokens(made.id, TokenFilter::All, PageRequest::default()).await;
        let whole = whole.expect("answers");
        assert_eq!(whole.tokens.len(), 25);
        for size in [1, 7, 24, 25, 26] {
            let pages = in_pages(&world, made.id, size).await;
            assert_eq!(pages.iter().collect::<Vec<_>>(), jtis(&whole), "pages of {size}");
        }
        let nothing = PageRequest { limit: Some(0), after: None };
        let page = world.store.tokens(made.id, TokenFilter::All, nothing).await.expect("answers");
        assert_eq!((page.tokens.len(), page.more), (0, true));
    })
    .await;
}

async fn in_pages(world: &World, workspace: nt_token::WorkspaceId, size: u32) -> Vec<Jti> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let request = PageRequest { limit: Some(size), after };
        let page = world.store.tokens(workspace, TokenFilter::All, request).await.expect("answers");
        all.extend(jtis(&page).into_iter().cloned());
        let Some((last, _)) = page.tokens.last() else { return all };
        after = Some((last.created_at, last.jti.clone()));
        if !page.more {
            return all;
        }
        assert_eq!(page.tokens.len(), size as usize);
    }
}

fn jtis(page: &nt_store::TokenPage) -> Vec<&Jti> {
    page.tokens.iter().map(|(token, _)| &token.jti).collect()
}
