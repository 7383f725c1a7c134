//! Checking the logins of providers: one that misbehaves, a certified one, and Clerk's emulator. The
//! latter two are programs of others, which `npm` installs once below `target/tmp`.

mod browser;
mod certified;
mod clerk;
mod forged;
mod keys;
mod misbehaving;
mod node;
mod outage;
#[path = "../peers/script.rs"]
mod script;
mod trusted_jobs;
