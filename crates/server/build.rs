//! Generates the types of `proto/`, in Rust alone: no `protoc` is needed. The messages of the feed that
//! `peers.proto` uses are the feed's own.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    println!("cargo::rerun-if-changed=../feed/proto/feed.proto");
    let files = protox::compile(["peers.proto", "ext_authz.proto"], ["proto", "../feed/proto"])?;
    tonic_prost_build::configure()
        .bytes(".")
        .extern_path(".ntd.feed.v1", "::nt_feed::proto")
        .compile_fds(files)?;
    Ok(())
}
