//! Points in time. Reading the clock is the daemon's business; here they are only data.

use std::fmt;

/// Nanoseconds since 1970-01-01T00:00:00Z, without leap seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

/// A text that is no point in time.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is no time: {why}; write 2026-01-31T14:02:00Z, 2026-01-31 14:02 or 14:02")]
pub struct ParseTimeError {
    text: String,
    why: String,
}

impl Timestamp {
    /// Milliseconds since 1970, rounded down.
    pub fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Parses RFC 3339, or a local date and time, or a local time of the day of `now`.
    ///
    /// # Errors
    /// Says what could not be read, and the accepted forms.
    pub fn parse(text: &str, now: Self) -> Result<Self, ParseTimeError> {
        let error = |e: jiff::Error| ParseTimeError { text: text.into(), why: e.to_string() };
        let to_self = |t: jiff::Timestamp| Self(i64::try_from(t.as_nanosecond()).unwrap_or(i64::MAX));
        if let Ok(timestamp) = text.parse::<jiff::Timestamp>() {
            return Ok(to_self(timestamp));
        }
        let zone = jiff::tz::TimeZone::system();
        let civil = match text.parse::<jiff::civil::Time>() {
            Ok(time) => now.to_jiff().to_zoned(zone.clone()).date().to_datetime(time),
            Err(_) => text.parse::<jiff::civil::DateTime>().map_err(error)?,
        };
        Ok(to_self(civil.to_zoned(zone).map_err(error)?.timestamp()))
    }

    fn to_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_nanosecond(i128::from(self.0)).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }
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
        assert!(Timestamp::parse("2027-01-15 08:00", t).is_ok());
        assert!(Timestamp::parse("08:00", t).is_ok());
    }
}
