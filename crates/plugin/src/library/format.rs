//! `format_time`, `format_number` and `text`: values written for people.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};
use rhai::{Dynamic, Engine, FLOAT, FuncRegistration, INT};

use super::number_pattern::NumberPattern;
use crate::budget::{self, Fallible};

/// The longest pattern of a time, in bytes.
const LONGEST_PATTERN: usize = 128;
/// The longest text of an instant, in bytes.
const LONGEST_INSTANT: usize = 64;
/// The longest name of a zone, in bytes.
const LONGEST_ZONE: usize = 64;

/// The text of a code in a language.
type Lookup = dyn Fn(&str, &str) -> Option<String> + Send + Sync;

/// The texts behind `text(code, language)`.
#[derive(Clone)]
pub(crate) struct Texts(Arc<Lookup>);

impl Texts {
    pub(crate) fn new(texts: impl Fn(&str, &str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(texts))
    }

    fn of(&self, code: &str, language: &str) -> Fallible<Dynamic> {
        let text = (self.0)(code, language).map_or(Dynamic::UNIT, Into::into);
        budget::check().map(|()| text)
    }
}

pub(super) fn install(engine: &mut Engine, texts: Texts) {
    let zones = TimeZoneDatabase::bundled();
    FuncRegistration::new("format_time")
        .with_params_info(["instant: any", "pattern: string", "zone: string", "string"])
        .with_comments([
            "/// An instant as text: `format_time(session.createdAt, \"%Y-%m-%d %H:%M:%S\", \"Asia/Shanghai\")`. The instant is a text as",
            "/// RFC 3339 has it, as every time in an answer is, or milliseconds since 1970, as `ctx.now_ms` is. The zone is `UTC`, an",
            "/// offset such as `+08:00`, or a name of the IANA database.",
        ])
        .register_into_engine(engine, move |milliseconds: INT, pattern: &str, zone: &str| {
            let written = format_time(&zones, milliseconds, pattern, zone)?;
            budget::check().map(|()| written)
        });
    let zones = TimeZoneDatabase::bundled();
    FuncRegistration::new("format_time").register_into_engine(engine, move |instant: &str, pattern: &str, zone: &str| {
        let written = format_time(&zones, parse_time(instant)?, pattern, zone)?;
        budget::check().map(|()| written)
    });
    FuncRegistration::new("parse_time")
        .with_params_info(["text: string", "int"])
        .with_comments(["/// The milliseconds since 1970 of an instant as RFC 3339 has it: `ctx.now_ms - parse_time(session.createdAt)`."])
        .register_into_engine(engine, parse_time);
    FuncRegistration::new("format_number")
        .with_params_info(["number: number", "pattern: string", "string"])
        .with_comments(["/// A number as text: `#,##0.00`, `0.##`, `000`, `0.0%`; rounded to the nearest."])
        .register_into_engine(engine, |number: INT, pattern: &str| NumberPattern::parse(pattern).map(|pattern| pattern.integer(number)));
    FuncRegistration::new("format_number").register_into_engine(engine, |number: FLOAT, pattern: &str| {
        NumberPattern::parse(pattern).and_then(|pattern| pattern.real(number))
    });
    let by_name = texts.clone();
    FuncRegistration::new("text")
        .with_params_info(["code: any", "language: string", "string"])
        .with_comments(["/// The text of a code, such as 40113 or `TOKEN_EXPIRED`, in a language, or `()` where there is none."])
        .register_into_engine(engine, move |code: &str, language: &str| by_name.of(code, language));
    FuncRegistration::new("text").register_into_engine(engine, move |code: INT, language: &str| texts.of(&code.to_string(), language));
}

fn parse_time(text: &str) -> Fallible<INT> {
    let instant = Some(text).filter(|text| text.len() <= LONGEST_INSTANT).and_then(|text| text.parse::<Timestamp>().ok());
    let instant = instant.ok_or("no instant; one is written `2026-01-02T03:04:05Z`")?;
    Ok(instant.as_millisecond())
}

fn format_time(zones: &TimeZoneDatabase, milliseconds: INT, pattern: &str, zone: &str) -> Fallible<String> {
    if pattern.len() > LONGEST_PATTERN {
        return Err(format!("a pattern has at most {LONGEST_PATTERN} bytes").into());
    }
    let instant = Timestamp::from_millisecond(milliseconds).map_err(|_| "no such instant")?;
    let zone = time_zone(zones, zone).ok_or("no such time zone")?;
    strtime::format(pattern, &instant.to_zoned(zone)).map_err(|error| error.to_string().into())
}

fn time_zone(zones: &TimeZoneDatabase, name: &str) -> Option<TimeZone> {
    match name.as_bytes() {
        [sign @ (b'+' | b'-'), hour_tens, hour_ones, b':', minute_tens, minute_ones] => {
            let number = |tens: &u8, ones: &u8| {
                let digits = [char::from(*tens).to_digit(10)?, char::from(*ones).to_digit(10)?];
                i32::try_from(digits[0] * 10 + digits[1]).ok()
            };
            let minutes = number(minute_tens, minute_ones).filter(|minutes| *minutes < 60)?;
            let seconds = number(hour_tens, hour_ones)? * 3600 + minutes * 60;
            Some(Offset::from_seconds(if *sign == b'-' { -seconds } else { seconds }).ok()?.to_time_zone())
        }
        bytes if bytes.len() <= LONGEST_ZONE => zones.get(name).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(milliseconds: INT, pattern: &str, zone: &str) -> Result<String, String> {
        format_time(&TimeZoneDatabase::bundled(), milliseconds, pattern, zone).map_err(|error| error.to_string())
    }

    #[test]
    fn times_are_written_in_their_zone() {
        let pattern = "%Y-%m-%d %H:%M:%S";
        for (zone, text) in [
            ("UTC", "2023-11-14 22:13:20"),
            ("Asia/Shanghai", "2023-11-15 06:13:20"),
            ("+08:00", "2023-11-15 06:13:20"),
            ("-03:30", "2023-11-14 18:43:20"),
            ("America/New_York", "2023-11-14 17:13:20"),
        ] {
            assert_eq!(written(1_700_000_000_000, pattern, zone).unwrap(), text, "{zone}");
        }
        assert_eq!(written(-1, "%Y", "UTC").unwrap(), "1969");
    }

    #[test]
    fn an_instant_is_read_as_answers_have_it() {
        for (text, milliseconds) in [
            ("2023-11-14T22:13:20.000Z", Some(1_700_000_000_000)),
            ("2023-11-14T22:13:20.678Z", Some(1_700_000_000_678)),
            ("2023-11-15T06:13:20+08:00", Some(1_700_000_000_000)),
            ("1969-12-31T23:59:59.999Z", Some(-1)),
            ("2023-11-14T22:13:20", None),
            ("2023-11-14", None),
            ("1700000000000", None),
            ("", None),
        ] {
            assert_eq!(parse_time(text).ok(), milliseconds, "{text}");
        }
        assert!(parse_time(&format!("2023-11-14T22:13:20.{}Z", "0".repeat(LONGEST_INSTANT))).is_err());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let long = "x".repeat(LONGEST_PATTERN + 1);
        for (milliseconds, pattern, zone) in [
            (INT::MAX, "%Y", "UTC"),
            (0, "%Y", "Nowhere/City"),
            (0, "%Y", "+8"),
            (0, "%Y", "+08:60"),
            (0, "%Y", "+99:00"),
            (0, "%Y", "../../etc/localtime"),
            (0, "%!", "UTC"),
            (0, long.as_str(), "UTC"),
        ] {
            assert!(written(milliseconds, pattern, zone).is_err(), "{pattern} {zone}");
        }
    }
}
