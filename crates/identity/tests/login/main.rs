//! Both halves of a login, against each other over real sockets: the development provider, the
//! command line's client, and tests that play the browser.

mod client;
mod provider;
mod refresh;
mod world;
