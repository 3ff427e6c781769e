//! Why a connection ended, from the state it was in and the error on its socket.

use connmon_ebpf::{SockEntry, flag};

use connmon_record::{End, Proto};

// TCP states, include/net/tcp_states.h.
const SYN_SENT: u8 = 2;
const SYN_RECV: u8 = 3;
const FIN_WAIT1: u8 = 4;
const FIN_WAIT2: u8 = 5;
const LAST_ACK: u8 = 9;
const CLOSING: u8 = 11;

/// Whether no hook saw how a socket ended that is gone. Without its totals, the step to TCP_CLOSE has not been seen.
pub fn is_unseen(entry: &SockEntry) -> bool {
    let told = flag::TOTALS | flag::NEVER_SENT;
    entry.flags & flag::END_UNSEEN != 0 || (is_stream(entry) && entry.flags & told == 0)
}

/// Whether an entry is a TCP socket's, and not that of many together.
fn is_stream(entry: &SockEntry) -> bool {
    Proto(entry.proto) == Proto::TCP && entry.flags & flag::POOL == 0
}

/// The reason of a connection that is over.
///
/// The kernel sets `sk_err` before it moves to TCP_CLOSE: tcp_reset() to ECONNRESET, EPIPE or, while connecting,
/// ECONNREFUSED; tcp_write_err() to ETIMEDOUT; tcp_v4_err() to what the ICMP message says.
pub fn reason(entry: &SockEntry) -> End {
    if is_unseen(entry) {
        return End::Unseen;
    }
    if !is_stream(entry) {
        // A flow of datagrams that has left no entry behind.
        return if entry.flags & flag::RETIRED == 0 { End::Closed } else { End::Idle };
    }
    let error = i32::try_from(entry.err).unwrap_or(0);
    match error {
        libc::ECONNREFUSED => return End::Refused,
        libc::ETIMEDOUT => return End::Timeout,
        libc::EHOSTUNREACH | libc::ENETUNREACH | libc::EHOSTDOWN | libc::ENETDOWN => return End::Unreachable,
        libc::ECONNRESET | libc::EPIPE => return End::Reset,
        libc::ECONNABORTED => return End::Abort,
        0 => {}
        _ => return End::Error,
    }
    if entry.flags & flag::NEVER_SENT != 0 {
        // Nearly always there is no route.
        return End::Unreachable;
    }
    match entry.old_state {
        SYN_SENT => End::Abort,
        SYN_RECV => End::Reset,
        LAST_ACK | CLOSING | FIN_WAIT2 => End::Fin,
        // Both sides had sent their FIN when the state moved on at once.
        FIN_WAIT1 if entry.flags & flag::FIN_RECEIVED != 0 => End::Fin,
        _ => End::Abort,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_and_error_give_the_reason() {
        let established = 1;
        let close_wait = 8;
        for (old_state, err, expected) in [
            (SYN_SENT, libc::ECONNREFUSED, End::Refused),
            (SYN_SENT, libc::ETIMEDOUT, End::Timeout),
            (SYN_SENT, libc::EHOSTUNREACH, End::Unreachable),
            (SYN_SENT, 0, End::Abort),
            (established, libc::ECONNRESET, End::Reset),
            (established, libc::ETIMEDOUT, End::Timeout),
            (established, 0, End::Abort),
            (close_wait, libc::EPIPE, End::Reset),
            (LAST_ACK, 0, End::Fin),
            (FIN_WAIT2, 0, End::Fin),
            (CLOSING, 0, End::Fin),
        ] {
            let flags = flag::TOTALS;
            let entry = SockEntry { proto: 6, old_state, err: err as u32, flags, ..SockEntry::default() };
            assert_eq!(reason(&entry), expected, "state {old_state}, error {err}");
        }
        let unseen =
            SockEntry { proto: 6, old_state: FIN_WAIT2, flags: flag::END_UNSEEN, ..SockEntry::default() };
        assert_eq!(reason(&unseen), End::Unseen);
        let never_closed = SockEntry { proto: 6, ..SockEntry::default() };
        assert_eq!(reason(&never_closed), End::Unseen, "nothing was seen of its end");
        let datagrams = SockEntry { proto: 17, flags: flag::END_UNSEEN, ..SockEntry::default() };
        assert_eq!(reason(&datagrams), End::Unseen);
        assert_eq!(reason(&SockEntry { proto: 17, ..SockEntry::default() }), End::Closed);
    }
}
