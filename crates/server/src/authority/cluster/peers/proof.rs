//! How two nodes prove to each other that they have the same key secret, without showing it.

use aws_lc_rs::hmac;
use nt_revocation::protocol::Member;

/// What is random in a stream's beginning.
pub(super) type Nonce = [u8; 32];

/// Whose proof it is. What one side has proven is no proof of the other's.
#[derive(Debug, Clone, Copy)]
pub(super) enum Side {
    /// Whoever dialled.
    Dials,
    /// Whoever listens.
    Listens,
}

/// A stream's beginning, as both sides know it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Meeting {
    /// Who dialled.
    pub(super) from: Member,
    /// Who listens.
    pub(super) to: Member,
    /// What the first drew.
    pub(super) dialled: Nonce,
    /// What the second drew.
    pub(super) answered: Nonce,
}

/// What nodes of one authority know each other by.
pub struct PeerKey(hmac::Key);

impl PeerKey {
    /// What the key is derived from the key secret for.
    pub const LABEL: &str = "ntd peer";

    /// The key with these bytes.
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    pub(super) fn prove(&self, side: Side, meeting: &Meeting) -> Vec<u8> {
        hmac::sign(&self.0, &message(side, meeting)).as_ref().to_vec()
    }

    pub(super) fn is_proven(&self, side: Side, meeting: &Meeting, proof: &[u8]) -> bool {
        hmac::verify(&self.0, &message(side, meeting), proof).is_ok()
    }
}

fn message(side: Side, meeting: &Meeting) -> Vec<u8> {
    let mut message = b"ntd peers 1\n".to_vec();
    message.push(match side {
        Side::Dials => 1,
        Side::Listens => 2,
    });
    for member in [meeting.from, meeting.to] {
        message.extend(member.node.0.to_be_bytes());
        message.extend(member.incarnation.0.to_be_bytes());
    }
    message.extend(meeting.dialled);
    message.extend(meeting.answered);
    message
}

#[cfg(test)]
mod tests {
    use nt_revocation::protocol::{Incarnation, NodeId};

    use super::*;

    #[test]
    fn a_proof_is_of_one_side_of_one_meeting_by_one_key() {
        let member =
            |node| Member { node: NodeId(node), incarnation: Incarnation(node.wrapping_add(5)) };
        let meeting =
            Meeting { from: member(1), to: member(2), dialled: [3; 32], answered: [4; 32] };
        let key = PeerKey::new(&[7; 32]);
        let proof = key.prove(Side::Dials, &meeting);
        assert!(key.is_proven(Side::Dials, &meeting, &proof));
        assert!(!key.is_proven(Side::Listens, &meeting, &proof));
        assert!(!key.is_proven(Side::Dials, &meeting, &proof[..31]));
        assert!(!PeerKey::new(&[8; 32]).is_proven(Side::Dials, &meeting, &proof));
        for other in [
            Meeting { from: member(3), ..meeting },
            Meeting { to: member(3), ..meeting },
            Meeting { dialled: [5; 32], ..meeting },
            Meeting { answered: [5; 32], ..meeting },
        ] {
            assert!(!key.is_proven(Side::Dials, &other, &proof), "{other:?}");
        }
    }
}
