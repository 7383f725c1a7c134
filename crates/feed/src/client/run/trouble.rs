//! What is told and done where a node is of no use.

use tokio::time::Instant;

use super::Run;
use crate::client::session::Ended;
use crate::client::{RETRY_EACH, RETRY_REFUSED};

impl Run {
    /// A node was of no use, or is no longer. The next is tried at once, unless all were.
    pub(super) fn failed(&mut self, node: usize, ended: Ended) {
        let alone = self.links.count() == 0;
        let authority = self.nodes[node].way.node();
        let (told, mut pause) = (&mut self.nodes[node].told, RETRY_EACH);
        match ended {
            Ended::Lost(why) => {
                told.forget();
                tracing::warn!(%authority, why, "the connection to the feed ended");
            }
            Ended::Unreached(why) => {
                if told.is_news(&why) {
                    tracing::warn!(%authority, why, "the feed cannot be reached");
                }
            }
            // What is known stays: the lease ends by itself, and a credential may be known again.
            Ended::NotAdmitted(why) => {
                pause = RETRY_REFUSED;
                if told.is_news(&why) {
                    tracing::error!(%authority, "{why}");
                }
            }
            Ended::Refused(why) => {
                pause = RETRY_REFUSED;
                if told.is_news(&why) {
                    let so = if alone { ", and no token accepted" } else { "" };
                    tracing::error!(%authority, "this authority is not followed{so}: {why}");
                }
                if alone {
                    self.known.give_up();
                }
            }
            Ended::Misfit(why) => {
                tracing::warn!(
                    %authority,
                    why,
                    "what is known here does not fit the feed: asking anew"
                );
                // Another link says what is missing.
                if alone {
                    self.known.give_up();
                    self.anew = true;
                    // Once is a matter of course. Again and again, each time by a whole snapshot, is one of
                    // two programs that do not understand each other.
                    self.misfits += 1;
                    if self.misfits > 1 {
                        pause = RETRY_REFUSED;
                    }
                }
            }
        }
        if self.known.position().is_some() {
            self.misfits = 0;
        }
        self.rounds.failed(self.links.count(), pause, Instant::now());
    }
}
