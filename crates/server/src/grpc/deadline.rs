//! How long a caller will wait: gRPC's `grpc-timeout`, and go-micro's `timeout` in nanoseconds; the shorter counts.

use std::time::Duration;

use http::HeaderMap;
use tonic::Status;

/// The time a call is given; `None` where it says nothing.
pub(super) fn of(headers: &HeaderMap) -> Result<Option<Duration>, Status> {
    let read = |name: &'static str, parse: fn(&str) -> Option<Duration>| {
        let value = headers.get(name).map(|value| value.to_str().ok().and_then(parse));
        match value {
            Some(None) => Err(Status::internal(format!("{name} is malformed"))),
            Some(Some(duration)) => Ok(Some(duration)),
            None => Ok(None),
        }
    };
    let standard = read("grpc-timeout", standard)?;
    // go-micro writes 0 where its caller has set no limit.
    let micro = read("timeout", nanoseconds)?.filter(|duration| !duration.is_zero());
    Ok(standard.into_iter().chain(micro).min())
}

/// One to eight digits and a unit (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>).
fn standard(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let digits = &text[..text.len() - unit.len_utf8()];
    let number: u64 = Some(digits).filter(|digits| (1..=8).contains(&digits.len())).and_then(whole)?;
    Some(match unit {
        'H' => Duration::from_hours(number),
        'M' => Duration::from_mins(number),
        'S' => Duration::from_secs(number),
        'm' => Duration::from_millis(number),
        'u' => Duration::from_micros(number),
        'n' => Duration::from_nanos(number),
        _ => return None,
    })
}

fn nanoseconds(text: &str) -> Option<Duration> {
    whole(text).map(Duration::from_nanos)
}

fn whole(digits: &str) -> Option<u64> {
    Some(digits).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shorter_time_counts() {
        for (headers, expected) in [
            (&[][..], Some(None)),
            (&[("grpc-timeout", "5S")], Some(Some(Duration::from_secs(5)))),
            (&[("grpc-timeout", "99999999n")], Some(Some(Duration::from_nanos(99_999_999)))),
            (&[("timeout", "2000000000")], Some(Some(Duration::from_secs(2)))),
            (&[("timeout", "0")], Some(None)),
            (&[("timeout", "2000000000"), ("grpc-timeout", "1500m")], Some(Some(Duration::from_millis(1500)))),
            (&[("timeout", "1000000"), ("grpc-timeout", "1H")], Some(Some(Duration::from_millis(1)))),
            (&[("grpc-timeout", "5")], None),
            (&[("grpc-timeout", "S")], None),
            (&[("grpc-timeout", "123456789S")], None),
            (&[("grpc-timeout", "+5S")], None),
            (&[("timeout", "-1")], None),
            (&[("timeout", "1s")], None),
        ] {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.insert(*name, value.parse().unwrap());
            }
            assert_eq!(of(&map).ok(), expected, "{headers:?}");
        }
    }
}
