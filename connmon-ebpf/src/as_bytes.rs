//! Serialises records of the kernel side as the bytes that they consist of.

use core::fmt::{Formatter, Result as Written};
use core::marker::PhantomData;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{AcctKey, Addr, Share, SockEntry, Wire};

/// Accepts exactly as many bytes as the record has.
struct Bytes<T>(PhantomData<T>);

impl<T: bytemuck::AnyBitPattern> Visitor<'_> for Bytes<T> {
    type Value = T;

    fn expecting(&self, f: &mut Formatter<'_>) -> Written {
        write!(f, "{} bytes", size_of::<T>())
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<T, E> {
        bytemuck::try_pod_read_unaligned(bytes).map_err(|_| E::invalid_length(bytes.len(), &self))
    }
}

macro_rules! as_bytes {
    ($($record:ty),*) => {$(
        impl Serialize for $record {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_bytes(bytemuck::bytes_of(self))
            }
        }

        impl<'de> Deserialize<'de> for $record {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_bytes(Bytes(PhantomData))
            }
        }
    )*};
}

as_bytes!(AcctKey, Addr, Share, SockEntry, Wire);
