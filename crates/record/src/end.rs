//! Why a connection ended.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The text in place of [`End::words`] while a connection lasts.
pub const STILL_OPEN: &str = "still open";

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum End {
    /// Both sides closed in order.
    Fin,
    /// A reset from the other side.
    Reset,
    /// Retransmissions or the connect attempt timed out.
    Timeout,
    /// This side threw it away: SO_LINGER 0, close with unread data, or a connect given up.
    Abort,
    /// The connect attempt was refused.
    Refused,
    /// No route, or an ICMP unreachable.
    Unreachable,
    /// Another local error, for example no free port.
    Error,
    /// A datagram socket was closed.
    Closed,
    /// No datagram came for a while, and the socket was still there; the time of closing is when the last one was noticed.
    Idle,
    /// The recording ended first.
    RecordingEnded,
    /// The kernel ran no probe when it ended; the time of closing is when that was noticed.
    Unseen,
}

impl End {
    /// Every reason.
    pub const ALL: [Self; 11] = [
        Self::Fin,
        Self::Reset,
        Self::Timeout,
        Self::Abort,
        Self::Refused,
        Self::Unreachable,
        Self::Error,
        Self::Closed,
        Self::Idle,
        Self::RecordingEnded,
        Self::Unseen,
    ];

    /// The name in machine output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fin => "fin",
            Self::Reset => "rst",
            Self::Timeout => "timeout",
            Self::Abort => "abort",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Error => "error",
            Self::Closed => "closed",
            Self::Idle => "idle",
            Self::RecordingEnded => "recording-ended",
            Self::Unseen => "unseen",
        }
    }

    /// The same in words that need no knowledge of TCP.
    pub fn words(self) -> &'static str {
        match self {
            Self::Fin => "closed normally",
            Self::Reset => "reset by the remote host",
            Self::Timeout => "timed out",
            Self::Abort => "aborted by this host",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Error => "local error",
            Self::Closed => "socket closed",
            Self::Idle => "ended by a pause",
            Self::RecordingEnded => "still open at the end of the recording",
            Self::Unseen => "end not seen",
        }
    }

    /// Says in these words how a connection ended, or that it is open.
    pub fn words_of(end: Option<Self>) -> &'static str {
        end.map_or(STILL_OPEN, Self::words)
    }

    /// The inverse of [`End::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|end| end.name() == name)
    }

    /// Whether it is an error: of a connection that had moved nothing, it is a failure ([`Connection::has_failed`](super::Connection::has_failed)).
    pub fn is_error(self) -> bool {
        matches!(self, Self::Reset | Self::Timeout | Self::Refused | Self::Unreachable | Self::Error)
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
