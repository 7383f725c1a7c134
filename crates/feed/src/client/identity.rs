//! The certificate that a verifier shows to an authority which demands one (mutual TLS), read again where
//! it was renewed on disk. What it opens is the authority's matter.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use nt_token::Secret;

/// Where a client certificate and its private key are, in PEM. They are read for each connection, so that
/// a renewal needs no restart: the next connection shows the new certificate. Write the key first, or both
/// under other names and rename them: files that do not fit together change nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate, followed by those between it and the authority's client CA.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Why a client certificate cannot be shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoIdentity {
    /// A file cannot be read.
    #[error("{path}: {source}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not PEM, or not the key of the certificate. What stands in the files is not part of this.
    #[error(
        "{certificate} and {key} are no client certificate and its private key in PEM",
        certificate = .0.certificate.display(), key = .0.key.display()
    )]
    Unusable(Identity),
}

/// What stands in the files.
#[derive(PartialEq)]
pub(crate) struct Pem {
    pub(crate) certificate: String,
    pub(crate) key: Secret,
}

impl Identity {
    pub(crate) fn read(&self) -> Result<Pem, NoIdentity> {
        Ok(Pem { certificate: text(&self.certificate)?, key: Secret::from(text(&self.key)?) })
    }

    pub(crate) fn unusable(&self) -> NoIdentity {
        NoIdentity::Unusable(self.clone())
    }
}

fn text(path: &Path) -> Result<String, NoIdentity> {
    let at = |source| NoIdentity::File { path: path.to_owned(), source };
    fs::read_to_string(path).map_err(at)
}

/// What shows an identity, made anew where that was renewed on disk.
pub(crate) struct Shows<T> {
    identity: Identity,
    last: Mutex<Option<Last<T>>>,
}

struct Last<T> {
    pem: Pem,
    made: T,
    /// Why what stands in the files now is not shown; once for as long as it stays the same.
    told: Option<String>,
}

impl<T: Clone> Shows<T> {
    pub(crate) fn new(identity: Identity) -> Self {
        Self { identity, last: Mutex::default() }
    }

    /// What was made of the files, by `make` if they are new. Where they cannot be used, what was made
    /// before.
    pub(crate) fn now(&self, make: impl FnOnce(&Pem) -> Option<T>) -> Result<T, NoIdentity> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let read = self.identity.read();
        if let (Some(last), Ok(pem)) = (last.as_mut(), &read)
            && last.pem == *pem
        {
            last.told = None;
            return Ok(last.made.clone());
        }
        let new = read.and_then(|pem| match make(&pem) {
            Some(fresh) => Ok(Last { pem, made: fresh, told: None }),
            None => Err(self.identity.unusable()),
        });
        match (new, last.as_mut()) {
            (Ok(new), before) => {
                if before.is_some() {
                    let file = self.identity.certificate.display();
                    tracing::info!(%file, "the client certificate was read again");
                }
                Ok(last.insert(new).made.clone())
            }
            (Err(why), Some(before)) => {
                let why = why.to_string();
                if before.told.as_ref() != Some(&why) {
                    tracing::error!("the client certificate stays as it was: {why}");
                    before.told = Some(why);
                }
                Ok(before.made.clone())
            }
            (Err(why), None) => Err(why),
        }
    }
}

/// That a key is among it, and never which.
impl<T> fmt::Debug for Shows<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shows").field("identity", &self.identity).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_renewed_on_disk_is_shown_next_and_what_cannot_be_used_changes_nothing() {
        let dir = tempfile::tempdir().expect("a folder");
        let (certificate, key) = (dir.path().join("a.pem"), dir.path().join("a.key"));
        let identity = Identity { certificate: certificate.clone(), key: key.clone() };
        let shows: Shows<String> = Shows::new(identity);
        let now = || {
            let fits = |pem: &Pem| (pem.certificate == pem.key.expose()).then_some(());
            shows.now(|pem| fits(pem).map(|()| pem.certificate.clone()))
        };
        let refused = now().expect_err("no file").to_string();
        assert!(refused.contains("a.pem: No such file"), "{refused}");
        let write = |path: &Path, text: &str| fs::write(path, text).expect("a file");
        write(&certificate, "one");
        write(&key, "secret");
        let refused = now().expect_err("no pair").to_string();
        assert!(
            refused.contains("a.key are no client") && !refused.contains("secret"),
            "{refused}"
        );
        write(&key, "one");
        assert_eq!(now().expect("a pair"), "one");
        write(&key, "two");
        assert_eq!(now().expect("the pair before"), "one", "between two writes of a renewal");
        write(&certificate, "two");
        assert_eq!(now().expect("a pair"), "two");
        fs::remove_file(&certificate).expect("it was there");
        assert_eq!(now().expect("the pair before"), "two");
        assert!(!format!("{shows:?}").contains("two"));
    }
}
