//! Asking an authority whose tokens it issues, before a verifier is made for them.

use nt_token::Expected;
use tokio::time::timeout;
use tonic::transport::Endpoint;

use super::session::{Ended, Since, connect};
use super::{CONNECT_WITHIN, Follower, Way};
use crate::proto::{FromAuthority, from_authority};

/// Why an authority did not say whose tokens it issues.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotTold {
    /// The credential, or what goes with it, is refused: somebody has to look after it.
    #[error("{0}")]
    NotAdmitted(String),
    /// Anything that may pass by itself.
    #[error("{0}")]
    NoAnswer(String),
}

/// The issuer and the audience that the authority's tokens name. Begins a session and leaves it at
/// once: it never asks for a lease, so nobody waits for it.
pub async fn introduce(endpoint: &Endpoint, follower: &Follower) -> Result<Expected, NotTold> {
    over(&endpoint.clone().into(), follower).await
}

pub(super) async fn over(way: &Way, follower: &Follower) -> Result<Expected, NotTold> {
    let (_line, answers) = connect(way, follower, Since::default(), CONNECT_WITHIN);
    let welcome = async {
        let mut answers = answers.await.map_err(why)?;
        let answer = answers.message().await.map_err(|status| why(status.into()))?;
        match answer {
            Some(FromAuthority { message: Some(from_authority::Message::Welcome(welcome)) }) => {
                Ok(welcome)
            }
            _ => Err(NotTold::NoAnswer("the authority's answer is no welcome".to_owned())),
        }
    };
    let welcome = timeout(2 * CONNECT_WITHIN, welcome).await;
    let welcome = welcome.map_err(|_| NotTold::NoAnswer("no answer to the call".to_owned()))??;
    if welcome.issuer.is_empty() || welcome.audience.is_empty() {
        return Err(NotTold::NoAnswer(
            "the authority does not say whose tokens it issues".to_owned(),
        ));
    }
    Ok(Expected { issuer: welcome.issuer, audience: welcome.audience })
}

fn why(ended: Ended) -> NotTold {
    match ended {
        Ended::NotAdmitted(why) => NotTold::NotAdmitted(why),
        Ended::Unreached(why) | Ended::Lost(why) | Ended::Misfit(why) | Ended::Refused(why) => {
            NotTold::NoAnswer(why)
        }
    }
}
