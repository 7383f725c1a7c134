//! Texts that nobody can guess.

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The operating system gave no entropy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no entropy")]
pub struct NoEntropy;

/// 256 random bits in base64url: 43 characters.
pub(crate) fn unguessable() -> Result<String, NoEntropy> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).map_err(|_| NoEntropy)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_draws_differ_and_are_43_characters_long() {
        let (one, two) = (unguessable().expect("entropy"), unguessable().expect("entropy"));
        assert_ne!(one, two);
        assert_eq!((one.len(), two.len()), (43, 43));
    }
}
