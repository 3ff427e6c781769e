//! A process that plays one role.

use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use socket2::{Domain, Socket, Type};

use super::control::{Control, Message};
use super::tally::Ledger;
use super::{Conn, Family, Unsupported};
use crate::sys::process::{self, Fork};
use crate::sys::socket;
use crate::truth::{Connection, Direction, End, Process, Proto, Totals};

/// No case takes this long.
const LIMIT: Duration = Duration::from_secs(900);

/// A listening socket and its address.
pub struct Listener {
    /// The socket.
    pub socket: Socket,
    /// Where it listens.
    pub local: SocketAddr,
}

/// What a role has at hand.
pub struct Worker {
    /// IP version of this run.
    pub family: Family,
    /// What the coordinator gave it on the command line.
    pub args: Vec<String>,
    /// For roles that count by themselves: sums, and what the sums are made of.
    pub totals: Option<(Totals, Vec<Connection>)>,
    pub(super) ledger: Ledger,
    id: String,
    role: String,
    control: Option<Control>,
    forks: Vec<Process>,
}

impl Worker {
    /// The address of the `n`th role that was ready before this one was started.
    pub fn peer(&self, n: usize) -> Result<SocketAddr> {
        self.arg(n)
    }

    /// An argument.
    pub fn arg<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(&self, n: usize) -> Result<T> {
        let text = self.args.get(n).with_context(|| format!("argument {n} is missing"))?;
        text.parse().with_context(|| format!("argument {n}: {text}"))
    }

    fn control(&mut self) -> Result<&mut Control> {
        self.control.as_mut().context("a forked process has no line to the coordinator")
    }

    /// Lets the next role start.
    pub fn ready(&mut self, at: &[SocketAddr]) -> Result<()> {
        self.control()?.send(&Message::Ready(at.to_vec()))
    }

    /// Tells the coordinator something.
    pub fn note(&mut self, text: impl ToString) -> Result<()> {
        self.control()?.send(&Message::Note(text.to_string()))
    }

    /// Waits for the coordinator's word.
    pub fn hear(&mut self) -> Result<String> {
        self.control()?.line()
    }

    /// The line to the coordinator, for roles that wait for more than it.
    pub fn line(&mut self) -> Result<&UnixStream> {
        Ok(self.control()?.stream())
    }

    /// Reports what was done so far and waits for the coordinator's word; what follows is counted from 0.
    pub fn checkpoint(&mut self) -> Result<String> {
        let report = self.report();
        self.control()?.send(&Message::Report(report))?;
        self.hear()
    }

    /// This process and its forks, with what they did since the last report.
    fn report(&mut self) -> Vec<Process> {
        let mut own = Process { connections: self.ledger.take(), ..process::identity(&self.role) };
        if let Some((totals, listed)) = self.totals.take() {
            own.totals = Some(totals);
            own.connections.extend(listed);
        }
        std::iter::once(own).chain(self.forks.drain(..)).collect()
    }

    /// A new TCP socket for addresses like `addr`.
    pub fn tcp(&self, addr: SocketAddr) -> Result<Socket> {
        Ok(Socket::new(Domain::for_address(addr), Type::STREAM, None)?)
    }

    /// Listens on a free port of the loopback address, and says so.
    pub fn listen(&mut self) -> Result<Listener> {
        let listener = self.listen_at(SocketAddr::new(self.family.loopback(), 0))?;
        self.ready(&[listener.local])?;
        Ok(listener)
    }

    /// Listens at `addr` without a word.
    pub fn listen_at(&self, addr: SocketAddr) -> Result<Listener> {
        let socket = self.tcp(addr)?;
        socket.bind(&addr.into())?;
        socket.listen(1024)?;
        Ok(Listener { local: socket::local(&socket)?, socket })
    }

    /// Accepts, asking for the caller's address.
    pub fn accept(&self, listener: &Listener) -> Result<Conn> {
        let (socket, remote) = listener.socket.accept().context("accept")?;
        let remote = remote.as_socket().context("not an IP socket")?;
        Ok(self.conn(socket, Direction::In, listener.local, remote))
    }

    /// Accepts without asking for the caller's address, which is known to be `remote`.
    pub fn accept_unasked(&self, listener: &Listener, remote: SocketAddr) -> Result<Conn> {
        let socket = socket::accept_no_addr(listener.socket.as_fd()).context("accept4")?;
        Ok(self.conn(socket, Direction::In, listener.local, remote))
    }

    /// Connects to the first peer.
    pub fn connect(&self) -> Result<Conn> {
        self.connect_to(self.peer(0)?)
    }

    /// Connects and waits for the connection.
    pub fn connect_to(&self, remote: SocketAddr) -> Result<Conn> {
        let socket = self.tcp(remote)?;
        socket.connect(&remote.into()).with_context(|| format!("connecting to {remote}"))?;
        let local = socket::local(&socket)?;
        Ok(self.conn(socket, Direction::Out, local, remote))
    }

    /// Starts to connect without waiting.
    pub fn begin_connect(&self, remote: SocketAddr) -> Result<Conn> {
        let socket = self.tcp(remote)?;
        socket.set_nonblocking(true)?;
        match socket.connect(&remote.into()) {
            Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => {
                bail!("connecting to {remote}: {error}")
            }
            _ => {
                let local = socket::local(&socket)?;
                Ok(self.conn(socket, Direction::Out, local, remote))
            }
        }
    }

    /// Counts on a TCP socket.
    pub fn conn(&self, socket: Socket, direction: Direction, local: SocketAddr, remote: SocketAddr) -> Conn {
        let connection = Connection::new(Proto::Tcp, direction, Some(local), remote);
        Conn { socket, tally: self.ledger.open(connection) }
    }

    /// Counts what goes to `remote` by a protocol without ports.
    pub fn flow(&self, proto: Proto, remote: SocketAddr) -> super::Tally {
        self.ledger.open(Connection::new(proto, Direction::Out, None, remote))
    }

    /// Notes a connection attempt that never had a socket address of its own.
    pub fn attempt(&self, remote: SocketAddr) -> super::Tally {
        self.ledger.open(Connection::new(Proto::Tcp, Direction::Out, None, remote))
    }

    /// Notes the inbound end of a connection that the kernel made and nobody accepted.
    pub fn unaccepted(&mut self, listener: &Listener, remote: SocketAddr, end: End) {
        let connection = Connection::new(Proto::Tcp, Direction::In, Some(listener.local), remote);
        let connection = Connection { end: Some(end), open: false, ..connection };
        self.forks.push(Process::nobody(vec![connection]));
    }

    /// Puts a connection that was counted elsewhere into the truth.
    pub fn list(&self, connection: Connection) {
        self.ledger.open(connection);
    }

    /// Counts on a socket that another process opened.
    pub fn borrow(&self, socket: Socket, seen_by_owner: Connection) -> Conn {
        Conn { socket, tally: self.ledger.open(seen_by_owner) }
    }

    /// Forks; the child does `body` and ends.
    pub fn fork(&self, role: &str, body: impl FnOnce(&mut Self) -> Result<()>) -> Result<Fork> {
        let mut child = Self {
            family: self.family,
            args: self.args.clone(),
            totals: None,
            ledger: Ledger::default(),
            id: self.id.clone(),
            role: role.to_owned(),
            control: None,
            forks: Vec::new(),
        };
        let fork = Fork::new(move || {
            process::leash(LIMIT);
            let message = match body(&mut child) {
                Ok(()) => Message::Report(child.report()),
                Err(error) => Message::of_error("a forked process", &error),
            };
            serde_json::to_vec(&message).unwrap_or_default()
        })?;
        Ok(fork)
    }

    /// Waits for a forked child and takes its report.
    pub fn join(&mut self, child: Fork) -> Result<()> {
        match serde_json::from_slice(&child.join()?)? {
            Message::Report(report) => self.forks.extend(report),
            Message::Unsupported(what) => return Err(Unsupported(what).into()),
            other => bail!("a forked process: {other:?}"),
        }
        Ok(())
    }

    /// Becomes another program, which plays `role` and has `conn` as descriptor [`Worker::inherited`].
    pub fn exec_into(&mut self, role: &str, conn: Conn) -> Result<()> {
        let report = self.report();
        self.control()?.send(&Message::Report(report))?;
        conn.socket.set_cloexec(false)?;
        let fd = conn.as_fd().as_raw_fd().to_string();
        let error = Command::new("/proc/self/exe").args(["child", &self.id, role, &fd]).exec();
        Err(error).context("exec")
    }

    /// The connection that [`Worker::exec_into`] left us.
    pub fn inherited(&self) -> Result<Conn> {
        let fd = self.arg(0)?;
        // SAFETY: our former self left this descriptor open for us and nobody else knows of it.
        let socket = Socket::from(unsafe { OwnedFd::from_raw_fd(fd) });
        let (local, remote) = (socket::local(&socket)?, socket::remote(&socket)?);
        Ok(self.conn(socket, Direction::Out, local, remote))
    }
}

/// What a worker process does.
pub type Role = fn(&mut Worker) -> Result<()>;

/// Finds what a role of a case does, by their names.
pub type FindRole = fn(&str, &str) -> Result<(Family, Role)>;

/// The worker process: plays `role` of `id` over the control socket that is its standard input. `find_role` says what that is.
pub fn run_child(id: &str, role: &str, args: &[String], find_role: FindRole) -> ExitCode {
    process::leash(LIMIT);
    // SAFETY: whoever started a worker made its standard input a socket of its own; it is used here only.
    let stream = unsafe { UnixStream::from_raw_fd(0) };
    let mut worker = Worker {
        family: Family::V4,
        args: args.to_vec(),
        totals: None,
        ledger: Ledger::default(),
        id: id.to_owned(),
        role: role.to_owned(),
        control: Some(Control::new(stream)),
        forks: Vec::new(),
    };
    let played = find_role(id, role).and_then(|(family, body)| {
        worker.family = family;
        body(&mut worker)
    });
    let message = match played {
        Ok(()) => Message::Report(worker.report()),
        Err(error) => Message::of_error(&format!("{id} {role}"), &error),
    };
    match worker.control().and_then(|control| control.send(&message)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
