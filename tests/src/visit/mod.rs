//! Visits by name: a DNS server, hosts that listen, and a program that asks for a name and then speaks TLS, QUIC, HTTP or SSH
//! to what it was told.

pub mod dns;
mod host;
pub mod odd;
pub mod words;

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use anyhow::{Context, Result};
pub use host::Host;
use serde::{Deserialize, Serialize};

/// Nobody waits longer for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a visitor says first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Speak {
    /// A ClientHello that offers HTTP/2.
    Tls,
    /// The same within QUIC.
    Quic,
    /// A request.
    Http,
    /// A banner.
    Ssh,
    /// Nothing that is known.
    Other,
}

/// One visit.
#[derive(Clone, Debug, clap::Args)]
pub struct Visit {
    /// The DNS server.
    #[arg(long)]
    pub server: SocketAddr,
    /// Ask it over TCP.
    #[arg(long)]
    pub tcp: bool,
    /// The name to ask for.
    #[arg(long)]
    pub name: String,
    /// The port to visit.
    #[arg(long)]
    pub port: u16,
    /// What to say there.
    #[arg(long, value_enum)]
    pub speak: Speak,
}

/// What a visitor did.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Visited {
    /// Its PID.
    pub pid: u32,
    /// The address that it was told.
    pub address: IpAddr,
    /// The port that it visited from.
    pub from: u16,
}

impl Visit {
    /// Asks, visits, and goes when the host does.
    pub fn make(&self) -> Result<Visited> {
        let address = dns::ask(self.server, self.tcp, &self.name)?;
        let to = SocketAddr::new(address, self.port);
        let from = if self.speak == Speak::Quic {
            let socket = UdpSocket::bind("127.0.0.1:0")?;
            socket.connect(to)?;
            socket.set_read_timeout(Some(PATIENCE))?;
            for datagram in words::initials(&self.name) {
                socket.send(&datagram)?;
            }
            socket.recv(&mut [0; 2048]).context("no answer")?;
            socket.local_addr()?
        } else {
            // It takes a slow machine longer than the host listens.
            let words = words::first_words(self.speak, &self.name)?;
            let mut stream = TcpStream::connect(to)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_nodelay(true)?;
            for (nth, part) in words.iter().enumerate() {
                if nth > 0 {
                    // A packet of its own.
                    std::thread::sleep(Duration::from_millis(20));
                }
                stream.write_all(part)?;
            }
            let from = stream.local_addr()?;
            stream.read_to_end(&mut Vec::new())?;
            from
        };
        Ok(Visited { pid: std::process::id(), address, from: from.port() })
    }
}
