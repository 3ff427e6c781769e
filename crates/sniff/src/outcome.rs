//! The result of a parser for the beginning of a stream.

/// The content of the beginning of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParseOutcome<T> {
    /// This, in so many bytes, of which the last may be still to come; more can follow.
    Message(T, usize),
    /// So many bytes that say nothing; what follows may.
    Skip(usize),
    /// This, in so many bytes, and then a body of HTTP in chunks; more can follow.
    Chunked(T, usize),
    /// This, and nothing more is of interest.
    Last(T),
    /// This, of whose bytes more is to come; it may be found again.
    Early(T),
    /// Something that may name somebody, of which more is to come.
    Incomplete,
    /// It may become something, or nothing.
    Undecided,
    /// Nothing of interest.
    Nothing,
}

impl<T> ParseOutcome<T> {
    /// The same of another kind of message.
    pub fn map<U>(self, of: impl FnOnce(T) -> U) -> ParseOutcome<U> {
        match self {
            Self::Message(message, len) => ParseOutcome::Message(of(message), len),
            Self::Skip(len) => ParseOutcome::Skip(len),
            Self::Chunked(message, len) => ParseOutcome::Chunked(of(message), len),
            Self::Last(message) => ParseOutcome::Last(of(message)),
            Self::Early(message) => ParseOutcome::Early(of(message)),
            Self::Incomplete => ParseOutcome::Incomplete,
            Self::Undecided => ParseOutcome::Undecided,
            Self::Nothing => ParseOutcome::Nothing,
        }
    }
}
