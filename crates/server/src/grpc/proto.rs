//! What `proto/session.proto` becomes.

#![expect(unreachable_pub, clippy::allow_attributes, clippy::doc_markdown, clippy::default_trait_access, reason = "generated code")]

tonic::include_proto!("go.micro.srv.delete_session");

/// The same, for the reflection service.
pub(super) const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/session.bin"));
