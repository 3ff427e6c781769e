//! Why the figures of a connection may be incomplete, as far as its entry tells.

use std::borrow::Cow;

use connmon_ebpf::{SockEntry, flag};

use super::end;

/// The reason; `None` if they are exact. `sees_calls`: the backend sees each call's result, whatever protocol rides on the socket.
pub fn reason(entry: &SockEntry, preexisting: bool, sees_calls: bool) -> Option<Cow<'static, str>> {
    let has = |bit: u32| entry.flags & bit != 0;
    match () {
        () if preexisting => Some("opened before the recording".into()),
        () if has(flag::BEGIN_UNSEEN) => {
            Some("its beginning was not seen, and what was moved before may be missing".into())
        }
        () if has(flag::RELEASED) && end::is_unseen(entry) => {
            Some("its end was not seen, and what was moved shortly before may be missing".into())
        }
        () if has(flag::SOCKET_OLDER) => {
            Some("its socket is older than the recording, which may have missed datagrams".into())
        }
        () if has(flag::NEVER_SENT) && entry.err == 0 => {
            Some("connect failed before a packet was sent, and this backend does not see the errno".into())
        }
        () if has(flag::POOL) => Some(pool(entry).into()),
        () if entry.lost_calls != 0 => {
            Some("bytes of some of its processes are missing: there were too many".into())
        }
        () if has(flag::AGGREGATE) => Some(
            "further remote addresses of this socket, not told apart because there were too many at once"
                .into(),
        ),
        () if has(flag::REMOTE_UNKNOWN) => Some("the remote address is unknown".into()),
        () if has(flag::UNKNOWN_BESIDE) => {
            Some("its socket also read datagrams of an unknown remote address, and some may have come from this one".into())
        }
        () if entry.diverted != 0 => {
            Some("it was in a sockmap: BPF programs may have moved its bytes past the protocol".into())
        }
        () if has(flag::LAYERED) && !has(flag::SUBFLOW) && !sees_calls => {
            Some("it carries kernel TLS, and this backend does not see those calls".into())
        }
        () => None,
    }
}

/// The description of a connection that stands for many.
fn pool(entry: &SockEntry) -> String {
    let sockets = match entry.extra_flows {
        // They came to it in its past.
        0 => "sockets".to_owned(),
        1 => "1 socket".to_owned(),
        n => format!("{n} sockets"),
    };
    let bytes = if entry.lost_calls == 0 {
        "the bytes of each process are right"
    } else {
        "bytes of some processes are missing"
    };
    format!("{sockets} of one user, not recorded one by one because there were too many at once; {bytes}")
}
