//! Random steps, taken on a database and on the model alike: their answers must agree.

use std::fmt::Debug;

use nt_revocation::{Entry, Fact, ScopeOf};
use nt_store::{
    Act, Action, AuditQuery, CredentialHash, Denial, Grant, Identity, Logged, MemoryStore,
    NewClient, NewKey, NewSession, NewToken, NewVerifier, NewWorkspace, Organisation, PageRequest,
    PersonKey, Purpose, Right, Role, SealedKey, SessionHash, Store, StoreError, TokenFilter,
    UseDelta, Visibility,
};
use nt_token::key::Algorithm;
use nt_token::{
    ClientName, EntryId, Expiry, Jti, KeyId, OperatorId, Timestamp, VerifierId, VerifierName,
    WorkspaceId,
};

use crate::audit::{everything, records};
use crate::world::{Ids, T0, World, act, follower, identity, kid, operator};

#[tokio::test]
async fn random_steps_on_sqlite_answer_as_the_model_does() {
    for seed in [1, 2] {
        let world = World::sqlite(tempfile::tempdir().expect("a directory"));
        compare(world, seed, 3_000).await;
    }
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a test's own setting")]
async fn random_steps_on_postgresql_answer_as_the_model_does() {
    let full = std::env::var_os("NT_TESTKIT_FULL").is_some_and(|value| value == "1");
    compare(World::postgres(), 4, if full { 10_000 } else { 1_200 }).await;
}

async fn compare(world: World, seed: u64, steps: usize) {
    let (follower, told) = follower();
    let model = MemoryStore::new(follower);
    let mut dice = Dice(seed);
    let mut known = Known::default();
    for step in 0..steps {
        let taken = known.throw(&mut dice);
        let expected = taken.take(&model).await;
        let answer = taken.take(&*world.store).await;
        assert_eq!(answer, expected, "seed {seed}, step {step}: {taken:?}");
    }
    let entries = world.followed();
    assert!(entries.len() > steps / 40, "the steps revoke: {}", entries.len());
    let is_of_member =
        |entry: &Entry| matches!(entry.fact, Fact::ScopeRevoked { scope: ScopeOf::Member(..), .. });
    assert!(entries.iter().any(is_of_member), "seed {seed}: members are removed");
    let done = records(&world, AuditQuery { limit: u32::MAX, ..everything() }).await;
    // A recovery is no step of a store that is open.
    let steps_do = Action::ALL.into_iter().filter(|action| *action != Action::AuthorityRecovered);
    for action in steps_do {
        let often = done.iter().filter(|record| record.action == action).count();
        assert!(often > steps / 600, "seed {seed}: {action:?} was done {often} times");
    }
    let model = told.lock().expect("no panic").clone();
    assert_eq!(without_idx(&entries), without_idx(&model), "seed {seed}: told the same");
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
    OpenSession(NewSession),
    Operator(Identity, OperatorId, i64),
    EndSessions(Vec<SessionHash>, Act),
    TouchSessions(Vec<(SessionHash, Timestamp)>),
    LiveSessions(i64),
    CreateWorkspace(NewWorkspace, NewToken, Act),
    Members(WorkspaceId),
    AddMember(WorkspaceId, PersonKey, Role, Act),
    ChangeMember(WorkspaceId, PersonKey, Role, Role, Act),
    RemoveMember(WorkspaceId, PersonKey, Role, Option<EntryId>, Act),
    Describe(WorkspaceId, Option<String>, Act),
    Delete(WorkspaceId, EntryId, Option<String>, Act),
    Deletion(WorkspaceId, OperatorId, String),
    CreateToken(NewToken, Act),
    Revoke(WorkspaceId, Jti, EntryId, Option<String>, Act),
    Refresh(Jti, NewToken, Act),
    Count(Vec<UseDelta>, Vec<Denial>),
    Audit(AuditQuery),
    Denials(Visibility, Option<Jti>, Option<i64>, u32),
    Tokens(WorkspaceId, TokenFilter, PageRequest),
    Token(WorkspaceId, Jti),
    Workspaces(OperatorId, WorkspaceId),
    Log(u64, u32),
    AddVerifier(NewVerifier, Act),
    RemoveVerifier(VerifierName, Act),
    TouchVerifiers(VerifierId, i64),
    AddClient(NewClient, Act),
    RemoveClient(ClientName, Act),
    AddKey(NewKey, Act),
    ActivateKey(KeyId, Act),
    RetireKey(KeyId, Act),
    RevokeKey(KeyId, EntryId, NewKey, Act),
}

impl Taken {
    /// Takes the step; the answer as text, without what is drawn at random.
    async fn take(&self, store: &dyn Store) -> String {
        match self {
            Self::Append(facts) => told(store.append(facts.clone()).await),
            Self::OpenSession(new) => told(store.open_session(new.clone()).await),
            Self::Operator(identity, id, after) => {
                let at = T0.plus_seconds(*after);
                told(store.operator(identity.clone(), id.clone(), at).await)
            }
            Self::EndSessions(hashes, act) => {
                told(store.end_sessions(hashes.clone(), act.clone()).await)
            }
            Self::TouchSessions(used) => told(store.touch_sessions(used.clone()).await),
            Self::LiveSessions(after) => told(store.live_sessions(T0.plus_seconds(*after)).await),
            Self::CreateWorkspace(new, first, act) => {
                told(store.create_workspace(new.clone(), first.clone(), act.clone()).await)
            }
            Self::Members(id) => told(store.members(*id).await),
            Self::AddMember(id, who, role, act) => {
                told(store.add_member(*id, who.clone(), *role, act.clone()).await)
            }
            Self::ChangeMember(id, who, was, role, act) => {
                told(store.change_member(*id, who.clone(), *was, *role, act.clone()).await)
            }
            Self::RemoveMember(id, who, was, entry, act) => {
                told(store.remove_member(*id, who.clone(), *was, *entry, act.clone()).await)
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
                let list = list + &told(store.workspace(*id, operator).await);
                let list = list + &told(store.live_workspace(*id).await);
                list + &told(store.workspaces_of("org_1").await)
            }
            Self::Log(seq, limit) => {
                let log = told(store.entries_after(*seq, *limit).await);
                log + &told(store.head().await)
            }
            Self::AddVerifier(new, act) => told(store.add_verifier(new.clone(), act.clone()).await),
            Self::RemoveVerifier(name, act) => {
                told(store.remove_verifier(name.clone(), act.clone()).await)
            }
            Self::TouchVerifiers(id, after) => {
                let at = T0.plus_seconds(*after);
                let touched = store.touch_verifiers(vec![(id.clone(), at, after.to_string())]);
                told(touched.await) + &told(store.verifiers().await)
            }
            Self::AddClient(new, act) => {
                let added = told(store.add_client(new.clone(), act.clone()).await);
                added + &told(store.client(new.hash).await)
            }
            Self::RemoveClient(name, act) => {
                let removed = told(store.remove_client(name.clone(), act.clone()).await);
                removed + &told(store.clients().await)
            }
            Self::AddKey(new, act) => {
                told(store.add_key(new.clone(), act.clone()).await) + &told(store.keys().await)
            }
            Self::ActivateKey(kid, act) => {
                let kid = in_state(store, "announced").await.unwrap_or_else(|| kid.clone());
                told(store.activate_key(&kid, act.clone()).await)
            }
            Self::RetireKey(kid, act) => {
                let kid = in_state(store, "announced").await.unwrap_or_else(|| kid.clone());
                told(store.retire_key(&kid, act.clone()).await)
            }
            Self::RevokeKey(kid, entry, successor, act) => {
                let active = in_state(store, "active").await;
                let kid = active.filter(|_| entry.0[15] % 2 == 0).unwrap_or_else(|| kid.clone());
                let revoked = store.revoke_key(&kid, *entry, successor.clone(), act.clone()).await;
                told(revoked) + &told(store.keys().await)
            }
        }
    }
}

/// The key that is in this state, so that steps meet it more often than by its name alone.
async fn in_state(store: &dyn Store, state: &str) -> Option<KeyId> {
    let keys = store.keys().await.expect("answers");
    keys.into_iter().find(|key| key.state.name() == state).map(|key| key.kid)
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
    belonging: Vec<(WorkspaceId, PersonKey, Role)>,
    verifiers: Vec<VerifierId>,
    clients: Vec<CredentialHash>,
    keys: Vec<KeyId>,
}

impl Known {
    fn throw(&mut self, dice: &mut Dice) -> Taken {
        self.clock += i64::try_from(dice.below(3)).expect("small");
        match dice.below(42) {
            0 => Taken::Append(self.facts(dice)),
            1 => self.open_session(dice),
            2 => Taken::EndSessions(vec![self.session(dice), self.session(dice)], self.act(dice)),
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
            23 => {
                let at = T0.plus_seconds(self.clock - i64::from(small(dice)));
                Taken::TouchSessions(vec![(self.session(dice), at), (self.session(dice), at)])
            }
            24 => Taken::Operator(person(dice), who(dice), self.clock),
            25 => Taken::Members(self.workspace(dice)),
            26..=28 => {
                let (at, who, role) = (self.workspace(dice), belongs(dice), role(dice));
                self.belonging.push((at, who.clone(), role));
                Taken::AddMember(at, who, role, self.act(dice))
            }
            29 | 31 => {
                let ((at, who, was), role) = (self.belonging(dice), role(dice));
                self.belonging.push((at, who.clone(), role));
                Taken::ChangeMember(at, who, was, role, self.act(dice))
            }
            30 => {
                let (at, who, was) = self.belonging(dice);
                let revoke = dice.coin().then(|| self.entry(dice));
                Taken::RemoveMember(at, who, was, revoke, self.act(dice))
            }
            32 => Taken::AddVerifier(self.new_verifier(dice), self.act(dice)),
            33 => Taken::RemoveVerifier(verifier_name(dice), self.act(dice)),
            34 => {
                let id = dice.of(&self.verifiers).unwrap_or(VerifierId::mint(0, [6; 10]));
                Taken::TouchVerifiers(id, self.clock - i64::from(small(dice)))
            }
            35 | 36 => Taken::AddKey(self.new_key(dice), self.act(dice)),
            37 => Taken::ActivateKey(self.key_name(dice), self.act(dice)),
            38 if dice.coin() => Taken::RetireKey(self.key_name(dice), self.act(dice)),
            38 => {
                let (kid, entry) = (self.key_name(dice), self.entry(dice));
                Taken::RevokeKey(kid, entry, self.new_key(dice), self.act(dice))
            }
            39 => Taken::AddClient(self.new_client(dice), self.act(dice)),
            40 => Taken::RemoveClient(client_name(dice), self.act(dice)),
            _ => Taken::Log(u64::from(small(dice)) * 10, small(dice)),
        }
    }

    fn act(&self, dice: &mut Dice) -> Act {
        Act { note: text(dice), ..act(&who(dice), self.clock) }
    }

    /// One that there may be, of the last few; or the one that signed the tokens.
    fn key_name(&self, dice: &mut Dice) -> KeyId {
        let last = &self.keys[self.keys.len().saturating_sub(4)..];
        if dice.below(10) == 0 { kid() } else { dice.of(last).unwrap_or_else(kid) }
    }

    /// Mostly with a fresh name.
    fn new_key(&mut self, dice: &mut Dice) -> NewKey {
        let kid = if dice.below(5) == 0 {
            self.key_name(dice)
        } else {
            format!("key-{}", self.ids.next()).parse().expect("a kid")
        };
        self.keys.push(kid.clone());
        let purpose = match dice.below(3) {
            0 => Purpose::First,
            1 => Purpose::Next(T0.plus_seconds(self.clock)),
            _ => Purpose::Old,
        };
        let logged =
            if dice.coin() { Logged::With(self.entry(dice)) } else { Logged::At(self.ids.next()) };
        let (algorithm, sealed) = (Algorithm::EdDsa, SealedKey(vec![7]));
        NewKey { kid, algorithm, jwk: "{}".to_owned(), sealed, purpose, logged }
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
        let new = self.ids.session(person(dice), who(dice), self.clock);
        self.sessions.push(new.hash);
        let organisation = Organisation { id: "org_1".to_owned(), role: text(dice) };
        let grant =
            Grant { workspace: self.workspace(dice), role: role(dice), may_revoke: dice.coin() };
        Taken::OpenSession(NewSession {
            client: text(dice),
            organisation: dice.coin().then_some(organisation),
            grant: dice.coin().then_some(grant),
            ..new
        })
    }

    fn session(&self, dice: &mut Dice) -> SessionHash {
        dice.of(&self.sessions).unwrap_or(SessionHash([0; 32]))
    }

    fn create_workspace(&mut self, dice: &mut Dice) -> Taken {
        let id = self.ids.workspace_id();
        // Few enough for some to be taken.
        let name = dice.below(50).to_string();
        let description = text(dice);
        let organisation = (dice.below(3) == 0).then(|| "org_1".to_owned());
        let new = NewWorkspace { id, name, description, idempotency_key: key(dice), organisation };
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

    /// Mostly somebody who was to belong to a workspace a while ago.
    fn belonging(&mut self, dice: &mut Dice) -> (WorkspaceId, PersonKey, Role) {
        let recent = self.belonging.len().saturating_sub(8);
        let known = dice.of(&self.belonging[recent..]).filter(|_| dice.below(5) > 0);
        known.unwrap_or_else(|| (self.workspace(dice), belongs(dice), role(dice)))
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
        new.right = match dice.below(8) {
            0 => Right::Organisation("org_1".to_owned()),
            1 => Right::Unrecorded,
            _ => Right::Member { least: role(dice) },
        };
        if dice.coin() {
            new.source_networks = "192.0.2.0/24 2001:db8::7".parse().expect("networks");
        }
        new.description = text(dice);
        new.idempotency_key = key(dice);
        new.request_digest = [u8::from(dice.below(4) == 0); 32];
        self.tokens.push((workspace, new.jti.clone()));
        new
    }

    /// Now and then with what another one has, or had.
    fn new_verifier(&mut self, dice: &mut Dice) -> NewVerifier {
        let again = (dice.below(20) == 0).then(|| dice.of(&self.verifiers)).flatten();
        let number = self.ids.next();
        let id = again.unwrap_or_else(|| VerifierId::mint(number, [6; 10]));
        self.verifiers.push(id.clone());
        let hash = self.ids.session(identity("0", None), operator(0), 0).hash.0;
        NewVerifier { id, name: verifier_name(dice), hash: CredentialHash(hash) }
    }

    /// Now and then with the secret of another one.
    fn new_client(&mut self, dice: &mut Dice) -> NewClient {
        let again = (dice.below(20) == 0).then(|| dice.of(&self.clients)).flatten();
        let fresh = self.ids.session(identity("0", None), operator(0), 0).hash.0;
        let hash = again.unwrap_or(CredentialHash(fresh));
        self.clients.push(hash);
        let rights = ["introspect", "revoke", "introspect revoke"][dice.below(3)];
        let rights = rights.parse().expect("rights");
        let workspace = dice.coin().then(|| self.workspace(dice));
        NewClient { name: client_name(dice), hash, rights, workspace }
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
        let last_from = dice.coin().then_some(std::net::IpAddr::from([192, 0, 2, 2]));
        vec![Denial { jti, workspace, count, first_at, last_at, last_from }]
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

/// Somebody at the identity provider.
fn person(dice: &mut Dice) -> Identity {
    identity(&dice.below(3).to_string(), dice.coin().then(|| address(dice)).as_deref())
}

/// Few, so that several have one and many are invited.
fn address(dice: &mut Dice) -> String {
    let name = ["a", "A", "b", "c"][dice.below(4)];
    format!("{name}@example.com")
}

fn belongs(dice: &mut Dice) -> PersonKey {
    if dice.coin() { PersonKey::Operator(who(dice)) } else { PersonKey::Email(address(dice)) }
}

fn role(dice: &mut Dice) -> Role {
    Role::ALL[dice.below(Role::ALL.len())]
}

fn visible(dice: &mut Dice) -> Visibility {
    if dice.below(4) == 0 { Visibility::Everything } else { Visibility::Of(who(dice)) }
}

/// Few, so that some are taken.
fn verifier_name(dice: &mut Dice) -> VerifierName {
    format!("edge-{}", dice.below(6)).parse().expect("a name")
}

/// Few, so that some are taken.
fn client_name(dice: &mut Dice) -> ClientName {
    format!("client-{}", dice.below(6)).parse().expect("a name")
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
