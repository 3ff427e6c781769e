//! Figures as people read them. The exact ones stay beside them, in a cell or a tooltip.

use connmon_record::Timestamp;

/// A narrow no-break space, which groups digits in every locale without meaning anything.
const THIN: char = '\u{202f}';

/// Digits in groups of three.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() * 2);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(THIN);
        }
        text.push(digit);
    }
    text
}

/// A number and its noun, `1 byte` or `2 000 bytes`.
pub fn count(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(n), if n == 1 { one } else { many })
}

/// Bytes in IEC units with three significant digits.
pub fn bytes(n: u64) -> String {
    let (number, unit) = bytes_parts(n);
    format!("{number}\u{a0}{unit}")
}

/// Bytes in IEC units: the number and the unit.
pub fn bytes_parts(n: u64) -> (String, &'static str) {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let (mut value, mut unit) = (n as f64, 0);
    // 1023.5 would be rounded to the next unit's 1.
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let decimals = match (unit, value) {
        (0, _) => 0,
        (_, v) if v < 9.995 => 2,
        (_, v) if v < 99.95 => 1,
        _ => 0,
    };
    (format!("{value:.decimals$}"), UNITS[unit])
}

/// A length of time with the two units that matter.
pub fn duration(ns: u64) -> String {
    let (us, ms, s) = (ns / 1_000, ns / 1_000_000, ns / 1_000_000_000);
    let two = |a: u64, unit_a: &str, b: u64, unit_b: &str| format!("{a}\u{a0}{unit_a} {b:02}\u{a0}{unit_b}");
    match s {
        0 if ms == 0 => format!("{us}\u{a0}µs"),
        0 => format!("{ms}\u{a0}ms"),
        1..=9 => format!("{s}.{:02}\u{a0}s", ms % 1000 / 10),
        10..=59 => format!("{s}.{}\u{a0}s", ms % 1000 / 100),
        60..=3_599 => two(s / 60, "min", s % 60, "s"),
        3_600..=86_399 => two(s / 3_600, "h", s % 3_600 / 60, "min"),
        _ => two(s / 86_400, "d", s % 86_400 / 3_600, "h"),
    }
}

/// `2026-01-31`, in UTC.
pub fn date(time: Timestamp) -> String {
    time.to_string().get(..10).unwrap_or_default().to_owned()
}

/// `14:02:07`, in UTC.
pub fn clock(time: Timestamp) -> String {
    time.to_string().get(11..19).unwrap_or_default().to_owned()
}

/// `31 January 2026`, in UTC.
pub fn day(time: Timestamp) -> String {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let date = date(time);
    let mut parts = date.split('-');
    let (year, month, day) = (parts.next(), parts.next(), parts.next());
    let month = month.and_then(|m| m.parse::<usize>().ok()).and_then(|m| MONTHS.get(m.checked_sub(1)?));
    match (year, month, day) {
        (Some(year), Some(month), Some(day)) => format!("{} {month} {year}", day.trim_start_matches('0')),
        _ => date,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page's script is held to the same cases.
    #[test]
    fn figures() {
        let cases: serde_json::Value = serde_json::from_str(include_str!("format-cases.json")).unwrap();
        for (name, write) in
            [("bytes", bytes as fn(u64) -> String), ("grouped", grouped), ("duration", duration)]
        {
            for case in cases[name].as_array().unwrap() {
                let figure = case[0].as_u64().unwrap();
                let plain = write(figure).replace(['\u{a0}', THIN], " ");
                assert_eq!(plain, case[1].as_str().unwrap(), "{name} {figure}");
            }
        }
        assert_eq!(count(1, "byte", "bytes"), "1 byte");
    }

    #[test]
    fn days() {
        let time = Timestamp(1_800_000_000_123_456_789);
        assert_eq!((day(time).as_str(), clock(time).as_str()), ("15 January 2027", "08:00:00"));
    }
}
