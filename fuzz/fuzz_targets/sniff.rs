//! Records of payload: DNS, TLS, QUIC, HTTP, SOCKS, SSH, whole and in pieces.
#![cfg_attr(feature = "fuzzer", no_main)]

use connmon_sniff::Sniffer;
use libfuzzer_sys::fuzz_target;

/// Bytes of a record's head, of which the class is at this place.
const HEAD: usize = 96;
const CLASS: usize = 92;

fuzz_target!(|data: &[u8]| {
    let mut sniffer = Sniffer::default();
    // Each record: a byte for its class and protocol, one for its length, and the payload.
    let mut rest = data;
    while let [what, len, after @ ..] = rest {
        let (payload, after) = after.split_at(usize::from(*len).min(after.len()));
        let mut record = vec![0; HEAD];
        record[4..8].copy_from_slice(&(payload.len() as u32).to_ne_bytes());
        record[8..12].copy_from_slice(&(payload.len() as u32).to_ne_bytes());
        record[12] = what >> 4;
        record[88] = if what & 8 == 0 { 6 } else { 17 };
        record[CLASS] = what & 7;
        record.extend_from_slice(payload);
        let _ = sniffer.take(&record);
        rest = after;
    }
    let _ = sniffer.take(data);
});

/// Without the fuzzer, which brings its own, there is nothing to run: lints and the compiler are what it is built for.
#[cfg(not(feature = "fuzzer"))]
fn main() {}
