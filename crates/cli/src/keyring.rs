//! The OS keyring: an item a secret. Which secrets are there is said by `credentials.json`
//! ([`crate::held`]); nothing here is touched by a command that needs no secret.

use std::sync::mpsc;
use std::time::Duration;

use nt_token::Secret;

use crate::error::{Code, Error};

/// How long a keyring may take to show that it is there.
const PROBE_LIMIT: Duration = Duration::from_secs(2);
/// A person may first have to unlock it.
const LIMIT: Duration = Duration::from_mins(1);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The keyring, or the way to it, failed.
    #[error("{0}")]
    Broken(String),
    /// Nothing came in time.
    #[error("no answer within {} s", .0.as_secs())]
    TimedOut(Duration),
}

/// The secret of an item; nothing where there is no such item.
pub(crate) fn read(item: &str) -> Result<Option<Secret>, Error> {
    let item = item.to_owned();
    within(LIMIT, move || backend::Store::open()?.read(&item))
        .map_err(|failure| unavailable(&failure))
}

/// Keeps a secret, and looks whether it is there.
pub(crate) fn write(item: &str, secret: &Secret) -> Result<(), Error> {
    let (item, secret) = (item.to_owned(), secret.clone());
    within(LIMIT, move || write_and_read(&item, &secret)).map_err(|failure| unavailable(&failure))
}

/// Removes an item, if it is there.
pub(crate) fn remove(item: &str) -> Result<(), Error> {
    let item = item.to_owned();
    within(LIMIT, move || backend::Store::open()?.remove(&item))
        .map_err(|failure| unavailable(&failure))
}

/// Whether a keyring is there and takes secrets, without a person.
pub(crate) fn probe() -> Result<(), Failure> {
    const ITEM: &str = "probe";
    within(PROBE_LIMIT, || {
        write_and_read(ITEM, &Secret::from("probe".to_owned()))?;
        backend::Store::open()?.remove(ITEM)
    })
}

/// The error for a keyring that is needed and does not answer.
pub(crate) fn unavailable(failure: &Failure) -> Error {
    let message = format!("The keyring does not answer: {failure}. Nothing in it is lost.");
    Error::new(Code::KeyringUnavailable, message)
        .hint("unlock it, or run ntcli where it was used: in the session with its D-Bus")
}

fn write_and_read(item: &str, secret: &Secret) -> Result<(), Failure> {
    let store = backend::Store::open()?;
    store.write(item, secret)?;
    if store.read(item)?.as_ref() == Some(secret) {
        return Ok(());
    }
    Err(Failure::Broken("it did not keep what it was given".to_owned()))
}

/// Does it in a thread of its own: a keyring that waits for a person cannot be interrupted, and the
/// thread ends with the process.
fn within<T: Send + 'static>(
    limit: Duration,
    ask: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let (send, answer) = mpsc::channel();
    let asking = std::thread::Builder::new().name("keyring".to_owned());
    asking
        .spawn(move || {
            // Nobody listens any more when the time is over.
            let _ = send.send(ask());
        })
        .map_err(|e| Failure::Broken(e.to_string()))?;
    match answer.recv_timeout(limit) {
        Ok(answer) => answer,
        Err(mpsc::RecvTimeoutError::Timeout) => Err(Failure::TimedOut(limit)),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            Err(Failure::Broken("it could not be asked".to_owned()))
        }
    }
}

/// The Secret Service on the session's D-Bus.
#[cfg(all(feature = "keyring", target_os = "linux"))]
mod backend {
    use std::collections::HashMap;
    use std::sync::Arc;

    use keyring_core::api::CredentialStoreApi as _;
    use keyring_core::{Entry, Error};
    use nt_token::Secret;

    use super::Failure;

    /// The attribute `service` of our items.
    const SERVICE: &str = "ntcli";

    pub(super) struct Store(Arc<zbus_secret_service_keyring_store::Store>);

    impl Store {
        pub(super) fn open() -> Result<Self, Failure> {
            Ok(Self(zbus_secret_service_keyring_store::Store::new().map_err(broken)?))
        }

        pub(super) fn read(&self, item: &str) -> Result<Option<Secret>, Failure> {
            match self.entry(item)?.get_password() {
                Ok(text) => Ok(Some(Secret::from(text))),
                Err(Error::NoEntry) => Ok(None),
                Err(e) => Err(broken(e)),
            }
        }

        pub(super) fn write(&self, item: &str, secret: &Secret) -> Result<(), Failure> {
            self.entry(item)?.set_password(secret.expose()).map_err(broken)
        }

        pub(super) fn remove(&self, item: &str) -> Result<(), Failure> {
            match self.entry(item)?.delete_credential() {
                Ok(()) | Err(Error::NoEntry) => Ok(()),
                Err(e) => Err(broken(e)),
            }
        }

        fn entry(&self, item: &str) -> Result<Entry, Failure> {
            let label = format!("ntcli: {item}");
            let modifiers = HashMap::from([("label", label.as_str())]);
            self.0.build(SERVICE, item, Some(&modifiers)).map_err(broken)
        }
    }

    /// An error's own text may carry the secret that it could not decode.
    fn broken(error: Error) -> Failure {
        Failure::Broken(match error {
            Error::PlatformFailure(e) | Error::NoStorageAccess(e) => e.to_string(),
            Error::BadEncoding(_) | Error::BadDataFormat(..) => "an item is not text".to_owned(),
            Error::Ambiguous(_) => "several items have one name".to_owned(),
            other => other.to_string(),
        })
    }
}

/// No keyring is known on this system, or to this build.
#[cfg(not(all(feature = "keyring", target_os = "linux")))]
mod backend {
    use nt_token::Secret;

    use super::Failure;

    pub(super) struct Store;

    impl Store {
        pub(super) fn open() -> Result<Self, Failure> {
            Err(Failure::Broken("this ntcli was built without it".to_owned()))
        }

        #[expect(clippy::unused_self, reason = "no such value can be had")]
        pub(super) fn read(&self, _item: &str) -> Result<Option<Secret>, Failure> {
            Ok(None)
        }

        #[expect(clippy::unused_self, reason = "no such value can be had")]
        pub(super) fn write(&self, _item: &str, _secret: &Secret) -> Result<(), Failure> {
            Ok(())
        }

        #[expect(clippy::unused_self, reason = "no such value can be had")]
        pub(super) fn remove(&self, _item: &str) -> Result<(), Failure> {
            Ok(())
        }
    }
}
