//! Every rule of a store, tried on each store there is.

#![expect(clippy::panic, reason = "a test fails by panicking, also in its helpers")]

mod audit;
mod by_key;
mod clients;
mod deletion;
mod durability;
mod full_disk;
mod invitations;
mod issuing;
mod keys;
mod lists;
mod log;
mod members;
mod migration;
mod nodes;
mod places;
mod postgres;
mod races;
mod random;
mod receipts;
mod recovery;
mod refresh;
mod removal;
mod revoking;
mod rights;
mod sessions;
mod uses;
mod verifiers;
mod workspaces;
mod world;
