//! A viewer's end of the socket.

use std::io::{self, BufRead, BufReader};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};

use super::update::{FORMAT, MAX_LINE, Update};

/// Updates that wait for the viewer at most, for one can tell of tens of thousands of connections; the socket makes the recorder see
/// that it is slow.
const WAITING: usize = 4;
/// Bytes of the line buffer that are kept for the next line.
const USUAL_LINE: usize = 1 << 20;

/// Why a viewer sees nothing.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// No recorder is there.
    #[error(
        "no recorder answers at {0}: {1}; start `connmon record`, or name its store with --db or its socket with --socket"
    )]
    NoRecorder(PathBuf, io::Error),
    /// Not allowed.
    #[error("{0} can be read only by root and members of the group `connmon`")]
    NotAllowed(PathBuf),
    /// It is in another PID namespace.
    #[error("the recorder at {0} is in a PID namespace that cannot be seen from here")]
    Unseen(PathBuf),
    /// The recorder has gone.
    #[error("the recorder has stopped")]
    Gone,
    /// Not what a recorder says.
    #[error("the recorder's data cannot be decoded: {0}")]
    Malformed(String),
    /// Another version.
    #[error(
        "the recorder uses version {0} of the live protocol and this connmon version {FORMAT}: use the connmon that is recording"
    )]
    Format(u32),
}

/// The updates of a recorder; the last item says why there are no more.
pub type Updates = Receiver<Result<Update, AttachError>>;

/// Attaches to a recorder. A thread reads the socket until the receiver is dropped or the recorder is gone.
///
/// # Errors
/// There is no recorder, or it does not let this user look.
pub fn connect(socket: &Path) -> Result<Updates, AttachError> {
    let stream = dial(socket)?;
    let (sender, receiver) = sync_channel(WAITING);
    let name = socket.to_path_buf();
    std::thread::spawn(move || {
        let mut reader = BufReader::with_capacity(1 << 16, stream);
        let mut line = Vec::new();
        let mut begun = false;
        loop {
            let update = match next(&mut reader, &mut line) {
                // A recorder closes the connection to a viewer that it does not permit, without a message.
                Err(AttachError::Gone) if !begun => Err(AttachError::NotAllowed(name.clone())),
                update => update,
            };
            begun = true;
            let last = update.is_err();
            if sender.send(update).is_err() || last {
                return;
            }
        }
    });
    Ok(receiver)
}

/// The process that offers a socket.
///
/// # Errors
/// There is none, or it cannot be seen from here.
pub fn recorder_at(socket: &Path) -> Result<i32, AttachError> {
    match super::peer::listening_process(&dial(socket)?) {
        Some(pid) if pid > 0 => Ok(pid),
        _ => Err(AttachError::Unseen(socket.into())),
    }
}

fn dial(socket: &Path) -> Result<UnixStream, AttachError> {
    UnixStream::connect(socket).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => AttachError::NotAllowed(socket.into()),
        _ => AttachError::NoRecorder(socket.into(), error),
    })
}

fn next(reader: &mut impl BufRead, line: &mut Vec<u8>) -> Result<Update, AttachError> {
    line.clear();
    line.shrink_to(USUAL_LINE);
    let limit = MAX_LINE as u64 + 1;
    let read = io::Read::take(&mut *reader, limit).read_until(b'\n', line);
    match read {
        Ok(0) | Err(_) => return Err(AttachError::Gone),
        Ok(_) if line.last() != Some(&b'\n') && line.len() > MAX_LINE => {
            return Err(AttachError::Malformed(format!("a line is longer than {MAX_LINE} bytes")));
        }
        Ok(_) if line.last() != Some(&b'\n') => return Err(AttachError::Gone),
        Ok(_) => {}
    }
    let update: Update =
        serde_json::from_slice(line).map_err(|error| AttachError::Malformed(error.to_string()))?;
    if update.format == FORMAT { Ok(update) } else { Err(AttachError::Format(update.format)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Result<Update, AttachError> {
        next(&mut BufReader::new(text), &mut Vec::new())
    }

    #[test]
    fn what_is_no_update_is_told_so() {
        assert!(matches!(read(b""), Err(AttachError::Gone)));
        assert!(matches!(read(b"{\"format\":2"), Err(AttachError::Gone)));
        assert!(matches!(read(b"\n"), Err(AttachError::Malformed(_))));
        assert!(matches!(read(b"GET / HTTP/1.1\r\n"), Err(AttachError::Malformed(_))));
        assert!(matches!(read(b"{\"format\":2,\"connections\":[{}]}\n"), Err(AttachError::Malformed(_))));
        assert!(matches!(read(b"{\"format\":7}\n"), Err(AttachError::Format(7))));
        assert!(matches!(read(&[b'['; 100_000]), Err(AttachError::Gone)));
        assert_eq!(read(b"{\"format\":2,\"seq\":3}\n").unwrap().seq, 3);
    }
}
