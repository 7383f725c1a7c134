//! The authority `ntd`.
//!
//! [`authority`] holds the rules and knows neither HTTP nor SQL; [`http`] holds the doors, which
//! parse, ask the authority and answer; [`edge`] answers in its stead, beside a service. The library exists for the binary and for the benches; its
//! interface is not a stable one.

pub mod authority;
pub mod commands;
pub mod config;
pub mod data_dir;
pub mod edge;
pub mod http;
pub mod key_files;
pub mod key_secret;
mod metrics;
pub mod published;
pub mod telemetry;
pub mod tls;
