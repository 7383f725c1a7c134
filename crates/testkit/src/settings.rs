//! What is read from the environment; nothing else in this crate reads it.

use std::ffi::OsString;

/// Where programs are found.
#[expect(clippy::disallowed_methods, reason = "this is the one file that reads the environment")]
pub fn path() -> OsString {
    std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into())
}

/// The `cargo` that runs us, or the one on the path.
#[expect(clippy::disallowed_methods, reason = "this is the one file that reads the environment")]
pub fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Whether the long form of the tests is wanted (`cargo xtask test --full`).
#[expect(clippy::disallowed_methods, reason = "this is the one file that reads the environment")]
pub fn full() -> bool {
    std::env::var_os("NT_TESTKIT_FULL").is_some_and(|value| value == "1")
}

/// The seed of an earlier run, where it is to be run again.
#[expect(clippy::disallowed_methods, reason = "this is the one file that reads the environment")]
pub fn seed() -> Option<u64> {
    std::env::var("NT_TESTKIT_SEED").ok()?.parse().ok()
}
