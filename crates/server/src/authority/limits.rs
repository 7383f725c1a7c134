//! Every limit, with its reason.

use std::num::NonZeroU32;
use std::time::Duration;

/// Longest request body in bytes: the largest that is needed is a token creation of a few hundred.
pub const BODY_BYTES: usize = 64 * 1024;

/// Longest description or reason, in characters: it is read in a table and in a ticket.
pub const TEXT_CHARS: usize = 256;

/// Longest `Idempotency-Key`, in bytes: a UUID or a hash fits several times over.
pub const IDEMPOTENCY_KEY_BYTES: usize = 255;

/// Shortest and longest workspace name: it is typed, and stands in paths and host names.
pub const NAME_CHARS: std::ops::RangeInclusive<usize> = 3..=32;

/// Most items on a page that a client asked to be cut.
pub const PAGE_ITEMS: u32 = 1_000;

/// Audit records on a page where the client does not say.
pub const AUDIT_ITEMS: u32 = 100;

/// Attempts with revoked tokens shown beside the audit records.
pub const DENIED_ITEMS: u32 = 100;

/// Sessions of one operator: beyond this many the oldest end. A person has a handful of machines.
pub const SESSIONS: usize = 100;

/// How long a CI job's token that was used is remembered after it has expired, in seconds: clocks of
/// nodes differ by less.
pub const USED_TOKEN_KEPT: i64 = 3_600;

/// How much later than what was written down the use of a session must be to be written down again, in
/// seconds.
pub const SESSION_USE_NOTED: i64 = 60;

/// The same where other nodes go by what was written down.
pub const SESSION_USE_NOTED_SHARED: i64 = 5;

/// How long after its idle time a session is good where other nodes may have used it last, in seconds:
/// what they have not written down yet, and how much their clocks may differ.
pub const SESSION_USE_UNKNOWN: i64 = 15;

/// Operators remembered by their provider's tokens; beyond it they are asked of the store again.
pub const PEOPLE: usize = 10_000;

/// How long they are remembered without asking again, in seconds: another node may know more.
pub const PEOPLE_FOR: i64 = 60;

/// Verifiers that are registered: a revoke is pushed to each of them.
pub const VERIFIERS: usize = 1_000;

/// Clients of the OAuth endpoints that are registered: a service has one, and somebody reads the list.
pub const CLIENTS: usize = 1_000;

/// Questions about tokens that one client or operator may ask in a second: far more than a service has
/// requests that are not answered by forward-auth, and half of what one core answers.
pub const INTROSPECTIONS: NonZeroU32 = NonZeroU32::new(5_000).expect("more than none");

/// Revocations over the OAuth endpoint that one client or operator may ask for in a second. Each is an
/// entry that the log keeps: a secret that leaked must not fill it.
pub const REVOCATIONS: NonZeroU32 = NonZeroU32::new(50).expect("more than none");

/// How many of them at once: whoever answers an incident has a list.
pub const REVOCATIONS_AT_ONCE: NonZeroU32 = NonZeroU32::new(1_000).expect("more than none");

/// How often the credentials from one network may be wrong in a second, on the long run: a program that
/// was set up wrongly tries again each second.
pub const FAILURES: NonZeroU32 = NonZeroU32::new(1).expect("more than none");

/// How often at once: several programs behind one address that were set up wrongly, and a test of theirs.
pub const FAILURES_AT_ONCE: NonZeroU32 = NonZeroU32::new(100).expect("more than none");

/// Askers, and networks with wrong credentials, of whom it is remembered how often they came, some 100
/// bytes each. Beyond it those are forgotten that were not met lately.
pub const RATED: usize = 16_384;

/// Longest version of a verifier's program that is kept, in characters.
pub const VERSION_CHARS: usize = 64;

/// Longest name of a client program that is kept with a session, in characters.
pub const CLIENT_CHARS: usize = 128;

/// Open connections: beyond this many, new ones wait in the kernel's queue.
pub const CONNECTIONS: usize = 16_384;

/// How long a client may take to send a request's head: shorter than any keep-alive idle time, so
/// it also ends idle connections.
pub const HEAD_WAIT: Duration = Duration::from_secs(75);

/// How long a TLS handshake may take: some round trips over the slowest of links.
pub const HANDSHAKE_WAIT: Duration = Duration::from_secs(10);

/// How often it is looked whether the certificate's files changed: who renews it has days, not minutes.
pub const CERTIFICATE_EVERY: Duration = Duration::from_mins(1);

/// How often it is told that a client was refused for its certificate: one that is left alone comes back
/// ten times a second.
pub const CLIENT_CERTIFICATE_LOG_EVERY: Duration = Duration::from_secs(10);

/// Longest head of a request, in bytes: what nginx takes, and gateways pass the heads of others on. It is
/// held in memory for each connection that is slow to send one.
pub const HEAD_BYTES: usize = 32 * 1024;

/// Requests at a time on one connection of HTTP/2: as many as gateways use of one.
pub const STREAMS: u32 = 200;

/// How long a client may take to answer a ping of HTTP/2, which it is sent after [`HEAD_WAIT`].
pub const PING_WAIT: Duration = Duration::from_secs(20);

/// How long a request may take, its body included.
pub const REQUEST_WAIT: Duration = Duration::from_secs(30);

/// How long a graceful stop waits for requests that were accepted.
pub const STOP_WAIT: Duration = Duration::from_secs(30);

/// Memory for tokens whose signature was checked, in bytes: some 80,000 tokens.
pub const SEEN_BYTES: u64 = 64 * 1024 * 1024;

/// Most log entries that a verifier which comes back is told; beyond it a snapshot is shorter.
pub const FEED_ENTRIES: u32 = 10_000;

/// Most verifiers that a receipt names as cut off.
pub const NAMED_CUT_OFF: usize = 100;

/// Longest time that a caller may ask a revoke to wait for, in seconds: so much shorter than
/// [`REQUEST_WAIT`] that the commit before and the answer after it fit in.
pub const PREFERRED_WAIT: u64 = 25;

/// How often uses are written down. A crash loses at most this much of the counts.
pub const COUNT_EVERY: Duration = Duration::from_secs(1);

/// Most tokens whose uses wait to be written down; beyond it, new ones are counted late or, under a
/// flood of distinct tokens, not at all. Nothing but statistics depends on it.
pub const COUNT_WAITING: usize = 65_536;

/// Most receipts that wait to be written down; one that does not fit is signed again when somebody
/// asks for it.
pub const RECEIPTS_WAITING: usize = 32_768;

/// How long it is waited for the receipt of the node that revoked, before another one states the
/// revocation: a little longer than receipts wait to be written down.
pub const RECEIPT_ELSEWHERE: Duration = Duration::from_secs(2);

/// How long after a revocation its node may still be about to state it, in seconds.
pub const RECEIPT_ELSEWHERE_FOR: i64 = 60;

/// How often it is looked for meanwhile.
pub const RECEIPT_LOOK: Duration = Duration::from_millis(100);

/// Tokens whose first revocation's place in the log is remembered, some 200 bytes each; beyond it the
/// log is read again for those that were not asked for lately.
pub const FIRST_REVOCATIONS: usize = 10_000;

/// How many commits are remembered with their time, for receipts: more than can happen between a
/// commit and its answer.
pub const RECENT_COMMITS: usize = 256;

/// How often attempts with one token are logged that was revoked, or is used from outside its networks.
pub const DENIED_LOG_EVERY: i64 = 60;

/// A revocation that took as long was held up: verifiers that answer do so sooner.
pub const HELD_UP: Duration = Duration::from_millis(100);

/// How often one address whose credential the feed refuses is logged, in seconds: it comes back each
/// second.
pub const REFUSED_LOG_EVERY: i64 = 60;

/// Most such addresses that are logged in that time: a flood of them fills no disk.
pub const REFUSED_LOGGED: usize = 100;

/// How often it is looked whether revocations may be forgotten. They come free once a month.
pub const SWEEP_EVERY: Duration = Duration::from_hours(1);

/// How long others may keep the published keys, in seconds. A new key is announced for as long before it
/// signs, so that nobody who fetched them in time meets a key that is not among them.
pub const JWKS_SECONDS: i64 = 60;

/// The same, as a header says it.
pub const JWKS_CACHED: &str = "public, max-age=60, must-revalidate";

/// How often it is looked whether the announced key is to sign, and a failure is tried again.
pub const KEYS_EVERY: Duration = Duration::from_secs(1);

/// Log entries read at once when the authority starts.
pub const REPLAY_ENTRIES: u32 = 10_000;

/// How long a canary is waited for: some ten times as long as one may take.
pub const CANARY_WAIT: Duration = Duration::from_secs(30);

/// How much later than the bound a canary may come into force before somebody is warned: a commit and
/// a machine that is busy.
pub const CANARY_LATE: Duration = Duration::from_secs(1);

/// Most verifiers that are measured one by one: as many as may be registered.
pub const MEASURED_VERIFIERS: usize = VERIFIERS;

/// How long a third party may rely on a Token Status List before it fetches it again, in seconds: a
/// minute is what it accepts, and fetching each list each minute costs nobody anything.
pub const STATUS_LIST_TTL: i64 = 60;

/// The same, as a header says it.
pub const STATUS_LIST_CACHED: &str = "public, max-age=60";

/// A list is not made again within this time, whatever happened meanwhile: so much staler is it.
pub const STATUS_LIST_EACH: Duration = Duration::from_secs(1);

/// How old a list's signature may get, in seconds, where nothing is to be said anew.
pub const STATUS_LIST_SIGNED: i64 = 30;

/// How long a list may be relied on after it was signed, in seconds, however many caches it came
/// through: as old as it may get here, as long in one cache on the way, and its ttl, with half a
/// minute for clocks that differ.
pub const STATUS_LIST_EXPIRES: i64 = 180;

/// Lists that are kept ready, each at most half a mebibyte, and mostly a few hundred bytes.
pub const STATUS_LISTS: usize = 64;

/// The longest pause after a list was made: twice as long as the largest takes, 900,000 records of
/// which have to be looked at.
pub const STATUS_LIST_PAUSE: Duration = Duration::from_secs(5);

/// How long an edge waits for a connection to its upstream: one that is there answers at once.
pub const UPSTREAM_CONNECT: Duration = Duration::from_secs(5);

/// How long a connection to an upstream is kept that nothing goes over: shorter than Node's five
/// seconds, which are the shortest among servers that are in wide use.
pub const UPSTREAM_IDLE: Duration = Duration::from_secs(4);

/// Most connections to an upstream that are kept without use.
pub const UPSTREAM_KEPT: usize = 256;

/// Most requests that share a connection to an upstream: what RFC 9113, 6.5.2, has servers allow at
/// least.
pub const UPSTREAM_STREAMS: usize = 100;

/// What is read at once of a proxied body, at most, and so kept of it; the longest head in HTTP/1.1.
pub const PROXY_BUFFER: usize = 64 * 1024;

/// The longest head of a proxied message in HTTP/2, as its specification counts it.
pub const PROXY_HEAD: u32 = 64 * 1024;

/// How long an upgraded connection may be silent in both directions. WebSockets that live are asked
/// for a sign of it each minute or so.
pub const TUNNEL_IDLE: Duration = Duration::from_mins(15);
