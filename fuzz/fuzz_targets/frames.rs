//! The frames of a capture file, and what the tracker makes of them.
#![cfg_attr(feature = "fuzzer", no_main)]

use connmon_record::frame::Frame;
use connmon_track::Tracker;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut tracker = Tracker::default();
    let mut rest = data;
    while let Some((kind, after)) = rest.split_first_chunk() {
        let Some((len, after)) = after.split_first_chunk() else { break };
        let len = (u32::from_le_bytes(*len) as usize).min(after.len());
        let (payload, after) = after.split_at(len);
        if let Ok(frame) = Frame::decode(u32::from_le_bytes(*kind), payload) {
            // What can be read can be written and read again.
            let mut bytes = Vec::new();
            frame.encode(&mut bytes);
            tracker.feed(frame);
        }
        rest = after;
    }
    tracker.take();
});

/// Without the fuzzer, which brings its own, there is nothing to run: lints and the compiler are what it is built for.
#[cfg(not(feature = "fuzzer"))]
fn main() {}
