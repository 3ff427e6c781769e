//! A UDP socket that counts what its calls return, per remote address.

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};

use anyhow::{Context, Result};
use socket2::{Domain, Socket, Type};

use super::Worker;
use super::tally::{Ledger, Tally};
use crate::sys::datagram::{RxFrom, TxTo};
use crate::sys::socket;
use crate::sys::stream::{Rx, Tx};
use crate::truth::{Connection, Direction, Endpoint, Proto};

/// A datagram of the longest size that a case sends.
static DATAGRAM: [u8; 65_507] = [b'.'; 65_507];

/// A UDP socket and its counts.
pub struct Udp {
    /// The socket.
    pub socket: Socket,
    /// Its own address.
    pub local: SocketAddr,
    flows: Vec<(Endpoint, Tally)>,
    ledger: Ledger,
}

impl Udp {
    /// Counts on `socket` in `ledger`.
    pub(super) fn new(socket: Socket, ledger: Ledger) -> Result<Self> {
        let local = socket::local(&socket)?;
        Ok(Self { socket, local, flows: Vec::new(), ledger })
    }

    /// Sends `n` bytes to `to`.
    pub fn send_to(&mut self, call: TxTo, n: usize, to: SocketAddr) -> Result<()> {
        let sent =
            call(self.socket.as_fd(), &DATAGRAM[..n], to).with_context(|| format!("sending to {to}"))?;
        if self.local.port() == 0 {
            self.local = socket::local(&self.socket)?; // bound by this very call
        }
        self.sent(sent, to);
        Ok(())
    }

    /// Receives one datagram; who sent it, and how many bytes the call returned.
    pub fn recv_from(&mut self, call: RxFrom, room: usize) -> Result<(SocketAddr, usize)> {
        let mut buf = vec![0; room];
        let (got, from) = call(self.socket.as_fd(), &mut buf).context("receiving")?;
        self.received(got, from);
        Ok((from, got))
    }

    /// Fixes the peer.
    pub fn connect(&mut self, to: SocketAddr) -> Result<()> {
        self.socket.connect(&to.into())?;
        self.local = socket::local(&self.socket)?;
        Ok(())
    }

    /// Sets the peer free. A port that the kernel chose is lost with it: what follows are other flows.
    pub fn disconnect(&mut self) -> Result<()> {
        socket::disconnect(self.socket.as_fd())?;
        let before = std::mem::replace(&mut self.local, socket::local(&self.socket)?);
        if self.local.port() != before.port() {
            self.flows.drain(..).for_each(|(_, tally)| tally.closed());
        }
        Ok(())
    }

    /// Sends `n` bytes to `peer`, the fixed one, without naming it.
    pub fn send(&mut self, call: Tx, n: usize, peer: SocketAddr) -> Result<()> {
        let sent = call(self.socket.as_fd(), &DATAGRAM[..n]).context("sending")?;
        self.sent(sent, peer);
        Ok(())
    }

    /// Receives one datagram without asking who sent it; it is known to be `from`.
    pub fn recv(&mut self, call: Rx, room: usize, from: SocketAddr) -> Result<usize> {
        let mut buf = vec![0; room];
        let got = call(self.socket.as_fd(), &mut buf).context("receiving")?;
        self.received(got, from);
        Ok(got)
    }

    /// Counts what a call of the case's own sent to `to`.
    pub fn sent(&mut self, n: usize, to: SocketAddr) {
        self.flow(to, Direction::Out).sent(n);
    }

    /// Counts what a call of the case's own received from `from`.
    pub fn received(&mut self, n: usize, from: SocketAddr) {
        self.flow(from, Direction::In).received(n);
    }

    /// The count for one remote address.
    fn flow(&mut self, remote: SocketAddr, direction: Direction) -> &Tally {
        let key = Endpoint::from(remote);
        let index = self.flows.iter().position(|(known, _)| *known == key).unwrap_or_else(|| {
            let connection = Connection::new(Proto::Udp, direction, Some(self.local), remote);
            self.flows.push((key, self.ledger.open(connection)));
            self.flows.len() - 1
        });
        &self.flows[index].1
    }
}

impl Worker {
    /// A UDP socket on a free port of the loopback address.
    pub fn udp(&self) -> Result<Udp> {
        self.udp_at(SocketAddr::new(self.family.loopback(), 0))
    }

    /// A UDP socket at `addr`.
    pub fn udp_at(&self, addr: SocketAddr) -> Result<Udp> {
        let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, None)?;
        socket.bind(&addr.into())?;
        Udp::new(socket, self.ledger.clone())
    }

    /// A UDP socket that asked for the port it has, and so keeps it.
    pub fn udp_port(&self) -> Result<Udp> {
        let addr = SocketAddr::new(self.family.loopback(), 0);
        let socket = || -> Result<Socket> {
            let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, None)?;
            socket.set_reuse_address(true)?;
            Ok(socket)
        };
        let (chooser, keeper) = (socket()?, socket()?);
        chooser.bind(&addr.into())?;
        keeper.bind(&socket::local(&chooser)?.into())?;
        Udp::new(keeper, self.ledger.clone())
    }

    /// A UDP socket that is not bound.
    pub fn udp_unbound(&self) -> Result<Udp> {
        let domain = Domain::for_address(SocketAddr::new(self.family.loopback(), 0));
        Udp::new(Socket::new(domain, Type::DGRAM, None)?, self.ledger.clone())
    }
}

impl AsFd for Udp {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Udp {
    fn drop(&mut self) {
        self.flows.iter().for_each(|(_, tally)| tally.closed());
    }
}
