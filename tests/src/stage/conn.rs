//! A TCP connection that counts what its calls return.

use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use socket2::Socket;

use super::Tally;
use crate::sys::stream::{self, Rx, Tx};
use crate::truth::{Connection, Direction, End, Proto};

/// Sent over and over; long enough for one call of any case.
static PATTERN: [u8; CHUNK] = [b'.'; CHUNK];
const CHUNK: usize = 256 * 1024;

/// A TCP socket and its count.
pub struct Conn {
    /// The socket, for calls of the case's own; count them with [`Conn::tally`].
    pub socket: Socket,
    /// The count.
    pub tally: Tally,
}

impl Conn {
    /// A connection that its user puts into the truth by itself.
    pub fn uncounted(socket: Socket, direction: Direction, local: SocketAddr, remote: SocketAddr) -> Self {
        let connection = Connection::new(Proto::Tcp, direction, Some(local), remote);
        Self { socket, tally: Tally::new(connection) }
    }

    /// Sends `n` bytes by repeated calls.
    pub fn tx(&mut self, call: Tx, n: usize) -> Result<()> {
        let mut left = n;
        while left > 0 {
            let sent = call(self.socket.as_fd(), &PATTERN[..left.min(CHUNK)]).context("sending")?;
            self.tally.sent(sent);
            left -= sent;
        }
        Ok(())
    }

    /// Sends these bytes.
    pub fn tx_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        let mut left = bytes;
        while !left.is_empty() {
            let sent = stream::write(self.socket.as_fd(), left).context("sending")?;
            self.tally.sent(sent);
            left = &left[sent..];
        }
        Ok(())
    }

    /// Receives exactly `n` bytes by repeated calls.
    pub fn rx(&mut self, call: Rx, n: usize) -> Result<()> {
        let mut buf = vec![0; n.min(CHUNK)];
        let mut left = n;
        while left > 0 {
            let len = left.min(CHUNK);
            let got = call(self.socket.as_fd(), &mut buf[..len]).context("receiving")?;
            ensure!(got > 0, "the peer closed {left} bytes early");
            self.tally.received(got);
            left -= got;
        }
        Ok(())
    }

    /// Fills `buf`.
    pub fn rx_bytes(&mut self, buf: &mut [u8]) -> Result<()> {
        let mut filled = 0;
        while filled < buf.len() {
            let got = stream::read(self.socket.as_fd(), &mut buf[filled..]).context("receiving")?;
            ensure!(got > 0, "the peer closed early");
            self.tally.received(got);
            filled += got;
        }
        Ok(())
    }

    /// Receives until the peer's FIN; the number of bytes.
    pub fn rx_to_end(&mut self, call: Rx) -> Result<usize> {
        let mut buf = vec![0; CHUNK];
        let mut sum = 0;
        loop {
            let got = call(self.socket.as_fd(), &mut buf).context("receiving")?;
            if got == 0 {
                return Ok(sum);
            }
            self.tally.received(got);
            sum += got;
        }
    }

    /// Expects nothing but the peer's FIN.
    pub fn rx_fin(&mut self) -> Result<()> {
        let unexpected = self.rx_to_end(stream::read)?;
        ensure!(unexpected == 0, "{unexpected} bytes came instead of a FIN");
        Ok(())
    }

    /// Expects the peer's reset.
    pub fn rx_reset(self) -> Result<()> {
        match stream::read(self.socket.as_fd(), &mut [0; 16]) {
            Err(error) if error.raw_os_error() == Some(libc::ECONNRESET) => {
                self.close(End::Rst);
                Ok(())
            }
            other => bail!("expected a reset, got {other:?}"),
        }
    }

    /// Sends FIN and keeps receiving.
    pub fn finish_sending(&self) -> Result<()> {
        Ok(self.socket.shutdown(Shutdown::Write)?)
    }

    /// Closes; `end` is what this side knows about it.
    pub fn close(self, end: End) {
        self.tally.ended(end);
    }

    /// Closes with a reset instead of a FIN.
    pub fn abort(self) -> Result<()> {
        self.socket.set_linger(Some(Duration::ZERO))?;
        self.close(End::Abort);
        Ok(())
    }

    /// Asks a [`Conn::serve`]: sends `request` bytes, at least 8, and receives `reply` bytes.
    pub fn ask(&mut self, request: usize, reply: usize) -> Result<()> {
        self.tx_bytes(&Self::request(request, reply)?)?; // in one call: Nagle's algorithm would hold a second one back
        self.rx(stream::read, reply)
    }

    /// What [`Conn::ask`] sends.
    pub fn request(request: usize, reply: usize) -> Result<Vec<u8>> {
        ensure!(request >= 8, "a request has 8 bytes or more");
        let mut bytes = vec![b'.'; request];
        bytes[..4].copy_from_slice(&u32::try_from(request)?.to_le_bytes());
        bytes[4..8].copy_from_slice(&u32::try_from(reply)?.to_le_bytes());
        Ok(bytes)
    }

    /// Answers one [`Conn::ask`].
    pub fn serve(&mut self) -> Result<()> {
        let mut head = [0; 8];
        self.rx_bytes(&mut head)?;
        let (request, reply) = Self::sizes(&head);
        self.rx(stream::read, request - 8)?;
        self.tx(stream::write, reply)
    }

    /// Request and reply size, from the first 8 bytes of a request.
    pub fn sizes(head: &[u8]) -> (usize, usize) {
        let size = |bytes: &[u8]| bytes.iter().rev().fold(0, |sum, &byte| (sum << 8) | usize::from(byte));
        (size(&head[..4]), size(&head[4..8]))
    }
}

impl AsFd for Conn {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        self.tally.closed();
    }
}
