//! The nodes of the authority: what the database knows of each, and what becomes of them there.
//!
//! That a node joined, was fenced or is gone stands in the log as well, in the same step: who waits
//! for whom is decided by the log. Here is what the log has not: addresses, and the counter by which a
//! node renews its lease.

use nt_revocation::protocol::Member;
use nt_token::Timestamp;

/// Where a node's process lives: the boot of its host and the identity of its data directory. A process
/// that holds the lock of the same home knows that its predecessor has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Home(pub [u8; 16]);

/// A node that begins one of its lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNode {
    /// Which node, and which of its lives.
    pub member: Member,
    /// Where other nodes reach it, as a URL.
    pub address: String,
    /// Where its process lives.
    pub home: Home,
    /// Its program's version.
    pub version: String,
    /// When it began.
    pub at: Timestamp,
}

/// What the database says of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Its renewals are granted.
    Active,
    /// Its renewals are refused; what it granted may still run.
    Fenced,
}

/// A node that is not gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownNode {
    /// Which node, and which of its lives.
    pub member: Member,
    /// Where other nodes reach it, as a URL.
    pub address: String,
    /// Where its process lives.
    pub home: Home,
    /// Its program's version.
    pub version: String,
    /// Whether its renewals are granted.
    pub standing: Standing,
    /// How often it has renewed its lease.
    pub renewals: u64,
    /// Up to which entry it reported everything complete when it last renewed.
    pub acked: u64,
    /// When it last renewed, by its own clock; for people.
    pub last_seen: Timestamp,
}

/// A node's wish to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renewal {
    /// Which node, and which of its lives.
    pub member: Member,
    /// How often it has renewed before. Of two copies of one process only one can be right.
    pub renewals: u64,
    /// Up to which entry everything is complete at this node.
    pub acked: u64,
    /// When it asks.
    pub at: Timestamp,
}

/// What became of a renewal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewed {
    /// Granted, by a durable write. The lease counts from before the question, and only once
    /// everything up to `head` is applied.
    Granted {
        /// The log's last entry when it was granted.
        head: u64,
    },
    /// The node was fenced, or another process renews in its name: its lease is over at once.
    Refused,
}

/// How a node ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It leaves in order, says the node itself: none of its verifiers has a lease from it any more.
    Left,
    /// It was fenced, and everything that it may have granted has run out.
    RanOut,
}
