//! Generates the feed's types from `proto/feed.proto`, in Rust alone: no `protoc` is needed.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto/feed.proto");
    let files = protox::compile(["feed.proto"], ["proto"])?;
    let codec = "crate::codec::FeedCodec";
    tonic_prost_build::configure().bytes(".").codec_path(codec).compile_fds(files)?;
    Ok(())
}
