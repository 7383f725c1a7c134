//! Asking a node of the authority about one token, for what cannot bear a lease's delay.

use std::pin::Pin;

use crate::refusal::NotReady;

/// How fresh a verdict must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Freshness {
    /// From what is known here, under a lease. While there is none, a node is asked, if the
    /// verifier has somebody to [`Ask`]; else the answer is [`NotReady`].
    #[default]
    Local,
    /// A node is asked, every time. This holds even for a machine that was paused and does not know
    /// it, whose clocks stood still with it.
    Sync,
}

/// What a node says of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Answer {
    /// It is good.
    Good,
    /// It is not.
    Refused,
}

/// An answer that is still on its way.
pub type Asking<'a> = Pin<Box<dyn Future<Output = Result<Answer, NotReady>> + Send + 'a>>;

/// Somebody who asks a node. The signature was checked already; what the node adds is what the log
/// says now. Whoever implements this bounds the time that it takes.
pub trait Ask: Send + Sync {
    /// Asks about this token. No answer, or one that does not say yes or no, is [`NotReady`].
    fn ask<'a>(&'a self, token: &'a str) -> Asking<'a>;
}
