//! Numbers as bytes, seven bits a byte, the lowest first: small ones take little room (LEB128).

/// Adds a number.
pub fn push(bytes: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Adds a number that may be less than 0.
pub fn push_signed(bytes: &mut Vec<u8>, number: i64) {
    push(bytes, (number.wrapping_shl(1) ^ (number >> 63)) as u64);
}

/// The numbers that bytes are. Bytes at the end that are no whole number are left out.
pub fn read(bytes: &[u8]) -> Numbers<'_> {
    Numbers(bytes)
}

/// Gives the numbers of [`read`].
#[derive(Clone, Debug)]
pub struct Numbers<'a>(&'a [u8]);

impl<'a> Numbers<'a> {
    /// The bytes behind the numbers that have been read.
    pub fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// The next number, of [`push_signed`].
    pub fn next_signed(&mut self) -> Option<i64> {
        self.next().map(|number| (number >> 1) as i64 ^ -((number & 1) as i64))
    }
}

impl Iterator for Numbers<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let (mut number, mut shift) = (0, 0);
        for (place, byte) in self.0.iter().enumerate() {
            number |= u64::from(byte & 0x7f).wrapping_shl(shift);
            if byte & 0x80 == 0 {
                self.0 = &self.0[place + 1..];
                return Some(number);
            }
            shift += 7;
        }
        self.0 = &[];
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        let numbers = [0, 1, 127, 128, 300, 1 << 35, i64::MAX as u64, u64::MAX];
        let mut bytes = Vec::new();
        numbers.iter().for_each(|number| push(&mut bytes, *number));
        assert_eq!(read(&bytes).collect::<Vec<_>>(), numbers);
        bytes.pop();
        assert_eq!(read(&bytes).count(), numbers.len() - 1, "the last one is not whole");
    }

    #[test]
    fn small_numbers_of_either_sign_are_short() {
        let numbers = [0, -1, 1, 63, -64, i64::MAX, i64::MIN];
        let mut bytes = Vec::new();
        numbers[..5].iter().for_each(|number| push_signed(&mut bytes, *number));
        assert_eq!(bytes.len(), 5);
        numbers[5..].iter().for_each(|number| push_signed(&mut bytes, *number));
        let mut read = read(&bytes);
        assert_eq!(std::array::from_fn(|_| read.next_signed().unwrap()), numbers);
    }
}
