//! CI jobs' tokens that were exchanged: each opens one session, at whichever node and after any restart.
//!
//! A job's token travels through logs and caches of its platform more easily than a person's. What was
//! exchanged once is of no use to whoever finds it.

use nt_identity::trust::TrustedJob;
use nt_store::JobToken;

use crate::authority::entropy::sha256;
use crate::authority::limits;

/// What is remembered of a job's token. By what was signed, because a signature can have several
/// spellings.
pub(super) fn used_once(token: &str, job: &TrustedJob) -> JobToken {
    let signed = token.rsplit_once('.').map_or(token, |(signed, _)| signed);
    JobToken {
        issuer: job.identity.issuer.clone(),
        digest: sha256(signed.as_bytes()),
        until: job.expires_at.plus_seconds(limits::USED_TOKEN_KEPT),
    }
}
