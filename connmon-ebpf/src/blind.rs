//! Events that a test wants programs not to see (`record --blind`).

use crate::maps::setting;
use crate::sock;

/// Whether a test wants a program not to see this event of a socket, which the verifier knows not to be so otherwise. Sockets
/// differ by the sum of their ports, events by the bit of it that decides.
#[inline(always)]
pub fn is_blind(what: u32, sk: u64, bit: u16) -> bool {
    setting(|s| unsafe { &raw const (*s).blind }) & what != 0
        && sock::local_port(sk).wrapping_add(u16::from_be(sock::common(sk).dport)) & bit != 0
}
