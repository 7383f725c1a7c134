//! A proxy over real sockets, in front of a server in this process.

mod cut;
mod http2;
mod passing;
mod refused;
mod world;
