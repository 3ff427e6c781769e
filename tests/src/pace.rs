//! Traffic at full rate for a fixed time, to measure what recording costs. Threads of one process, both ends.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Serialize;

/// What came through.
#[derive(Debug, Serialize)]
pub struct Pace {
    /// Seconds that it took.
    pub seconds: f64,
    /// Bytes or datagrams that were received.
    pub received: u64,
}

/// Bytes of one write.
const CHUNK: usize = 64 << 10;
/// Payload of one datagram.
const DATAGRAM: usize = 64;

/// Bulk data over so many TCP connections at a time.
///
/// # Errors
/// The sockets'.
pub fn bulk(streams: usize, length: Duration) -> Result<Pace> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let at = listener.local_addr()?;
    let started = Instant::now();
    let mut readers = Vec::new();
    let mut writers = Vec::new();
    for _ in 0..streams {
        let mut out = TcpStream::connect(at)?;
        let (mut into, _) = listener.accept()?;
        writers.push(thread::spawn(move || -> std::io::Result<()> {
            let chunk = vec![0x5a; CHUNK];
            while started.elapsed() < length {
                out.write_all(&chunk)?;
            }
            out.shutdown(Shutdown::Write)
        }));
        readers.push(thread::spawn(move || -> std::io::Result<u64> {
            let mut buf = vec![0; CHUNK];
            let mut received = 0;
            loop {
                match into.read(&mut buf)? {
                    0 => return Ok(received),
                    n => received += n as u64,
                }
            }
        }));
    }
    for writer in writers {
        writer.join().ok().context("a writer panicked")??;
    }
    let mut received = 0;
    for reader in readers {
        received += reader.join().ok().context("a reader panicked")??;
    }
    Ok(Pace { seconds: started.elapsed().as_secs_f64(), received })
}

/// Small datagrams from one socket to another; what the receiver does not take in time is not counted.
///
/// # Errors
/// The sockets'.
pub fn packets(length: Duration) -> Result<Pace> {
    let into = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    into.set_read_timeout(Some(Duration::from_millis(50)))?;
    let out = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    out.connect(into.local_addr()?)?;
    let (received, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let reader = {
        let (received, over) = (Arc::clone(&received), Arc::clone(&over));
        thread::spawn(move || {
            let mut buf = [0; 2 * DATAGRAM];
            while !over.load(Ordering::Relaxed) {
                if into.recv(&mut buf).is_ok() {
                    received.fetch_add(1, Ordering::Relaxed);
                }
            }
        })
    };
    let started = Instant::now();
    while started.elapsed() < length {
        for _ in 0..64 {
            out.send(&[0x5a; DATAGRAM])?;
        }
    }
    let pace = Pace { seconds: started.elapsed().as_secs_f64(), received: received.load(Ordering::Relaxed) };
    over.store(true, Ordering::Relaxed);
    reader.join().ok().context("the reader panicked")?;
    Ok(pace)
}
