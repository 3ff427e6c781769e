//! Figures with a unit: sizes and durations.

use bytesize::ByteSize;

use super::fields::{self, Data, FieldUnit};
use connmon_record::length;

/// Whether a text is a figure of a field that has a unit.
pub(super) fn is_figure(field: &str, text: &str) -> bool {
    let unit = fields::find(field).and_then(|field| match &field.data {
        Data::Number(number) => Some(number.unit),
        _ => None,
    });
    match unit {
        Some(FieldUnit::Bytes) => bytes(text).is_some(),
        Some(FieldUnit::Time) => nanoseconds(text).is_some(),
        _ => false,
    }
}

/// Bytes, such as `1.5M` or `4Gi`.
pub fn bytes(text: &str) -> Option<i64> {
    text.parse::<ByteSize>().ok().and_then(|size| i64::try_from(size.as_u64()).ok())
}

/// A duration, such as `250ms` or `1h30m`.
pub(super) fn nanoseconds(text: &str) -> Option<i64> {
    length(text).and_then(|length| i64::try_from(length.as_nanos()).ok())
}
