//! What the machine says of itself.

use anyhow::{Context, Result};

/// Ticks a second of the figures in /proc (`USER_HZ`, 100 on every architecture that connmon runs on).
const TICKS: f64 = 100.0;

/// CPU seconds that all processors have spent on anything, since boot: user, nice, system, irq and softirq of
/// /proc/stat (proc_stat(5)).
pub fn busy() -> Result<f64> {
    let text = std::fs::read_to_string("/proc/stat").context("cannot read /proc/stat")?;
    let line = text.lines().next().unwrap_or_default();
    let ticks: Vec<u64> = line.split_whitespace().skip(1).filter_map(|n| n.parse().ok()).collect();
    let at = |n: usize| ticks.get(n).copied().unwrap_or(0);
    Ok((at(0) + at(1) + at(2) + at(5) + at(6)) as f64 / TICKS)
}

/// CPU seconds of a living process, and its peak resident size in KiB.
pub fn process(pid: u32) -> Result<(f64, u64)> {
    let read = |name: &str| {
        let path = format!("/proc/{pid}/{name}");
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))
    };
    let stat = read("stat")?;
    let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let fields: Vec<u64> = after_name.split(' ').map(|field| field.parse().unwrap_or(0)).collect();
    let at = |n: usize| fields.get(n).copied().unwrap_or(0);
    let status = read("status")?;
    let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = rss.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0);
    // utime and stime are the 14th and 15th field, and the state, after the name, is the third.
    Ok(((at(11) + at(12)) as f64 / TICKS, kib))
}

/// The middle value; between the two middle ones where there are two.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn this_process_has_a_size() {
        let (_, kib) = process(std::process::id()).unwrap();
        assert!(kib > 100);
        assert!(busy().unwrap() > 0.0);
    }
}
