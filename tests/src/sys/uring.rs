//! io_uring: requests that the kernel carries out, one at a time and each waited for.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use io_uring::{IoUring, Probe, opcode, squeue, types};

/// Entries of a ring, and bytes of its registered buffer.
const ENTRIES: u32 = 4;
const ROOM: usize = 65_536;

/// A ring.
pub struct Ring {
    ring: IoUring,
    registered: Vec<u8>,
}

impl Ring {
    /// A ring whose requests are submitted by a call.
    pub fn new() -> io::Result<Self> {
        Ok(Self { ring: IoUring::new(ENTRIES)?, registered: Vec::new() })
    }

    /// A ring whose requests are found by a thread of the kernel.
    pub fn polled() -> io::Result<Self> {
        let ring = IoUring::builder().setup_sqpoll(200).build(ENTRIES)?;
        Ok(Self { ring, registered: Vec::new() })
    }

    /// A ring with a registered buffer.
    pub fn fixed() -> io::Result<Self> {
        let mut ring = Self::new()?;
        ring.registered = vec![b'.'; ROOM];
        let vector = libc::iovec { iov_base: ring.registered.as_mut_ptr().cast(), iov_len: ROOM };
        // SAFETY: the buffer is never moved, and is freed after the ring: fields are dropped in order.
        unsafe { ring.ring.submitter().register_buffers(&[vector]) }?;
        Ok(ring)
    }

    /// Whether the threads that carry out requests belong to the process, as they do since Linux 5.12.
    pub fn threads_are_ours(&self) -> bool {
        self.ring.params().is_feature_native_workers()
    }

    /// Whether this kernel can send and receive for us (Linux 5.6).
    pub fn can_send(&self) -> io::Result<bool> {
        let mut probe = Probe::new();
        self.ring.submitter().register_probe(&mut probe)?;
        Ok(probe.is_supported(opcode::Send::CODE) && probe.is_supported(opcode::Recv::CODE))
    }

    /// `IORING_OP_SEND`.
    pub fn send(&mut self, fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
        let request = opcode::Send::new(types::Fd(fd.as_raw_fd()), bytes.as_ptr(), bytes.len() as u32);
        self.complete(&request.flags(libc::MSG_NOSIGNAL).build())
    }

    /// `IORING_OP_RECV`.
    pub fn recv(&mut self, fd: BorrowedFd<'_>, bytes: &mut [u8]) -> io::Result<usize> {
        let request = opcode::Recv::new(types::Fd(fd.as_raw_fd()), bytes.as_mut_ptr(), bytes.len() as u32);
        self.complete(&request.build())
    }

    /// `IORING_OP_WRITE_FIXED` out of the registered buffer.
    pub fn write_fixed(&mut self, fd: BorrowedFd<'_>, len: usize) -> io::Result<usize> {
        let (from, len) = (self.registered.as_ptr(), len.min(ROOM) as u32);
        self.complete(&opcode::WriteFixed::new(types::Fd(fd.as_raw_fd()), from, len, 0).build())
    }

    /// `IORING_OP_READ_FIXED` into the registered buffer.
    pub fn read_fixed(&mut self, fd: BorrowedFd<'_>, len: usize) -> io::Result<usize> {
        let (into, len) = (self.registered.as_mut_ptr(), len.min(ROOM) as u32);
        self.complete(&opcode::ReadFixed::new(types::Fd(fd.as_raw_fd()), into, len, 0).build())
    }

    /// Submits a request and waits for its end.
    fn complete(&mut self, request: &squeue::Entry) -> io::Result<usize> {
        // SAFETY: what the request points to is borrowed by our caller, and the request is over when we return.
        unsafe { self.ring.submission().push(request) }.map_err(io::Error::other)?;
        loop {
            self.ring.submit_and_wait(1)?;
            if let Some(done) = self.ring.completion().next() {
                let error = |_| io::Error::from_raw_os_error(-done.result());
                return usize::try_from(done.result()).map_err(error);
            }
        }
    }
}
