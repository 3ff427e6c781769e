//! What the bytes at the beginning of a TCP segment look like.

use aya_ebpf::bindings::__sk_buff;
use aya_ebpf::helpers::generated::bpf_skb_load_bytes;
use aya_ebpf::programs::SkBuffContext;
use connmon_ebpf::stat;

use crate::maps::count;

/// Bytes that are looked at, a power of two.
const HEAD: usize = 32;
/// Most bytes of a ClientHello that are copied.
const MAX_HELLO: u32 = 128 * 1024;
/// Bytes that are copied of a ClientHello whose first bytes do not tell its length.
const SHORT_HELLO: u32 = 16 * 1024;

/// What the first bytes of a segment look like.
pub enum Opening {
    /// A TLS ClientHello, which ends within this many bytes from here.
    Hello(u32),
    /// The SSH banner.
    Ssh,
    /// An HTTP request, which others may follow, and whether its head ends with the segment.
    Request(bool),
    /// Text, of HTTP or of a protocol that may switch to TLS; or another protocol's request to begin TLS, or to be connected elsewhere.
    Prelude,
    /// Nothing that is known.
    Unknown,
}

impl Opening {
    /// Packs the opening and its value into one word.
    #[inline(always)]
    fn packed(self) -> u64 {
        match self {
            Self::Unknown => 0,
            Self::Hello(len) => 1 | u64::from(len) << 8,
            Self::Ssh => 2,
            Self::Request(is_all) => 3 | u64::from(is_all) << 8,
            Self::Prelude => 4,
        }
    }

    #[inline(always)]
    fn unpacked(word: u64) -> Self {
        match word as u8 {
            1 => Self::Hello((word >> 8) as u32),
            2 => Self::Ssh,
            3 => Self::Request(word >> 8 != 0),
            4 => Self::Prelude,
            _ => Self::Unknown,
        }
    }
}

/// Classifies the `len` bytes at the offset `at` by the first of them.
#[inline(always)]
pub fn classify(ctx: &SkBuffContext, at: u32, len: u32) -> Opening {
    Opening::unpacked(opening(ctx.skb.skb, at, len))
}

/// The same, packed. A global function, which the verifier checks once and not once for each way that leads here.
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn opening(skb: *mut __sk_buff, at: u32, len: u32) -> u64 {
    look_at(&SkBuffContext::new(skb), at, len).packed()
}

/// The first bytes, with zeros where there are none.
#[inline(always)]
fn read(ctx: &SkBuffContext, at: u32, len: u32) -> Option<[u8; HEAD]> {
    // In words: the compiler would call a function to fill bytes.
    let mut head = [0_u64; HEAD / 8];
    for word in &mut head {
        // SAFETY: on the stack; volatile, so that the loop stays what it is.
        unsafe { core::ptr::write_volatile(word, 0) };
    }
    let known = if len > HEAD as u32 { HEAD as u32 } else { len };
    // In this form the verifier sees that `size` is 1 to HEAD.
    let size = ((known - 1) & (HEAD as u32 - 1)) + 1;
    // SAFETY: `head` has room for HEAD bytes.
    let result = unsafe { bpf_skb_load_bytes(ctx.skb.skb.cast(), at, head.as_mut_ptr().cast(), size) };
    // SAFETY: both are as large, and every byte is a number.
    if result == 0 {
        Some(unsafe { core::mem::transmute::<[u64; HEAD / 8], [u8; HEAD]>(head) })
    } else {
        None
    }
}

#[inline(always)]
fn look_at(ctx: &SkBuffContext, at: u32, len: u32) -> Opening {
    let Some(head) = read(ctx, at, len) else { return Opening::Unknown };
    if head[0] == 22 {
        return hello(&head, len);
    }
    let first = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
    let second = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
    if first == u32::from_be_bytes(*b"SSH-") {
        return Opening::Ssh;
    }
    // Before TLS, the first bytes of: a request of PostgreSQL (SSLRequest, GSSENCRequest), one of MySQL, the PROXY protocol's
    // second version, RDP (X.224 behind TPKT), TDS (a PRELOGIN), LDAP (an extended request).
    let is_request = match first {
        0x0000_0008 => second == 0x04d2_162f || second == 0x04d2_1630,
        0x2000_0001 => len >= 36,
        0x0d0a_0d0a => second == 0x000d_0a51,
        _ => {
            first >> 16 == 0x0300 && head[5] == 0xe0
                || first >> 24 == 0x12 && head[1] <= 1 && head[5] | head[4] == 0
                || head[0] == 0x30 && (head[5] == 0x77 || head[9] == 0x77 || head[6] == 0x77)
        }
    };
    // SOCKS: a greeting of version 5, alone or with a request behind it, or a request of version 4.
    let is_socks =
        head[0] == 5 && head[1] != 0 && (len == 2 + u32::from(head[1]) || len >= 10 && head[1] < 8)
            || head[0] == 4 && (head[1] == 1 || head[1] == 2) && len >= 9;
    // What may be the first bytes of any of these, but is too short to tell.
    let may_become = len < 10 && matches!(head[0], 0 | 3 | 4 | 5 | 0x12 | 0x20 | 0x30);
    if is_request || is_socks || may_become {
        return Opening::Prelude;
    }
    let is_word = head[0].is_ascii_alphanumeric() || head[0] == b'\r' || head[0] == b'\n';
    let found = if is_word { words(ctx.skb.skb, at, len) } else { 0 };
    if found & HAS_SEPARATOR == 0 {
        return Opening::Unknown;
    }
    // After these comes another protocol, or header fields in frames (HTTP/2).
    let prelude = first == u32::from_be_bytes(*b"CONN")
        || first == u32::from_be_bytes(*b"PROX")
        || first == u32::from_be_bytes(*b"PRI ");
    if prelude {
        Opening::Prelude
    } else if found & IS_REQUEST != 0 {
        Opening::Request(len >= 16 && ends_with_empty_line(ctx, at + len))
    } else {
        Opening::Prelude
    }
}

// What [`words`] finds.
const HAS_SEPARATOR: u64 = 1;
const IS_REQUEST: u64 = 2;

/// Looks for a word at the beginning, and for what separates it from the next. A global function, which the verifier checks once and not
/// with each of the protocols that come before it.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn words(skb: *mut __sk_buff, at: u32, len: u32) -> u64 {
    let Some(head) = read(&SkBuffContext::new(skb), at, len) else { return 0 };
    let mut separators = 0;
    let mut is_request = 0;
    let mut last = 0;
    for byte in head {
        // 1 for each byte up to the space character, and for those that were not read.
        separators |= (i32::from(byte) - 0x21) as u32 >> 31;
        last = last << 8 | u32::from(byte);
        // A space and a path; or a space and `http`, as before the address in a request to a proxy and before the version.
        is_request |= u32::from(last as u16 == u16::from_be_bytes(*b" /"));
        is_request |= u32::from(last | 0x2020_2020 == u32::from_be_bytes(*b" htt"));
    }
    let separator = if separators == 0 { 0 } else { HAS_SEPARATOR };
    separator | if is_request == 0 { 0 } else { IS_REQUEST }
}

/// A handshake record of TLS whose first message is a ClientHello (RFC 8446, sections 4 and 5.1).
#[inline(always)]
fn hello(head: &[u8; HEAD], len: u32) -> Opening {
    let record = u32::from(head[3]) << 8 | u32::from(head[4]);
    // Behind an empty record comes the header of the next record.
    let kind = if record == 0 { 22 } else { 1 };
    if len > 1 && head[1] != 3 || len > 5 && head[5] != kind {
        return Opening::Unknown;
    }
    if len < 9 {
        return Opening::Hello(SHORT_HELLO);
    }
    // A record shorter than the header of a message is followed by the header of another record.
    if record < 4 {
        return Opening::Hello(MAX_HELLO);
    }
    let message = 4 + (u32::from(head[6]) << 16 | u32::from(head[7]) << 8 | u32::from(head[8]));
    if message > MAX_HELLO {
        count(stat::PAYLOADS_LOST, 1);
        return Opening::Unknown;
    }
    // It is not known in how many records the message comes: at worst, each byte has a record header of five bytes.
    let longest = if 6 * message > MAX_HELLO { MAX_HELLO } else { 6 * message };
    Opening::Hello(if record >= message { 5 + message } else { longest })
}

#[inline(always)]
fn ends_with_empty_line(ctx: &SkBuffContext, end: u32) -> bool {
    let Ok(last) = ctx.load::<[u8; 3]>(end as usize - 3) else { return false };
    last[2] == b'\n' && (last[1] == b'\n' || last[1] == b'\r' && last[0] == b'\n')
}
