//! The key secret: what the private signing keys in the database are encrypted under, and what nodes
//! know each other by.
//!
//! The database holds nothing by which it could be had. It comes from outside: a file, the
//! environment, or, where one node runs on SQLite, a file in the data directory that is made at the
//! first start. What is encrypted by it, and how, stands in [`envelope`].

pub mod envelope;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, general_purpose};
use zeroize::Zeroizing;

use crate::data_dir::{DataDirError, at, private, write_new};

/// The fewest bytes of a secret.
const SHORTEST: usize = 32;

/// The longest text that is read as a secret, in bytes.
const LONGEST_TEXT: u64 = 4_096;

/// Random bytes repeat themselves seldom: of 32, fewer than 20 different ones are never seen. A
/// secret with fewer than this many was typed.
const FEWEST_DIFFERENT: usize = 16;

/// Where the secret is part of the development set-up, everybody knows it.
const DEVELOPMENT: &[u8] = b"ntd serve --dev: everybody knows this secret.";

/// How to make one, for whoever has none.
const ADVICE: &str = "make one with `openssl rand -base64 32`";

/// Why there is no key secret.
#[derive(Debug, thiserror::Error)]
pub enum KeySecretError {
    /// It is too short, or no secret at all.
    #[error("{place}: {what}: {ADVICE}")]
    Bad {
        /// Where it was read.
        place: String,
        /// What is wrong with it.
        what: BadSecret,
    },
    /// The file.
    #[error(transparent)]
    File(#[from] DataDirError),
    /// The file that is made at the first start is gone.
    #[error(
        "the key secret {0} is missing, and the database has keys that were encrypted under it: put it \
         back from your backup of it"
    )]
    Missing(PathBuf),
    /// The system gave no random numbers.
    #[error("no random numbers to be had")]
    Entropy,
}

/// What becomes of a file in the data directory that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfMissing {
    /// It is made, with a new secret.
    Make,
    /// It is an error: there are keys that a new secret would not open.
    Refuse,
}

/// What is wrong with a text that should be a secret. The text itself is never shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSecret {
    /// Neither hexadecimal nor base64.
    #[error("the key secret is neither base64 nor hexadecimal")]
    Encoding,
    /// Too few bytes.
    #[error("the key secret has fewer than 32 bytes")]
    Short,
    /// Not random.
    #[error("the key secret repeats a few bytes over and over: it is not random")]
    NotRandom,
}

/// The secret. It is never printed, and wiped when dropped.
pub struct KeySecret {
    prk: Prk,
}

impl KeySecret {
    /// Reads a secret: at least 32 random bytes in base64 or hexadecimal. White space around it does
    /// not count.
    pub fn parse(text: &str) -> Result<Self, BadSecret> {
        let bytes = decode(text.trim()).ok_or(BadSecret::Encoding)?;
        if bytes.len() < SHORTEST {
            return Err(BadSecret::Short);
        }
        let mut seen = [false; 256];
        bytes.iter().for_each(|byte| seen[usize::from(*byte)] = true);
        if seen.iter().filter(|seen| **seen).count() < FEWEST_DIFFERENT {
            return Err(BadSecret::NotRandom);
        }
        Ok(Self::of(&bytes))
    }

    /// Reads the secret of a file that nobody else may read.
    pub fn read(path: &Path) -> Result<Self, KeySecretError> {
        private(path, 0o600)?;
        let length = fs::metadata(path).map_err(|source| at(path, source))?.len();
        let bad = |what| KeySecretError::Bad { place: path.display().to_string(), what };
        if length > LONGEST_TEXT {
            return Err(bad(BadSecret::Encoding));
        }
        let text = Zeroizing::new(fs::read_to_string(path).map_err(|source| at(path, source))?);
        Self::parse(&text).map_err(bad)
    }

    /// Makes a secret and keeps it in a file of this directory, whole or not at all.
    pub fn create(directory: &Path, name: &str) -> Result<Self, KeySecretError> {
        let mut bytes = Zeroizing::new([0; SHORTEST]);
        aws_lc_rs::rand::fill(bytes.as_mut_slice()).map_err(|_| KeySecretError::Entropy)?;
        let text = Zeroizing::new(general_purpose::STANDARD.encode(bytes.as_slice()) + "\n");
        write_new(directory, name, text.as_bytes())?;
        Ok(Self::of(bytes.as_slice()))
    }

    /// The secret of `--dev`, which is none: whatever is encrypted by it is open to everybody.
    pub fn development() -> Self {
        Self::of(DEVELOPMENT)
    }

    /// A key for one purpose; whoever has it learns nothing of another's, nor of the secret (HKDF,
    /// RFC 5869).
    pub fn derive(&self, label: &str) -> [u8; 32] {
        /// As many bytes as are wanted.
        struct Bytes32;
        impl KeyType for Bytes32 {
            fn len(&self) -> usize {
                32
            }
        }
        let mut key = [0; 32];
        self.prk
            .expand(&[label.as_bytes()], Bytes32)
            .and_then(|okm| okm.fill(&mut key))
            .expect("32 bytes are fewer than 255 hashes");
        key
    }

    fn of(bytes: &[u8]) -> Self {
        Self { prk: Salt::new(HKDF_SHA256, b"ntd key secret").extract(bytes) }
    }
}

impl fmt::Debug for KeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySecret")
    }
}

/// Where the secret is to be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySecretSource {
    /// In a file that is there.
    File(PathBuf),
    /// In the settings themselves: the environment.
    Setting(nt_token::Secret),
    /// In a file of the data directory, which is made where it is missing.
    DataDir(PathBuf),
    /// Everybody's.
    Development,
}

impl KeySecretSource {
    /// The secret.
    pub fn open(&self, missing: IfMissing) -> Result<KeySecret, KeySecretError> {
        match self {
            Self::File(path) => KeySecret::read(path),
            Self::Setting(text) => KeySecret::parse(text.expose())
                .map_err(|what| KeySecretError::Bad { place: "NTD_KEY_SECRET".to_owned(), what }),
            Self::DataDir(directory) => {
                let path = directory.join(FILE);
                match (path.try_exists().map_err(|source| at(&path, source))?, missing) {
                    (true, _) => KeySecret::read(&path),
                    (false, IfMissing::Make) => KeySecret::create(directory, FILE),
                    (false, IfMissing::Refuse) => Err(KeySecretError::Missing(path)),
                }
            }
            Self::Development => Ok(KeySecret::development()),
        }
    }
}

/// The place, for people.
impl fmt::Display for KeySecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Setting(_) => f.write_str("NTD_KEY_SECRET"),
            Self::DataDir(directory) => directory.join(FILE).display().fmt(f),
            Self::Development => f.write_str("that of --dev"),
        }
    }
}

/// The file's name in the data directory.
pub const FILE: &str = "key-secret";

/// Hexadecimal where it is nothing but that, else base64 of either alphabet, padded or not.
fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let digit = |c: u8| char::from(c).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let hex: Option<Vec<u8>> =
        pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    if let Some(bytes) = hex.filter(|_| rest.is_empty()) {
        return Some(Zeroizing::new(bytes));
    }
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    [STANDARD, URL_SAFE]
        .into_iter()
        .find_map(|alphabet| GeneralPurpose::new(&alphabet, config).decode(text).ok())
        .map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff";
    const BASE64: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8=";

    #[test]
    fn one_secret_in_any_spelling_gives_the_same_keys() {
        let key = KeySecret::parse(HEX).expect("a secret").derive("ntd peer");
        let spellings = [
            HEX.to_uppercase(),
            BASE64.to_owned(),
            BASE64.trim_end_matches('=').to_owned(),
            format!("  {}\n", BASE64.replace('/', "_")),
        ];
        for text in spellings {
            assert_eq!(KeySecret::parse(&text).expect("a secret").derive("ntd peer"), key);
        }
    }

    #[test]
    fn each_purpose_has_a_key_of_its_own() {
        let secret = KeySecret::parse(HEX).expect("a secret");
        assert_ne!(secret.derive("ntd peer"), secret.derive("ntd keys"));
        assert_eq!(secret.derive("ntd peer"), secret.derive("ntd peer"));
        assert_ne!(secret.derive("ntd peer"), KeySecret::development().derive("ntd peer"));
        assert_eq!(format!("{secret:?}"), "KeySecret");
    }

    #[test]
    fn a_secret_that_can_be_guessed_is_refused() {
        for (text, what) in [
            ("", BadSecret::Short),
            ("change me", BadSecret::Encoding),
            (&HEX[..62], BadSecret::Short),
            ("cGFzc3dvcmQ=", BadSecret::Short),
            (&"0".repeat(64), BadSecret::NotRandom),
            (&"deadbeef".repeat(16), BadSecret::NotRandom),
        ] {
            assert_eq!(KeySecret::parse(text).err(), Some(what), "{text:?}");
        }
    }

    #[test]
    fn the_data_directorys_secret_is_made_once_and_readable_by_nobody_else() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let source = KeySecretSource::DataDir(dir.path().to_owned());
        let lost = source.open(IfMissing::Refuse).expect_err("there is none").to_string();
        assert!(lost.contains("put it back") && lost.contains(FILE), "{lost}");
        let first = source.open(IfMissing::Make).expect("made").derive("x");
        assert_eq!(source.open(IfMissing::Make).expect("kept").derive("x"), first);
        assert_eq!(source.open(IfMissing::Refuse).expect("kept").derive("x"), first);
        let path = dir.path().join(FILE);
        let mode = fs::metadata(&path).expect("made").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("ours");
        assert!(
            source.open(IfMissing::Refuse).expect_err("wide").to_string().contains("chmod 600")
        );
    }

    #[test]
    fn a_bad_secret_is_told_with_its_place_and_without_itself() {
        let setting = KeySecretSource::Setting(nt_token::Secret::from("hunter2".to_owned()));
        let told = setting.open(IfMissing::Refuse).expect_err("too short").to_string();
        assert!(told.contains("NTD_KEY_SECRET") && told.contains("openssl rand"), "{told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
}
