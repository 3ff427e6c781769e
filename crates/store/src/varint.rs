//! Numbers as bytes, seven bits a byte, the lowest first: small ones take little room (LEB128).

/// Adds a number.
pub(super) fn push(bytes: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// The numbers that bytes are.
pub(super) fn read(bytes: &[u8]) -> impl Iterator<Item = u64> {
    bytes
        .split_inclusive(|byte| byte & 0x80 == 0)
        .map(|bytes| bytes.iter().rev().fold(0, |sum, byte| sum << 7 | u64::from(byte & 0x7f)))
}
