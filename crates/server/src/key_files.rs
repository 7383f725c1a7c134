//! The signing keys of an installation from before they were kept in the database: files in `keys/`.
//!
//! ```text
//! keys/<kid>.pem    PKCS#8, 0600; Ed25519
//! keys/active       the kid of the key that signs
//! ```
//!
//! They are read once, and then put aside in `keys/imported/`: nothing is deleted.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nt_token::SigningKey;
use nt_token::key::{Algorithm, BadKey};
use zeroize::Zeroizing;

use crate::data_dir::{DataDirError, at, private};

/// Why such files cannot be taken over.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
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
}

/// A key of a file.
pub struct KeyFile {
    /// The key.
    pub key: SigningKey,
    /// Its PKCS#8 form.
    pub pkcs8: Zeroizing<Vec<u8>>,
    /// Whether it is the one that signs.
    pub signs: bool,
}

/// The keys of a directory, the one that signs first; none where there is no directory.
pub fn read(dir: &Path) -> Result<Vec<KeyFile>, KeyFileError> {
    let active = fs::read_to_string(dir.join(ACTIVE)).unwrap_or_default();
    let mut keys =
        files(dir)?.iter().map(|path| key(path, active.trim())).collect::<Result<Vec<_>, _>>()?;
    keys.sort_by_key(|file| !file.signs);
    Ok(keys)
}

/// Puts the files aside. The marker goes last: what was interrupted is done again.
pub fn put_aside(dir: &Path) -> Result<(), DataDirError> {
    let aside = dir.join("imported");
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&aside);
    made.map_err(|source| at(&aside, source))?;
    let mut paths = files(dir)?;
    paths.extend([dir.join(ACTIVE)].into_iter().filter(|path| path.exists()));
    for path in paths {
        let Some(name) = path.file_name() else { continue };
        fs::rename(&path, aside.join(name)).map_err(|source| at(&path, source))?;
    }
    Ok(())
}

const ACTIVE: &str = "active";

fn files(dir: &Path) -> Result<Vec<PathBuf>, DataDirError> {
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
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

fn key(path: &Path, active: &str) -> Result<KeyFile, KeyFileError> {
    private(path, 0o600)?;
    let text = fs::read_to_string(path).map_err(|source| at(path, source))?;
    let text = Zeroizing::new(text);
    let bad = |source| KeyFileError::Key { path: path.to_owned(), source };
    let pkcs8 = from_pem(&text).ok_or_else(|| bad(BadKey::Private))?;
    let key = SigningKey::from_pkcs8(Algorithm::EdDsa, &pkcs8).map_err(bad)?;
    if path.file_stem().is_none_or(|name| name != key.kid().as_str()) {
        return Err(KeyFileError::Misnamed { path: path.to_owned() });
    }
    let signs = key.kid().as_str() == active;
    Ok(KeyFile { key, pkcs8, signs })
}

/// The textual encoding of RFC 7468, section 10.
fn from_pem(pem: &str) -> Option<Zeroizing<Vec<u8>>> {
    let body = pem
        .trim()
        .strip_prefix("-----BEGIN PRIVATE KEY-----")?
        .strip_suffix("-----END PRIVATE KEY-----")?;
    let body: Zeroizing<String> = Zeroizing::new(body.split_whitespace().collect());
    STANDARD.decode(body.as_bytes()).ok().map(Zeroizing::new)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// Writes a key as earlier versions did.
    pub(crate) fn write(dir: &Path, signs: bool) -> SigningKey {
        let (key, pkcs8) = SigningKey::generate().expect("entropy");
        let body = STANDARD.encode(&*pkcs8);
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
        let path = dir.join(format!("{}.pem", key.kid()));
        fs::write(&path, pem).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("ours");
        if signs {
            fs::write(dir.join(ACTIVE), format!("{}\n", key.kid())).expect("written");
        }
        key
    }

    #[test]
    fn the_key_that_signs_comes_first_and_files_are_put_aside_once() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let expected: Vec<_> = [write(dir.path(), false), write(dir.path(), true)]
            .map(|key| key.kid().clone())
            .to_vec();
        fs::write(dir.path().join("high-water"), "mark").expect("written");
        let keys = read(dir.path()).expect("two keys");
        let found: Vec<_> = keys.iter().map(|file| (file.key.kid(), file.signs)).collect();
        assert_eq!(found, [(&expected[1], true), (&expected[0], false)]);
        put_aside(dir.path()).expect("ours");
        put_aside(dir.path()).expect("nothing to do");
        assert!(read(dir.path()).expect("a directory").is_empty());
        assert!(dir.path().join("high-water").exists(), "it is no key");
        assert_eq!(fs::read_dir(dir.path().join("imported")).expect("there").count(), 3);
        assert!(read(&dir.path().join("nowhere")).expect("nothing").is_empty());
    }

    #[test]
    fn a_key_that_others_can_read_or_that_is_none_is_refused() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        write(dir.path(), true);
        let path = files(dir.path()).expect("exists").remove(0);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("ours");
        let refused = read(dir.path()).err().expect("group-readable").to_string();
        assert!(refused.contains("chmod 600"), "{refused}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("ours");
        let misnamed = dir.path().join("other.pem");
        fs::rename(&path, &misnamed).expect("ours");
        assert!(matches!(read(dir.path()), Err(KeyFileError::Misnamed { .. })));
        fs::write(&misnamed, "not a key").expect("ours");
        assert!(matches!(read(dir.path()), Err(KeyFileError::Key { .. })));
    }
}
