//! QUIC Initial packets. Their keys follow from what they show openly (RFC 9001, section 5.2), so whoever sees them can read
//! the ClientHello within.

use rustls::Side;
use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls::quic::{DirectionalKeys, Version};

/// Longest connection id (RFC 9000, section 17.2).
const MAX_ID: usize = 20;
/// Bytes from the packet number to the sample that unmasks it (RFC 9001, section 5.4.2).
const TO_SAMPLE: usize = 4;
/// Bits of the first byte that tell Initial packets, by version.
const TYPES: [(u32, Version, u8); 2] = [(1, Version::V1, 0xc0), (0x6b33_43cf, Version::V2, 0xd0)];

/// The parts of the handshake, with their offsets, that a client's datagram carries.
pub fn crypto(datagram: &[u8]) -> Vec<(u32, Vec<u8>)> {
    let mut parts = Vec::new();
    let mut rest = datagram;
    // Several packets can share a datagram.
    while let Some((packet, after)) = Initial::split(rest) {
        if let Some(payload) = packet.decrypt() {
            frames(&payload, &mut parts);
        }
        rest = after;
    }
    parts
}

/// A protected packet.
struct Initial<'a> {
    version: Version,
    destination: &'a [u8],
    /// All of it.
    bytes: &'a [u8],
    /// Where the packet number begins.
    number: usize,
}

impl<'a> Initial<'a> {
    fn split(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let mut reader = Reader { bytes, at: 0 };
        let first = reader.byte()?;
        let version = u32::from_be_bytes(reader.take(4)?.try_into().ok()?);
        let (_, version, _) =
            TYPES.into_iter().find(|(n, _, bits)| *n == version && first & 0xf0 == *bits)?;
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

    /// What the client protected with its own keys; none if it was not the client.
    fn decrypt(&self) -> Option<Vec<u8>> {
        let keys = self.keys()?;
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

    fn keys(&self) -> Option<DirectionalKeys> {
        let suite = TLS13_AES_128_GCM_SHA256.tls13()?.quic_suite()?;
        // As a server has them: what is remote to it is the client.
        Some(suite.keys(self.destination, Side::Server, self.version).remote)
    }
}

/// Collects CRYPTO frames (RFC 9000, section 19.6).
fn frames(payload: &[u8], parts: &mut Vec<(u32, Vec<u8>)>) {
    let mut reader = Reader { bytes: payload, at: 0 };
    while let Some(()) = frame(&mut reader, parts) {}
}

/// The next frame; only those that an Initial packet may have (RFC 9000, section 12.4) are understood.
fn frame(reader: &mut Reader<'_>, parts: &mut Vec<(u32, Vec<u8>)>) -> Option<()> {
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
            parts.push((offset, reader.take(len)?.to_vec()));
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
