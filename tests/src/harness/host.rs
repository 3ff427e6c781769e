//! Whose host it is that a recording is of.

/// Who used the host while a recorder ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// The test alone.
    Alone,
    /// Others as well, who had so many TCP connections.
    Shared(u64),
}

impl Host {
    /// Whether others used it.
    pub fn is_shared(self) -> bool {
        self != Self::Alone
    }
}
