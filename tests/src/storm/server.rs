//! A server for many connections at a time: answers requests until told to stop.

use std::collections::HashMap;
use std::os::fd::AsFd;

use anyhow::{Context, Result};

use crate::stage::{Conn, Listener, Worker};
use crate::sys::{epoll::Epoll, socket, stream};
use crate::truth::{Connection, Direction, End, Totals};

/// Token of the line to the coordinator; listeners count from 0, connections from [`FIRST`].
const CONTROL: u64 = u64::MAX;
const FIRST: u64 = 1 << 32;

/// A request as far as it has come.
struct Request {
    conn: Conn,
    head: Vec<u8>,
    /// Bytes of it still to come, once the head is there.
    left: Option<usize>,
}

/// Answers [`Conn::ask`]s on all listeners until the coordinator speaks and all connections are closed.
pub fn serve(w: &mut Worker, listeners: &[Listener], list: bool) -> Result<()> {
    let mut epoll = Epoll::new()?;
    epoll.add(w.line()?.as_fd(), CONTROL)?;
    for (token, listener) in listeners.iter().enumerate() {
        epoll.add(listener.socket.as_fd(), token as u64)?;
    }
    let (mut totals, mut listed): (Totals, Vec<Connection>) = Default::default();
    let mut requests: HashMap<u64, Request> = HashMap::new();
    let (mut next, mut stopping) = (FIRST, false);
    while !(stopping && requests.is_empty()) {
        for token in epoll.wait()? {
            if token == CONTROL {
                stopping = true;
                w.hear()?;
            } else if token < FIRST {
                let conn = accept(&listeners[token as usize])?;
                epoll.add(conn.as_fd(), next)?;
                requests.insert(next, Request { conn, head: Vec::new(), left: None });
                next += 1;
            } else if let Some(request) = requests.get_mut(&token)
                && !request.advance()?
                && let Some(Request { conn, .. }) = requests.remove(&token)
            {
                let tally = conn.tally.clone();
                conn.close(End::Fin);
                totals.add(&tally.get());
                if list {
                    listed.push(tally.get());
                }
            }
        }
    }
    w.totals = Some((totals, listed));
    Ok(())
}

fn accept(listener: &Listener) -> Result<Conn> {
    let (accepted, remote) = listener.socket.accept()?;
    let remote = remote.as_socket().context("not an IP socket")?;
    let local = socket::local(&accepted)?; // the listener may be bound to all addresses
    Ok(Conn::uncounted(accepted, Direction::In, local, remote))
}

impl Request {
    /// Reads once and answers when complete; false when the client has closed.
    fn advance(&mut self) -> Result<bool> {
        let mut buf = [0; 65_536];
        let room = match self.left {
            None => 8 - self.head.len(),
            Some(0) => 8, // the next request, or the end
            Some(left) => left.min(buf.len()),
        };
        let got = stream::read(self.conn.as_fd(), &mut buf[..room]).context("reading a request")?;
        if got == 0 {
            return Ok(false);
        }
        self.conn.tally.received(got);
        match &mut self.left {
            Some(left) if *left > 0 => *left -= got,
            _ => {
                if self.left.take().is_some() {
                    self.head.clear();
                }
                self.head.extend(&buf[..got]);
                if self.head.len() == 8 {
                    self.left = Some(Conn::sizes(&self.head).0.saturating_sub(8));
                }
            }
        }
        if self.left == Some(0) {
            self.conn.tx(stream::write, Conn::sizes(&self.head).1)?;
        }
        Ok(true)
    }
}
