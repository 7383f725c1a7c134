//! Random steps, taken on SQLite and on the model alike: their answers must agree.

use std::fmt::Debug;

use nt_revocation::{Fact, ScopeOf};
use nt_store::{
    AuditQuery, Denial, MemoryStore, NewToken, NewWorkspace, PageRequest, SessionHash, Store,
    StoreError, TokenFilter, UseDelta, Visibility,
};
use nt_token::{EntryId, Expiry, Jti, OperatorId, WorkspaceId};

use crate::world::{Ids, T0, World, act, follower, identity, kid, operator};

const STEPS: usize = 2_000;

#[tokio::test]
async fn random_steps_answer_as_the_model_does() {
    for seed in [1, 2] {
        let (follower, told) = follower();
        let model = MemoryStore::new(follower);
        let world = World::sqlite(tempfile::tempdir().expect("a directory"));
        let mut dice = Dice(seed);
        let mut known = Known::default();
        for step in 0..STEPS {
            let taken = known.throw(&mut dice);
            let expected = taken.take(&model).await;
            let answer = taken.take(&*world.store).await;
            assert_eq!(answer, expected, "seed {seed}, step {step}: {taken:?}");
        }
        let entries = world.followed();
        assert!(entries.len() > STEPS / 20, "the steps revoke: {}", entries.len());
        let model = told.lock().expect("no panic").clone();
        assert_eq!(without_idx(&entries), without_idx(&model), "seed {seed}: told the same");
    }
}

/// SplitMix64: the same throws for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % end as u64).expect("below a usize")
    }

    fn coin(&mut self) -> bool {
        self.below(2) == 0
    }

    fn of<T: Clone>(&mut self, items: &[T]) -> Option<T> {
        if items.is_empty() { None } else { Some(items[self.below(items.len())].clone()) }
    }
}

/// A step with all that it needs, so that it can be taken twice.
#[derive(Debug)]
enum Taken {
    Append(Vec<(EntryId, Fact)>),
    OpenSession(nt_store::NewSession),
    EndSession(SessionHash, nt_store::Act),
    LiveSessions(i64),
    CreateWorkspace(NewWorkspace, NewToken, nt_store::Act),
    Describe(WorkspaceId, Option<String>, nt_store::Act),
    Delete(WorkspaceId, EntryId, Option<String>, nt_store::Act),
    Deletion(WorkspaceId, OperatorId, String),
    CreateToken(NewToken, nt_store::Act),
    Revoke(WorkspaceId, Jti, EntryId, Option<String>, nt_store::Act),
    Refresh(Jti, NewToken, nt_store::Act),
    Count(Vec<UseDelta>, Vec<Denial>),
    Audit(AuditQuery),
    Denials(Visibility, Option<Jti>, Option<i64>, u32),
    Tokens(WorkspaceId, TokenFilter, PageRequest),
    Token(WorkspaceId, Jti),
    Workspaces(OperatorId, WorkspaceId),
    Log(u64, u32),
}

impl Taken {
    /// Takes the step; the answer as text, without what is drawn at random.
    async fn take(&self, store: &dyn Store) -> String {
        match self {
            Self::Append(facts) => told(store.append(facts.clone()).await),
            Self::OpenSession(new) => told(store.open_session(new.clone()).await),
            Self::EndSession(hash, act) => told(store.end_session(*hash, act.clone()).await),
            Self::LiveSessions(after) => told(store.live_sessions(T0.plus_seconds(*after)).await),
            Self::CreateWorkspace(new, first, act) => {
                told(store.create_workspace(new.clone(), first.clone(), act.clone()).await)
            }
            Self::Describe(id, text, act) => {
                told(store.describe_workspace(*id, text.clone(), act.clone()).await)
            }
            Self::Delete(id, entry, key, act) => {
                told(store.delete_workspace(*id, *entry, key.clone(), act.clone()).await)
            }
            Self::Deletion(id, operator, key) => told(store.deletion(*id, operator, key).await),
            Self::CreateToken(new, act) => told(store.create_token(new.clone(), act.clone()).await),
            Self::Revoke(id, jti, entry, why, act) => {
                let (jti, why) = (jti.clone(), why.clone());
                told(store.revoke_token(*id, jti, *entry, why, act.clone()).await)
            }
            Self::Refresh(old, new, act) => {
                told(store.refresh_token(old.clone(), new.clone(), act.clone()).await)
            }
            Self::Count(uses, denials) => told(store.count(uses.clone(), denials.clone()).await),
            Self::Audit(query) => told(store.audit(query.clone()).await),
            Self::Denials(visible, jti, since, limit) => {
                let since = since.map(|after| T0.plus_seconds(after));
                told(store.denials(visible.clone(), jti.clone(), since, *limit).await)
            }
            Self::Tokens(id, filter, page) => told(store.tokens(*id, *filter, page.clone()).await),
            Self::Token(id, jti) => told(store.token(*id, jti).await),
            Self::Workspaces(operator, id) => {
                let list = told(store.workspaces(operator).await);
                list + &told(store.workspace(*id, operator).await)
            }
            Self::Log(seq, limit) => {
                let log = told(store.entries_after(*seq, *limit).await);
                log + &told(store.head().await)
            }
        }
    }
}

fn told<T: Debug>(answer: Result<T, StoreError>) -> String {
    match answer {
        Ok(answer) => without_idx(&answer),
        // Each database has words of its own.
        Err(StoreError::Database(_)) => "the database's own error".to_owned(),
        Err(error) => format!("{error:?}"),
    }
}

/// The answer as text, without places in lists: they are drawn. Which list is not.
fn without_idx(answer: &impl Debug) -> String {
    let text = format!("{answer:?}");
    let mut parts = text.split("idx: ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        text + "idx: _" + part.trim_start_matches(|c: char| c.is_ascii_digit())
    })
}

/// What earlier steps used: later ones use it again, or nearly.
#[derive(Default)]
struct Known {
    ids: Ids,
    clock: i64,
    workspaces: Vec<WorkspaceId>,
    tokens: Vec<(WorkspaceId, Jti)>,
    entries: Vec<EntryId>,
    sessions: Vec<SessionHash>,
}

impl Known {
    fn throw(&mut self, dice: &mut Dice) -> Taken {
        self.clock += i64::try_from(dice.below(3)).expect("small");
        match dice.below(24) {
            0 => Taken::Append(self.facts(dice)),
            1 => self.open_session(dice),
            2 => Taken::EndSession(self.session(dice), self.act(dice)),
            3 => Taken::LiveSessions(self.clock),
            4 | 5 => self.create_workspace(dice),
            6 => Taken::Describe(self.workspace(dice), text(dice), self.act(dice)),
            7 if dice.below(3) == 0 => {
                Taken::Delete(self.workspace(dice), self.entry(dice), key(dice), self.act(dice))
            }
            8 => Taken::Deletion(self.workspace(dice), who(dice), key(dice).unwrap_or_default()),
            9..=12 => {
                let new = self.token(dice);
                Taken::CreateToken(new, self.act(dice))
            }
            7 | 13..=15 => {
                let (workspace, jti) = self.issued(dice);
                Taken::Revoke(workspace, jti, self.entry(dice), text(dice), self.act(dice))
            }
            16 | 17 => {
                let (workspace, old) = self.issued(dice);
                let new = NewToken { workspace, ..self.token(dice) };
                Taken::Refresh(old, new, self.act(dice))
            }
            18 => Taken::Count(self.uses(dice), self.denials(dice)),
            19 => Taken::Audit(self.audit(dice)),
            20 => {
                let jti = dice.coin().then(|| self.issued(dice).1);
                let since = dice.coin().then_some(self.clock - 50);
                Taken::Denials(visible(dice), jti, since, small(dice))
            }
            21 => Taken::Tokens(self.workspace(dice), self.filter(dice), self.page(dice)),
            22 => {
                let (workspace, jti) = self.issued(dice);
                if dice.coin() {
                    Taken::Token(workspace, jti)
                } else {
                    Taken::Workspaces(who(dice), workspace)
                }
            }
            _ => Taken::Log(u64::from(small(dice)) * 10, small(dice)),
        }
    }

    fn act(&self, dice: &mut Dice) -> nt_store::Act {
        act(&who(dice), self.clock)
    }

    /// Mostly a fresh one.
    fn entry(&mut self, dice: &mut Dice) -> EntryId {
        let again = (dice.below(20) == 0).then(|| dice.of(&self.entries)).flatten();
        again.unwrap_or_else(|| {
            let fresh = self.ids.entry();
            self.entries.push(fresh);
            fresh
        })
    }

    fn facts(&mut self, dice: &mut Dice) -> Vec<(EntryId, Fact)> {
        let count = dice.below(3);
        let mut fact = || match dice.below(3) {
            0 => Fact::KeyAdded { kid: kid(), jwk: "{}".to_owned() },
            1 => Fact::KeyRevoked { kid: kid() },
            _ => Fact::ScopeRevoked { scope: ScopeOf::All, except: Vec::new() },
        };
        let facts: Vec<_> = (0..count).map(|_| fact()).collect();
        facts.into_iter().map(|fact| (self.entry(dice), fact)).collect()
    }

    fn open_session(&mut self, dice: &mut Dice) -> Taken {
        let number = dice.below(3);
        let email = dice.coin().then(|| format!("{}@example.com", dice.below(9)));
        let id = identity(&number.to_string(), email.as_deref());
        let number = u8::try_from(number).expect("small");
        let new = self.ids.session(id, operator(number), self.clock);
        self.sessions.push(new.hash);
        Taken::OpenSession(new)
    }

    fn session(&self, dice: &mut Dice) -> SessionHash {
        dice.of(&self.sessions).unwrap_or(SessionHash([0; 32]))
    }

    fn create_workspace(&mut self, dice: &mut Dice) -> Taken {
        let id = self.ids.workspace_id();
        let name = ["a", "b", "c", "d"][dice.below(4)].to_owned();
        let description = text(dice);
        let new = NewWorkspace { id, name, description, idempotency_key: key(dice) };
        let first = NewToken { workspace: id, ..self.token(dice) };
        self.workspaces.push(id);
        self.tokens.push((id, first.jti.clone()));
        Taken::CreateWorkspace(new, first, self.act(dice))
    }

    fn workspace(&mut self, dice: &mut Dice) -> WorkspaceId {
        // The latest ones are likelier to be live.
        let recent = self.workspaces.len().saturating_sub(8);
        dice.of(&self.workspaces[recent..]).unwrap_or_else(|| self.ids.workspace_id())
    }

    fn issued(&mut self, dice: &mut Dice) -> (WorkspaceId, Jti) {
        let recent = self.tokens.len().saturating_sub(20);
        let known = dice.of(&self.tokens[recent..]);
        let (workspace, jti) = known.unwrap_or_else(|| (self.workspace(dice), self.ids.jti()));
        let elsewhere = dice.below(10) == 0;
        (if elsewhere { self.workspace(dice) } else { workspace }, jti)
    }

    fn token(&mut self, dice: &mut Dice) -> NewToken {
        let workspace = self.workspace(dice);
        let mut new = self.ids.token(workspace);
        if dice.below(40) == 0 {
            new.jti = self.issued(dice).1;
        }
        let months = i64::try_from(dice.below(3)).expect("small") * 2_678_400;
        let ends = T0.plus_seconds(self.clock + 20 + months);
        new.expiry = if dice.coin() { Expiry::At(ends) } else { Expiry::Never { claimed: ends } };
        new.description = text(dice);
        new.idempotency_key = key(dice);
        new.request_digest = [u8::from(dice.below(4) == 0); 32];
        self.tokens.push((workspace, new.jti.clone()));
        new
    }

    fn uses(&mut self, dice: &mut Dice) -> Vec<UseDelta> {
        let count = 1 + u64::from(small(dice));
        let last_at = T0.plus_seconds(self.clock - i64::from(small(dice)));
        let last_from = dice.coin().then_some(std::net::IpAddr::from([192, 0, 2, 1]));
        vec![UseDelta { jti: self.issued(dice).1, count, last_at, last_from }]
    }

    fn denials(&mut self, dice: &mut Dice) -> Vec<Denial> {
        let (workspace, jti) = self.issued(dice);
        let last_at = T0.plus_seconds(self.clock - i64::from(small(dice)));
        let first_at = last_at.plus_seconds(-i64::from(small(dice)));
        let count = 1 + u64::from(small(dice));
        vec![Denial { jti, workspace, count, first_at, last_at, last_from: None }]
    }

    fn audit(&mut self, dice: &mut Dice) -> AuditQuery {
        AuditQuery {
            visible: visible(dice),
            jti: (dice.below(3) == 0).then(|| self.issued(dice).1),
            since: (dice.below(3) == 0).then(|| T0.plus_seconds(self.clock - 30)),
            before: (dice.below(3) == 0).then(|| u64::from(small(dice)) * 20),
            limit: small(dice),
        }
    }

    fn filter(&self, dice: &mut Dice) -> TokenFilter {
        let now = T0.plus_seconds(self.clock);
        let all = [TokenFilter::Active(now), TokenFilter::Expired(now), TokenFilter::Revoked];
        dice.of(&all).filter(|_| dice.below(4) > 0).unwrap_or(TokenFilter::All)
    }

    fn page(&mut self, dice: &mut Dice) -> PageRequest {
        let limit = dice.coin().then(|| small(dice));
        let after = dice.coin().then(|| (T0.plus_seconds(self.clock - 20), self.issued(dice).1));
        PageRequest { limit, after }
    }
}

fn who(dice: &mut Dice) -> OperatorId {
    operator(u8::try_from(dice.below(3)).expect("small"))
}

fn visible(dice: &mut Dice) -> Visibility {
    if dice.below(4) == 0 { Visibility::Everything } else { Visibility::Of(who(dice)) }
}

fn small(dice: &mut Dice) -> u32 {
    u32::try_from(dice.below(12)).expect("small")
}

fn text(dice: &mut Dice) -> Option<String> {
    dice.coin().then(|| "text".to_owned())
}

/// Few, so that they are used again.
fn key(dice: &mut Dice) -> Option<String> {
    (dice.below(3) == 0).then(|| format!("key {}", dice.below(40)))
}
