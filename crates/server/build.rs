//! Makes code and a descriptor of `proto/session.proto`, without a protoc.

use std::path::PathBuf;

use prost::Message;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=../../proto");
    let descriptors = protox::compile(["session.proto"], ["../../proto"])?;
    let directory = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(directory.join("session.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure().build_client(false).build_transport(false).compile_fds(descriptors)?;
    Ok(())
}
