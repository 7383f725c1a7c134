//! Whether a log goes through what was once known of it: the rule is the protocol's.

pub(crate) use nt_revocation::protocol::history::{Loss, loss};
