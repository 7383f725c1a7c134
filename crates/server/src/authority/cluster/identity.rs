//! Who this node is: a number that stays with its data directory, and where its process lives.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nt_revocation::protocol::{Incarnation, Member, NodeId};
use nt_store::{Home, StoreError};

use crate::authority::entropy::{random, sha256};
use crate::data_dir::{DataDir, DataDirError, at, private, write_new};

/// Names the boot that the machine runs since.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Why it is not known who this node is.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file or its mode.
    #[error(transparent)]
    File(#[from] DataDirError),
    /// The file says something else than a number.
    #[error("{path} is damaged: remove it, and this node takes part as another one", path = .0.display())]
    Damaged(std::path::PathBuf),
    /// No random numbers.
    #[error(transparent)]
    Entropy(#[from] StoreError),
}

/// One life of this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Which node, and which of its lives: this one.
    pub member: Member,
    /// Where its process lives.
    pub home: Home,
}

impl Identity {
    /// Begins a life. The directory's lock is held, so no other process has the same home.
    pub fn begin(data_dir: &DataDir) -> Result<Self, IdentityError> {
        let node = number(data_dir)?;
        let incarnation = Incarnation(u64::from_be_bytes(random()?));
        let home = home(data_dir.root())?;
        Ok(Self { member: Member { node: NodeId(node), incarnation }, home })
    }

    /// Another life of the same node in the same process.
    pub fn next_life(self) -> Result<Self, StoreError> {
        let incarnation = Incarnation(u64::from_be_bytes(random()?));
        Ok(Self { member: Member { incarnation, ..self.member }, ..self })
    }
}

/// The number in the directory's file; draws one where there is none.
fn number(data_dir: &DataDir) -> Result<u64, IdentityError> {
    let path = data_dir.node();
    match fs::read_to_string(&path) {
        Ok(text) => {
            private(&path, 0o600)?;
            let number = u64::from_str_radix(text.trim(), 16);
            number.map_err(|_| IdentityError::Damaged(path))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let number = u64::from_be_bytes(random()?);
            // Whole or not at all: half a number is another node's.
            write_new(data_dir.root(), "node", format!("{number:016x}\n").as_bytes())?;
            Ok(number)
        }
        Err(source) => Err(at(&path, source).into()),
    }
}

/// The boot of the machine and the directory's place on it. A copy of the directory has another home,
/// and so has the same directory after the machine was started anew.
fn home(root: &Path) -> Result<Home, DataDirError> {
    let boot = fs::read(BOOT_ID).map_err(|source| at(Path::new(BOOT_ID), source))?;
    let metadata = fs::metadata(root).map_err(|source| at(root, source))?;
    let mut bytes = b"ntd home\n".to_vec();
    bytes.extend(boot);
    bytes.extend(metadata.dev().to_be_bytes());
    bytes.extend(metadata.ino().to_be_bytes());
    let mut home = [0; 16];
    home.copy_from_slice(&sha256(&bytes)[..16]);
    Ok(Home(home))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_node_keeps_its_number_and_its_home_and_each_life_is_another() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let data_dir = DataDir::create(&dir.path().join("data")).expect("a new directory");
        let first = Identity::begin(&data_dir).expect("a number");
        let second = Identity::begin(&data_dir).expect("the same");
        assert_eq!((first.member.node, first.home), (second.member.node, second.home));
        assert_ne!(first.member.incarnation, second.member.incarnation);
        let mode = fs::metadata(data_dir.node()).expect("is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_copy_of_a_directory_is_the_same_node_in_another_home() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let of = |name: &str| DataDir::create(&dir.path().join(name)).expect("a directory");
        let (original, copy) = (of("original"), of("copy"));
        let first = Identity::begin(&original).expect("a number");
        fs::copy(original.node(), copy.node()).expect("both exist");
        let second = Identity::begin(&copy).expect("a number");
        assert_eq!(first.member.node, second.member.node);
        assert_ne!(first.home, second.home);
    }

    #[test]
    fn a_damaged_number_is_no_other_number() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let data_dir = DataDir::create(&dir.path().join("data")).expect("a new directory");
        Identity::begin(&data_dir).expect("a number");
        fs::write(data_dir.node(), "one").expect("is there");
        assert!(matches!(Identity::begin(&data_dir), Err(IdentityError::Damaged(_))));
    }
}
