//! From frames to segments.

use super::link::Moment;
use crate::resolve::Resolver;
use connmon_capture::boot_time_ns;
use connmon_ebpf::stat;
use connmon_record::frame::Frame;
use connmon_record::secrets::Secrets;
use connmon_record::segment::{Columns, Span};
use connmon_record::{AddressNames, Endpoint};
use connmon_sniff::Sniffer;

/// Frames in, columns of segments out.
#[derive(Default)]
pub struct Pipeline {
    secrets: Secrets,
    sniffer: Sniffer,
    /// Records of payload that could not be decoded.
    malformed: u64,
    columns: Columns,
    /// The end of the last segment, nanoseconds of CLOCK_BOOTTIME.
    sealed_ns: u64,
    pub(super) resolver: Option<Resolver>,
    frames: u64,
}

impl Pipeline {
    /// The same, and more is redacted from command lines.
    #[must_use]
    pub fn redacting(self, secrets: Secrets) -> Self {
        Self { secrets, ..self }
    }

    /// Redacts this from command lines from now on, besides what is redacted anyway.
    pub(super) fn redact(&mut self, secrets: Secrets) {
        self.secrets = secrets;
    }

    /// Takes in a frame.
    pub fn feed(&mut self, mut frame: Frame) {
        self.frames += 1;
        frame.redact(&self.secrets);
        match &mut frame {
            Frame::Start(start) => self.sealed_ns = start.started_ns,
            Frame::Counters(counters) => {
                // Copied or not, it was not read.
                let unread = &mut counters.kernel[stat::PAYLOADS_LOST as usize];
                *unread = unread.saturating_add(self.sniffer.unread());
                counters.malformed += self.malformed;
            }
            Frame::Live(entry) | Frame::Closed(entry) => {
                if let Some(resolver) = &mut self.resolver {
                    resolver.ask(Endpoint::from(&entry.remote).ip);
                }
            }
            _ => {}
        }
        self.columns.push(&frame);
    }

    /// Takes in what was said on a connection, as the kernel side copied it.
    pub(super) fn feed_payload(&mut self, record: &[u8]) {
        match self.sniffer.take(record) {
            Ok(all) => all.into_iter().for_each(|one| self.feed(Frame::Observation(Box::new(one)))),
            Err(error) => {
                tracing::warn!("{error}");
                self.malformed += 1;
            }
        }
    }

    /// Nothing more comes of what was said long before this time of CLOCK_BOOTTIME.
    pub(super) fn payloads_until(&mut self, time_ns: u64) {
        self.sniffer.forget(time_ns);
    }

    /// Takes in what reverse DNS has said.
    pub(super) fn feed_names(&mut self, names: AddressNames) {
        if !names.is_empty() {
            self.feed(Frame::Reverse(boot_time_ns(), names));
        }
    }

    /// Takes out what has come together until now, to be sealed.
    pub(super) fn take(&mut self, Moment { boot_ns, offset_ns }: Moment) -> (Columns, Span) {
        let first_ns = std::mem::replace(&mut self.sealed_ns, boot_ns);
        let span = Span { first_ns, last_ns: boot_ns, clock_offset_ns: offset_ns };
        (std::mem::take(&mut self.columns), span)
    }

    /// Whether a flush is due because of what has come together.
    pub fn is_full(&self) -> bool {
        self.columns.is_full()
    }

    /// Whether something has come since the last segment.
    pub(super) fn has_frames(&self) -> bool {
        self.columns.frames() > 0
    }

    /// Frames taken in so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }
}
