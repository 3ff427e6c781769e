//! Fields of HTTP/2 as a connection's first request has them: compressed, but with nothing to refer to (RFC 7541).

/// Bytes of a longest text.
const MAX_TEXT: usize = 16 * 1024;
/// The static table's entries whose names are asked for here, by their places (RFC 7541, appendix A).
const NAMES: [(u64, &[u8]); 2] = [(1, b":authority"), (38, b"host")];
/// Entries of the static table; what is beyond came before in the same connection.
const STATIC: u64 = 61;

/// Bits of the code of each byte (RFC 7541, appendix B). Codes of one length follow each other in the order of the bytes, and those of
/// a length follow the shorter ones.
const BITS: [u8; 256] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28,
    28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6,
    6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7,
    8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7,
    15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24,
    23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23,
    23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26,
    26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20,
    21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27,
    27, 27, 26,
];

/// The value of the first field with one of these names.
pub fn first_of(mut fields: &[u8], names: &[&[u8]]) -> Option<Vec<u8>> {
    while let [first, ..] = *fields {
        // What is not given in full is another field, or a size.
        let bits = match first {
            0x80.. => 7,
            0x40.. => 6,
            0x20.. => 5,
            _ => 4,
        };
        let place = number(&mut fields, bits)?;
        if first >= 0x80 || (0x20..0x40).contains(&first) {
            continue;
        }
        let name = match place {
            0 => text(&mut fields)?,
            1..=STATIC => {
                NAMES.iter().find(|(at, _)| *at == place).map_or(Vec::new(), |(_, name)| name.to_vec())
            }
            _ => Vec::new(),
        };
        let value = text(&mut fields)?;
        if names.contains(&name.as_slice()) {
            return Some(value);
        }
    }
    None
}

/// A number of which the first byte has so many bits (RFC 7541, section 5.1).
fn number(bytes: &mut &[u8], bits: u32) -> Option<u64> {
    let mut next = || bytes.split_off_first().copied();
    let most = (1_u64 << bits) - 1;
    let mut number = u64::from(next()?) & most;
    if number < most {
        return Some(number);
    }
    for shift in [0, 7, 14, 21] {
        let byte = next()?;
        number += u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// A text (RFC 7541, section 5.2).
fn text(bytes: &mut &[u8]) -> Option<Vec<u8>> {
    let is_coded = *bytes.first()? >= 0x80;
    let len = usize::try_from(number(bytes, 7)?).ok().filter(|len| *len <= MAX_TEXT)?;
    let text = bytes.split_off(..len)?;
    Some(if is_coded { decoded(text)? } else { text.to_vec() })
}

/// What is coded by the lengths in [`BITS`].
fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    let mut order: Vec<u8> = (0..=255).collect();
    order.sort_by_key(|byte| BITS[usize::from(*byte)]);
    let mut decoded = Vec::new();
    let (mut code, mut bits) = (0_u32, 0_u8);
    // The first code of this length, and how many bytes have shorter ones.
    let (mut first, mut shorter) = (0_u32, 0_usize);
    for at in 0..text.len() * 8 {
        code = code << 1 | u32::from(text[at / 8] >> (7 - at % 8) & 1);
        bits += 1;
        let of_length = order[shorter..].iter().take_while(|byte| BITS[usize::from(**byte)] == bits).count();
        if let Some(byte) = order[shorter..shorter + of_length].get(code.checked_sub(first << 1)? as usize) {
            decoded.push(*byte);
            (code, bits, first, shorter) = (0, 0, 0, 0);
            continue;
        }
        first = (first << 1) + of_length as u32;
        shorter += of_length;
        if bits == 30 {
            return None;
        }
    }
    // The rest are ones, fewer than a byte.
    (bits < 8 && code == (1 << bits) - 1).then_some(decoded)
}
