//! The rules of the check, with a clock that stands until it is told to move.

mod asked;
mod drain;
mod ended;
#[cfg(feature = "tower")]
mod layer;
#[cfg(feature = "tower")]
mod served;
mod verify;
mod world;
