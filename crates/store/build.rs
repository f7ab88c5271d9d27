//! Tells Cargo that a new migration file changes the crate that embeds it.

fn main() {
    println!("cargo:rerun-if-changed=../../migrations");
}
