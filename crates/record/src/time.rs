//! Points in time. Reading the clock is the daemon's business; here they are only data.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use jiff::{SpanRelativeTo, tz::TimeZone};

/// Traffic is kept by time in steps of so many nanoseconds, which begin at 1970.
pub const STEP_NS: i64 = 10_000_000_000;
/// An hour: of what was moved long ago, only the sum of each is kept.
pub const HOUR_NS: i64 = 3_600_000_000_000;
/// How long steps become where there are too many, in those of [`STEP_NS`]: each is a multiple of the one before. The last is a day.
pub const STEP_LENGTHS: [i64; 9] = [1, 3, 6, 30, 60, 180, 360, 1_080, 8_640];

/// Nanoseconds since 1970-01-01T00:00:00Z, without leap seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Timestamp(pub i64);

/// The time zone in which people read and write times.
#[derive(Clone, Debug)]
pub struct Zone(TimeZone);

impl Zone {
    /// UTC, in which everything is that does not ask for another.
    pub const UTC: Self = Self(TimeZone::UTC);

    /// The time zone of this host.
    pub fn local() -> Self {
        Self(TimeZone::system())
    }

    /// A point in time: as it is printed everywhere in UTC, else with its offset.
    pub fn show(&self, time: Timestamp) -> String {
        if self.0 == TimeZone::UTC {
            return time.to_string();
        }
        time.to_jiff().to_zoned(self.0.clone()).strftime("%Y-%m-%dT%H:%M:%S.%9f%:z").to_string()
    }

    /// The same, to the second.
    pub fn show_seconds(&self, time: Timestamp) -> String {
        let form = if self.0 == TimeZone::UTC { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%S%:z" };
        time.to_jiff().to_zoned(self.0.clone()).strftime(form).to_string()
    }
}

/// A text that is no point in time.
#[derive(Debug, thiserror::Error)]
#[error(
    "{text:?} is not a valid time; write 2026-01-31T14:02:00Z, 2026-01-31 14:02, 14:02, today, yesterday or 2h (ago)"
)]
pub struct ParseTimeError {
    text: String,
}

impl Timestamp {
    /// Milliseconds since 1970, rounded down.
    pub fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// The start of the step of traffic that it is in.
    pub fn step(self) -> Self {
        Self(self.0.div_euclid(STEP_NS).saturating_mul(STEP_NS))
    }

    /// The month that it is in, in UTC: from when to before when.
    pub fn month(self) -> (Self, Self) {
        let first = self.to_jiff().to_zoned(TimeZone::UTC).date().first_of_month();
        let start = |date: jiff::civil::Date| {
            let start = date.to_zoned(TimeZone::UTC).ok()?.timestamp().as_nanosecond();
            i64::try_from(start).ok().map(Self)
        };
        let next = first.checked_add(jiff::Span::new().months(1)).ok().and_then(start);
        (start(first).unwrap_or(Self(i64::MIN)), next.unwrap_or(Self(i64::MAX)))
    }

    /// Parses RFC 3339, a date with or without a time, a time of the day of `now`, or a length of time before `now`
    /// (`2h`, `-2h`, `2h ago`), `now`, or the beginning of `today` or `yesterday`. What names no zone is in UTC, as everything that is printed.
    ///
    /// # Errors
    /// Says what could not be read, and the accepted forms.
    pub fn parse(text: &str, now: Self) -> Result<Self, ParseTimeError> {
        Self::parse_in(text, now, &Zone::UTC)
    }

    /// The same; what names no zone is in this one.
    ///
    /// # Errors
    /// As [`Timestamp::parse`].
    pub fn parse_in(text: &str, now: Self, Zone(zone): &Zone) -> Result<Self, ParseTimeError> {
        let error = |_: jiff::Error| ParseTimeError { text: text.into() };
        let to_self = |t: jiff::Timestamp| Self(i64::try_from(t.as_nanosecond()).unwrap_or(i64::MAX));
        let length_text = text.strip_suffix("ago").unwrap_or(text).trim();
        if let Some(ago) = length(length_text.strip_prefix('-').unwrap_or(length_text)) {
            return Ok(Self(now.0.saturating_sub(i64::try_from(ago.as_nanos()).unwrap_or(i64::MAX))));
        }
        if let Ok(timestamp) = text.parse::<jiff::Timestamp>() {
            return Ok(to_self(timestamp));
        }
        let today = now.to_jiff().to_zoned(zone.clone()).date();
        let civil = match text.to_ascii_lowercase().as_str() {
            "now" => return Ok(now),
            "today" => today.to_datetime(jiff::civil::Time::midnight()),
            "yesterday" => today.yesterday().map_err(error)?.to_datetime(jiff::civil::Time::midnight()),
            _ => match text.parse::<jiff::civil::Time>() {
                Ok(time) => today.to_datetime(time),
                Err(_) => text.parse::<jiff::civil::DateTime>().map_err(error)?,
            },
        };
        Ok(to_self(civil.to_zoned(zone.clone()).map_err(error)?.timestamp()))
    }

    fn to_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_nanosecond(i128::from(self.0)).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }
}

/// A length of time: `90` (seconds), `250ms`, `30s`, `1h 30m`, `2d` (days of 24 hours).
pub fn length(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    // `14:02:00` is a time of the day, though it could be read as a length too.
    let span: jiff::Span = text.parse().ok().filter(|_| !text.contains(':'))?;
    Duration::try_from(span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?).ok()
}

/// RFC 3339 in UTC with nine digits of fraction, so that equal lengths sort as text.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:.9}", self.to_jiff()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written() {
        let t = Timestamp(1_800_000_000_123_456_789);
        assert_eq!(t.to_string(), "2027-01-15T08:00:00.123456789Z");
        assert_eq!(Timestamp::parse(&t.to_string(), Timestamp(0)).unwrap(), t);
        assert!(Timestamp::parse("yesterdayish", t).is_err());
        for (text, read) in [
            ("2027-01-15 08:00", "2027-01-15T08:00"),
            ("2027-01-15", "2027-01-15T00:00"),
            ("06:30", "2027-01-15T06:30"),
            ("2h", "2027-01-15T06:00"),
            ("-1h30m", "2027-01-15T06:30"),
            ("1d ago", "2027-01-14T08:00"),
            ("today", "2027-01-15T00:00:00.0"),
            ("Yesterday", "2027-01-14T00:00:00.0"),
            ("now", "2027-01-15T08:00:00.1"),
        ] {
            let found = Timestamp::parse(text, t).unwrap().to_string();
            assert!(found.starts_with(read), "{text}: {found}");
        }
    }

    #[test]
    fn months() {
        let at = |text: &str| Timestamp::parse(text, Timestamp(0)).unwrap();
        for (time, from, to) in [
            ("2026-12-31T23:59:59Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            ("2028-02-01T00:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"),
            ("1969-12-31T00:00:00Z", "1969-12-01T00:00:00Z", "1970-01-01T00:00:00Z"),
        ] {
            assert_eq!(at(time).month(), (at(from), at(to)), "{time}");
        }
        for edge in [Timestamp(i64::MIN), Timestamp(i64::MAX)] {
            let (from, to) = edge.month();
            assert!(from <= edge && edge <= to);
        }
    }

    #[test]
    fn lengths_of_time() {
        for (text, milliseconds) in
            [("30s", 30_000), ("90", 90_000), ("1h 30m", 5_400_000), ("250ms", 250), ("1d", 86_400_000)]
        {
            assert_eq!(length(text), Some(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["soon", "-5s", "", "1y", "2h ago", "14:02:00"] {
            assert_eq!(length(text), None, "{text}");
        }
    }
}
