//! The signing keys: made at the first start, read at every one.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nt_token::jwk::Jwks;
use nt_token::key::{Algorithm, BadKey};
use nt_token::{KeyId, KeySet, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use crate::data_dir::{DataDirError, at, private, write_new};

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// A file or its mode.
    #[error(transparent)]
    File(#[from] DataDirError),
    /// A key file that is none.
    #[error("{path}: {source}", path = .path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: BadKey,
    },
    /// The key in the file is not the one its name says.
    #[error("{path} holds another key than its name says", path = .path.display())]
    Misnamed {
        /// The file.
        path: PathBuf,
    },
    /// No key is marked as the one that signs.
    #[error("{path} names no key of this directory", path = .path.display())]
    NoActive {
        /// The marker.
        path: PathBuf,
    },
    /// The keys contradict each other.
    #[error(transparent)]
    Set(#[from] BadKey),
}

/// The keys of this authority: one signs, all check.
#[derive(Debug)]
pub struct Keyring {
    keys: Vec<SigningKey>,
    active: usize,
    checking: KeySet,
}

impl Keyring {
    /// Reads the keys of a directory; makes the first where there is none.
    pub fn open(dir: &Path) -> Result<Self, KeyringError> {
        if key_files(dir)?.is_empty() {
            make_first(dir)?;
        }
        Self::read(dir)
    }

    /// Reads the keys of a directory.
    pub fn read(dir: &Path) -> Result<Self, KeyringError> {
        let keys =
            key_files(dir)?.iter().map(|path| read_key(path)).collect::<Result<Vec<_>, _>>()?;
        let path = dir.join("active");
        let named = fs::read_to_string(&path).map_err(|source| at(&path, source))?;
        let active = keys
            .iter()
            .position(|key| key.kid().as_str() == named.trim())
            .ok_or(KeyringError::NoActive { path })?;
        let public = keys.iter().map(|key| VerifyingKey::from_jwk(&key.jwk()));
        let checking = KeySet::new(public.collect::<Result<Vec<_>, _>>()?)?;
        Ok(Self { keys, active, checking })
    }

    /// The key that signs.
    pub fn active(&self) -> &SigningKey {
        &self.keys[self.active]
    }

    /// The key of this name: a token is signed again with the key that signed it first.
    pub fn signing(&self, kid: &KeyId) -> Option<&SigningKey> {
        self.keys.iter().find(|key| key.kid() == kid)
    }

    /// The keys, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &SigningKey> {
        self.keys.iter()
    }

    /// The public halves, for checking.
    pub fn checking(&self) -> &KeySet {
        &self.checking
    }

    /// The public halves, for publishing.
    pub fn jwks(&self) -> Jwks {
        Jwks { keys: self.keys.iter().map(SigningKey::jwk).collect() }
    }
}

fn key_files(dir: &Path) -> Result<Vec<PathBuf>, DataDirError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(|source| at(dir, source))? {
        let path = entry.map_err(|source| at(dir, source))?.path();
        if path.extension().is_some_and(|extension| extension == "pem") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read_key(path: &Path) -> Result<SigningKey, KeyringError> {
    private(path, 0o600)?;
    let text = fs::read_to_string(path).map_err(|source| at(path, source))?;
    let text = Zeroizing::new(text);
    let bad = |source| KeyringError::Key { path: path.to_owned(), source };
    let pkcs8 = from_pem(&text).ok_or_else(|| bad(BadKey::Private))?;
    let key = SigningKey::from_pkcs8(Algorithm::EdDsa, &pkcs8).map_err(bad)?;
    if path.file_stem().is_none_or(|name| name != key.kid().as_str()) {
        return Err(KeyringError::Misnamed { path: path.to_owned() });
    }
    Ok(key)
}

/// Makes the first key. The marker is written last: a crash in between leaves a key that nothing was
/// signed with, and a directory that says so.
fn make_first(dir: &Path) -> Result<(), KeyringError> {
    let (key, pkcs8) = SigningKey::generate()?;
    let pem = to_pem(&pkcs8);
    write_new(dir, &format!("{}.pem", key.kid()), pem.as_bytes())?;
    write_new(dir, "active", format!("{}\n", key.kid()).as_bytes())?;
    Ok(())
}

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";

/// The textual encoding of RFC 7468, section 10.
fn to_pem(pkcs8: &[u8]) -> Zeroizing<String> {
    let body = Zeroizing::new(STANDARD.encode(pkcs8));
    let mut pem = Zeroizing::new(String::with_capacity(body.len() + 64));
    pem.push_str(BEGIN);
    for (i, c) in body.chars().enumerate() {
        if i % 64 == 0 {
            pem.push('\n');
        }
        pem.push(c);
    }
    pem.push('\n');
    pem.push_str(END);
    pem.push('\n');
    pem
}

fn from_pem(pem: &str) -> Option<Zeroizing<Vec<u8>>> {
    let body = pem.trim().strip_prefix(BEGIN)?.strip_suffix(END)?;
    let body: Zeroizing<String> = Zeroizing::new(body.split_whitespace().collect());
    STANDARD.decode(body.as_bytes()).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn empty_dir() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary directory")
    }

    #[test]
    fn the_first_start_makes_a_private_key_and_later_ones_keep_it() {
        let dir = empty_dir();
        let first = Keyring::open(dir.path()).expect("an empty directory");
        let again = Keyring::open(dir.path()).expect("just made");
        assert_eq!(first.active().kid(), again.active().kid());
        for file in fs::read_dir(dir.path()).expect("exists") {
            let mode = file.expect("exists").metadata().expect("exists").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn several_keys_check_and_the_marked_one_signs() {
        let (dir, other) = (empty_dir(), empty_dir());
        Keyring::open(dir.path()).expect("an empty directory");
        let second = Keyring::open(other.path()).expect("an empty directory");
        let kid = second.active().kid().clone();
        let name = format!("{kid}.pem");
        fs::copy(other.path().join(&name), dir.path().join(&name)).expect("both exist");
        fs::write(dir.path().join("active"), kid.as_str()).expect("exists");
        let both = Keyring::open(dir.path()).expect("two keys");
        assert_eq!(both.active().kid(), &kid);
        assert_eq!(both.jwks().keys.len(), 2);
        assert!(both.iter().all(|key| both.checking().key(key.kid().as_str()).is_some()));
    }

    #[test]
    fn a_key_that_others_can_read_or_that_is_none_is_refused() {
        let dir = empty_dir();
        Keyring::open(dir.path()).expect("an empty directory");
        let path = key_files(dir.path()).expect("exists").remove(0);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("ours");
        let refused = Keyring::open(dir.path()).expect_err("group-readable").to_string();
        assert!(refused.contains("chmod 600"), "{refused}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("ours");
        let misnamed = dir.path().join("other.pem");
        fs::rename(&path, &misnamed).expect("ours");
        assert!(matches!(Keyring::open(dir.path()), Err(KeyringError::Misnamed { .. })));
        fs::write(&misnamed, "not a key").expect("ours");
        assert!(matches!(Keyring::open(dir.path()), Err(KeyringError::Key { .. })));
    }

    #[test]
    fn a_marker_that_names_no_key_is_refused() {
        let dir = empty_dir();
        Keyring::open(dir.path()).expect("an empty directory");
        fs::write(dir.path().join("active"), "somebody-else").expect("ours");
        assert!(matches!(Keyring::open(dir.path()), Err(KeyringError::NoActive { .. })));
    }
}
