//! Whether what this process knows can still be relied on. Once it cannot, it says nothing any more:
//! no verdicts, no grants, no "revoked".

use std::pin::pin;
use std::sync::OnceLock;

use tokio::sync::Notify;

/// A doubt, which ends with the process.
#[derive(Debug, Default)]
pub struct Doubt {
    why: OnceLock<String>,
    begun: Notify,
}

impl Doubt {
    /// Begins to doubt, and says so loudly. Of several reasons the first counts.
    pub fn begin(&self, why: String) {
        tracing::error!(why, "no verdict is given any more, and nobody is granted anything");
        let _the_first_counts = self.why.set(why);
        self.begun.notify_waiters();
    }

    /// Whether there is one.
    pub fn is_there(&self) -> bool {
        self.why.get().is_some()
    }

    /// Why, where there is one.
    pub fn why(&self) -> Option<&str> {
        self.why.get().map(String::as_str)
    }

    /// Waits until there is one.
    pub async fn begun(&self) {
        let mut begun = pin!(self.begun.notified());
        // Before the look, so that none is missed.
        begun.as_mut().enable();
        if !self.is_there() {
            begun.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_for_a_doubt_is_told_and_the_first_reason_stays() {
        let doubt = Doubt::default();
        let beginning = async {
            tokio::task::yield_now().await;
            doubt.begin("first".to_owned());
            doubt.begin("second".to_owned());
        };
        tokio::join!(doubt.begun(), beginning);
        doubt.begun().await;
        assert_eq!((doubt.is_there(), doubt.why()), (true, Some("first")));
    }
}
