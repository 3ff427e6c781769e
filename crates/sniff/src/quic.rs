//! QUIC Initial packets. Their keys follow from what they show openly (RFC 9001, section 5.2), so whoever sees them can read
//! the ClientHello within.

use std::collections::VecDeque;

use rustls::Side;
use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls::quic::{DirectionalKeys, Version};

use super::stream::StreamDirection;

/// Longest connection id (RFC 9000, section 17.2).
const MAX_ID: usize = 20;
/// Bytes from the packet number to the sample that unmasks it (RFC 9001, section 5.4.2).
const TO_SAMPLE: usize = 4;
/// The version of a number, and the bits of the first byte that tell Initial packets; the second may be anything (RFC 9287).
fn version(number: u32) -> Option<(Version, u8)> {
    match number {
        1 => Some((Version::V1, 0x80)),
        0x6b33_43cf => Some((Version::V2, 0x90)),
        // Drafts 29 to 32 of the first version.
        0xff00_001d..=0xff00_0020 => Some((Version::V1Draft, 0x80)),
        _ => None,
    }
}

/// Connections whose ClientHello is not complete, at most.
const MAX_BEGUN: usize = 256;

/// A part of a client's handshake.
pub struct CryptoFragment {
    /// The connection that it belongs to: a socket can have several.
    pub connection: u64,
    /// Bytes before it.
    pub offset: u32,
    /// The data of the fragment.
    pub data: Vec<u8>,
}

/// A connection that has begun: the id that its client chose first gives the keys, also of packets that bear the server's.
struct PartialHandshake {
    way: StreamDirection,
    id: Vec<u8>,
    number: u64,
}

/// Reads Initial packets.
#[derive(Default)]
pub struct Quic {
    begun: VecDeque<PartialHandshake>,
    count: u64,
}

impl Quic {
    /// The parts of the handshake that a client's datagram carries.
    pub fn crypto(&mut self, way: StreamDirection, datagram: &[u8]) -> Vec<CryptoFragment> {
        let mut parts = Vec::new();
        let mut rest = datagram;
        // Several packets can share a datagram.
        while let Some((packet, after)) = Initial::split(rest) {
            if let Some((connection, payload)) = self.decrypt(way, &packet) {
                frames(&payload, |offset, data| {
                    parts.push(CryptoFragment { connection, offset, data: data.to_vec() });
                });
            }
            rest = after;
        }
        parts
    }

    /// Nothing more is of interest in a connection.
    pub fn finish(&mut self, way: StreamDirection, connection: u64) {
        self.begun.retain(|begun| (begun.way, begun.number) != (way, connection));
    }

    fn decrypt(&mut self, way: StreamDirection, packet: &Initial<'_>) -> Option<(u64, Vec<u8>)> {
        let Some(payload) = packet.decrypt(packet.destination) else {
            let mut known = self.begun.iter().filter(|begun| begun.way == way);
            return known.find_map(|begun| Some((begun.number, packet.decrypt(&begun.id)?)));
        };
        let known = self.begun.iter().find(|begun| begun.way == way && begun.id == packet.destination);
        let number = known.map_or(self.count + 1, |begun| begun.number);
        if number > self.count {
            self.count = number;
            self.begun.truncate(MAX_BEGUN - 1);
            self.begun.push_front(PartialHandshake { way, id: packet.destination.to_vec(), number });
        }
        Some((number, payload))
    }
}

/// A protected packet.
struct Initial<'a> {
    version: Version,
    destination: &'a [u8],
    /// All of it.
    bytes: &'a [u8],
    /// The position of the packet number.
    number: usize,
}

impl<'a> Initial<'a> {
    fn split(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let mut reader = Reader { bytes, at: 0 };
        let first = reader.byte()?;
        let (version, bits) = version(u32::from_be_bytes(reader.take(4)?.try_into().ok()?))?;
        if first & 0xb0 != bits {
            return None;
        }
        let len = usize::from(reader.byte()?);
        let destination = reader.take(len).filter(|id| id.len() <= MAX_ID)?;
        let len = usize::from(reader.byte()?);
        reader.take(len)?;
        let token = reader.number()?;
        reader.take(usize::try_from(token).ok()?)?;
        let len = usize::try_from(reader.number()?).ok()?;
        let number = reader.at;
        reader.take(len)?;
        Some((Self { version, destination, bytes: &bytes[..reader.at], number }, &bytes[reader.at..]))
    }

    /// The data that the client protected with the keys of a connection id; none if it was not the client, or another id.
    fn decrypt(&self, id: &[u8]) -> Option<Vec<u8>> {
        let keys = self.keys(id)?;
        let mut bytes = self.bytes.to_vec();
        let from = self.number.checked_add(TO_SAMPLE)?;
        let sample = self.bytes.get(from..from + keys.header.sample_len())?;
        let (head, tail) = bytes.split_at_mut(self.number);
        keys.header.decrypt_in_place(sample, head.first_mut()?, tail.get_mut(..TO_SAMPLE)?).ok()?;
        let number_len = usize::from(bytes[0] & 3) + 1;
        let number = bytes[self.number..self.number + number_len]
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte));
        let (header, payload) = bytes.split_at_mut(self.number + number_len);
        keys.packet.decrypt_in_place(number, header, payload).ok().map(<[u8]>::to_vec)
    }

    fn keys(&self, id: &[u8]) -> Option<DirectionalKeys> {
        let suite = TLS13_AES_128_GCM_SHA256.tls13()?.quic_suite()?;
        // As a server has them: what is remote to it is the client.
        Some(suite.keys(id, Side::Server, self.version).remote)
    }
}

/// Hands on CRYPTO frames (RFC 9000, section 19.6): how many bytes are before each, and what it has.
fn frames(payload: &[u8], mut each: impl FnMut(u32, &[u8])) {
    let mut reader = Reader { bytes: payload, at: 0 };
    while let Some(()) = frame(&mut reader, &mut each) {}
}

/// The next frame; only those that an Initial packet may have (RFC 9000, section 12.4) are understood.
fn frame(reader: &mut Reader<'_>, each: &mut impl FnMut(u32, &[u8])) -> Option<()> {
    match reader.number()? {
        // PADDING, PING
        0 | 1 => {}
        kind @ (2 | 3) => {
            // ACK
            reader.number()?;
            reader.number()?;
            let ranges = reader.number()?;
            reader.number()?;
            for _ in 0..ranges {
                reader.number()?;
                reader.number()?;
            }
            if kind == 3 {
                (0..3).try_for_each(|_| reader.number().map(drop))?;
            }
        }
        6 => {
            let offset = u32::try_from(reader.number()?).ok()?;
            let len = usize::try_from(reader.number()?).ok()?;
            each(offset, reader.take(len)?);
        }
        _ => return None,
    }
    Some(())
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let to = self.at.checked_add(len)?;
        let taken = self.bytes.get(self.at..to)?;
        self.at = to;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|byte| byte[0])
    }

    /// A number of variable length (RFC 9000, section 16).
    fn number(&mut self) -> Option<u64> {
        let first = self.byte()?;
        let more = self.take((1 << (first >> 6)) - 1)?;
        Some(more.iter().fold(u64::from(first & 0x3f), |number, byte| number << 8 | u64::from(*byte)))
    }
}
