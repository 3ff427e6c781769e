//! Formulas over small sets of numbers.

/// The quartiles of numbers in ascending order: the median, and the medians of the halves below and above it, without it.
pub(crate) fn quartiles(sorted: &[f64]) -> [f64; 3] {
    let half = sorted.len() / 2;
    let (below, above) = (&sorted[..half], &sorted[sorted.len() - half..]);
    let middle = median(sorted);
    if half == 0 { [middle; 3] } else { [median(below), middle, median(above)] }
}

/// The median of numbers in ascending order; 0 of none.
pub(crate) fn median(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        n if n % 2 == 1 => sorted[half],
        _ => (sorted[half - 1] + sorted[half]) / 2.0,
    }
}

/// The median of the distances from the median, of numbers in ascending order.
pub(crate) fn median_deviation(sorted: &[f64]) -> f64 {
    let middle = median(sorted);
    let mut distances: Vec<f64> = sorted.iter().map(|value| (value - middle).abs()).collect();
    distances.sort_unstable_by(f64::total_cmp);
    median(&distances)
}

/// Bowley's skew of quartiles, from −1 to 1; 0 where they are closer than 10, or the median is one of the others.
pub(crate) fn skew([lower, middle, upper]: [f64; 3]) -> f64 {
    let width = upper - lower;
    if width < 10.0 || middle == lower || middle == upper {
        0.0
    } else {
        (lower + upper - 2.0 * middle) / width
    }
}

/// The standard deviation divided by the mean, of the whole population; infinite where the mean is 0.
pub(crate) fn variation(values: &[u32]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / n;
    if mean == 0.0 || values.is_empty() {
        return f64::INFINITY;
    }
    let square: f64 = values.iter().map(|value| (f64::from(*value) - mean).powi(2)).sum();
    (square / n).sqrt() / mean
}

/// To three decimals, as scores are told.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_of_odd_and_even_numbers() {
        assert_eq!(quartiles(&[1.0, 2.0, 3.0, 4.0, 5.0]), [1.5, 3.0, 4.5]);
        assert_eq!(quartiles(&[1.0, 2.0, 3.0, 4.0]), [1.5, 2.5, 3.5]);
        assert_eq!(quartiles(&[7.0]), [7.0; 3]);
        assert_eq!(quartiles(&[]), [0.0; 3]);
        assert_eq!(median_deviation(&[1.0, 1.0, 2.0, 2.0, 4.0, 6.0, 9.0]), 1.0);
    }

    #[test]
    fn skew_of_quartiles() {
        assert_eq!(rounded(skew([10.0, 14.0, 30.0])), 0.6);
        assert_eq!(rounded(skew([10.0, 26.0, 30.0])), -0.6);
        // Too close, or one of the others.
        assert_eq!(skew([10.0, 11.0, 19.0]), 0.0);
        assert_eq!(skew([10.0, 10.0, 90.0]), 0.0);
        assert_eq!(skew([10.0, 90.0, 90.0]), 0.0);
    }

    #[test]
    fn variation_is_of_the_population() {
        assert_eq!(variation(&[2, 4, 4, 4, 5, 5, 7, 9]), 2.0 / 5.0);
        assert_eq!(variation(&[3, 3, 3]), 0.0);
        assert_eq!(variation(&[0, 0]), f64::INFINITY);
    }
}
