//! A host that is visited: it listens to whatever is said first, and goes.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::time::Duration;

use anyhow::Result;

/// As long as a visitor needs for the first part of what it says, and for each further one, on a slow machine too: what comes
/// after the host has gone is answered with a reset.
const LISTENS: [Duration; 2] = [Duration::from_secs(2), Duration::from_millis(400)];

/// Listens on a port of an address, over TCP and UDP, until the process ends.
#[derive(Debug)]
pub struct Host {
    /// The port.
    pub port: u16,
}

impl Host {
    /// Begins to listen.
    pub fn open(address: Ipv4Addr) -> Result<Self> {
        let listener = TcpListener::bind((address, 0))?;
        let port = listener.local_addr()?.port();
        let socket = UdpSocket::bind(SocketAddr::from((address, port)))?;
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let [first, further] = LISTENS;
                let _ = stream.set_read_timeout(Some(first)); // it may have gone
                let mut buffer = [0; 4096];
                while stream.read(&mut buffer).is_ok_and(|len| len > 0) {
                    let _ = stream.set_read_timeout(Some(further));
                }
                let _ = stream.write_all(b"bye");
            }
        });
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok((_, from)) = socket.recv_from(&mut buffer) {
                let _ = socket.send_to(b"bye", from); // it may have gone
            }
        });
        Ok(Self { port })
    }
}
