//! Events that a test wants programs not to see (`record --blind`).

use crate::maps::setting;
use crate::sock;

/// Whether a test wants a program not to see this event of a socket; outside of tests the verifier knows that the answer is no. The sum of
/// the socket's two ports decides, by a bit that differs from event to event.
#[inline(always)]
pub fn is_blind(what: u32, sk: u64, bit: u16) -> bool {
    setting(|s| unsafe { &raw const (*s).blind }) & what != 0
        && sock::local_port(sk).wrapping_add(u16::from_be(sock::common(sk).dport)) & bit != 0
}
