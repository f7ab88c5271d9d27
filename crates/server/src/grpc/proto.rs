//! What `proto/session.proto` becomes.

#![expect(unreachable_pub, reason = "generated code")]

tonic::include_proto!("go.micro.srv.delete_session");

/// The same, for the reflection service.
pub(super) const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/session.bin"));
