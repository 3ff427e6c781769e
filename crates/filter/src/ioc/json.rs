//! JSON of no format that connmon knows: the values of keys that are named as columns with indicators are. One document or
//! one a line, as Spamhaus and abuse.ch publish them.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::columns::{holds_indicators, plain};
use super::{ListContent, ListPosition};

/// Reads a text.
pub(super) fn read(content: &[u8]) -> Result<ListContent, serde_json::Error> {
    let mut found = ListContent::default();
    let mut documents = serde_json::Deserializer::from_slice(content);
    let mut values = 0;
    while documents.end().is_err() {
        // A list of texts can only be a list of indicators.
        Value { wanted: true, found: &mut found, values: &mut values }.deserialize(&mut documents)?;
    }
    Ok(found)
}

/// A value anywhere in a document.
struct Value<'a> {
    /// It is one of a key that is named like indicators.
    wanted: bool,
    found: &'a mut ListContent,
    /// Wanted values so far.
    values: &'a mut u64,
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        if self.wanted && !text.trim().is_empty() {
            *self.values += 1;
            self.found.cell(
                ListPosition::Nth("value", *self.values),
                text,
                "values that are not an indicator",
            );
        }
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { wanted, found, values } = self;
        while seq.next_element_seed(Value { wanted, found: &mut *found, values: &mut *values })?.is_some() {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { found, values, .. } = self;
        while let Some(key) = map.next_key::<String>()? {
            let wanted = holds_indicators(&plain(&key));
            map.next_value_seed(Value { wanted, found: &mut *found, values: &mut *values })?;
        }
        Ok(())
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}
