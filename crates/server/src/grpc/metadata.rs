//! What a call says of itself: how large that may be, and which encodings of messages are known.

use http::HeaderValue;
use http::header::CONTENT_TYPE;
use poem::Request;
use tonic::Status;

/// All names and values together, in bytes; gRPC servers commonly take 8 KiB.
const METADATA_BYTES: usize = 8 * 1024;

/// Names that go-micro gives to protobuf messages in `x-content-type`.
const MICRO_TYPES: [&str; 5] =
    ["application/grpc", "application/grpc+proto", "application/protobuf", "application/proto", "application/octet-stream"];

/// Refuses what is too large or not protobuf.
pub(super) fn check(request: &Request) -> Result<(), Status> {
    let headers = request.headers();
    if headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>() > METADATA_BYTES {
        return Err(Status::resource_exhausted("the metadata is too large"));
    }
    let value = |name: &str| headers.get(name).map(HeaderValue::as_bytes);
    let is_known = |value: &[u8], known: &[&str]| {
        let essence = value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        known.iter().any(|known| essence.eq_ignore_ascii_case(known.as_bytes()))
    };
    if !value(CONTENT_TYPE.as_str()).is_some_and(|value| is_known(value, &MICRO_TYPES[..2])) {
        return Err(Status::unimplemented("messages are protobuf: content-type application/grpc or application/grpc+proto"));
    }
    if value("x-content-type").is_some_and(|value| !is_known(value, &MICRO_TYPES)) {
        return Err(Status::unimplemented("messages are protobuf: x-content-type application/grpc or application/grpc+proto"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    #[test]
    fn protobuf_has_these_names() {
        for (headers, expected) in [
            (&[("content-type", "application/grpc")][..], Code::Ok),
            (&[("content-type", "application/grpc+proto")], Code::Ok),
            (&[("content-type", "application/grpc; name=张三")], Code::Ok),
            (&[("content-type", "application/grpc+json")], Code::Unimplemented),
            (&[("content-type", "application/grpc"), ("x-content-type", "application/protobuf")], Code::Ok),
            (&[("content-type", "application/grpc"), ("x-content-type", "application/json")], Code::Unimplemented),
        ] {
            let request = headers.iter().fold(Request::builder(), |request, (name, value)| request.header(*name, *value)).finish();
            assert_eq!(check(&request).map_or_else(|status| status.code(), |()| Code::Ok), expected, "{headers:?}");
        }
        let large = Request::builder().header("content-type", "application/grpc").header("x-large", "a".repeat(METADATA_BYTES)).finish();
        assert_eq!(check(&large).unwrap_err().code(), Code::ResourceExhausted);
    }
}
