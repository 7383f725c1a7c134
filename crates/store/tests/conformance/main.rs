//! Every rule of a store, tried on each store there is.

#![expect(clippy::panic, reason = "a test fails by panicking, also in its helpers")]

mod audit;
mod deletion;
mod durability;
mod full_disk;
mod issuing;
mod log;
mod places;
mod races;
mod random;
mod refresh;
mod revoking;
mod sessions;
mod uses;
mod workspaces;
mod world;
