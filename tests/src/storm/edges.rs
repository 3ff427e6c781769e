//! A load that never pauses and knows each of its connections: for recordings that begin and end meanwhile. All ends are
//! this process's own.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::harness::record::Record;
use crate::sys::netns::{Netns, set_sysctl};
use crate::truth::{Endpoint, Proto};

/// Where the servers are: nobody else's test traffic goes there.
pub const NETWORK: std::ops::RangeInclusive<IpAddr> =
    IpAddr::V4(Ipv4Addr::new(127, 31, 0, 0))..=IpAddr::V4(Ipv4Addr::new(127, 31, 255, 255));
/// Threads of each kind of TCP connections.
const PAIRS: u8 = 2;
/// Connections to one address; with the next address, ports can come back without being taken for each other.
const GENERATION: u64 = 4000;
/// Longer connections of one thread at a time, their turns, and the time between two of these.
const OPEN: u64 = 8;
const TURNS: u64 = 20;
const TURN: Duration = Duration::from_millis(5);

/// One end of a connection: protocol, own address, the other's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionKey(Proto, Endpoint, Endpoint);

impl ConnectionKey {
    /// Of a record.
    pub fn from_record(record: &Record) -> Self {
        Self(record.proto, record.local, record.remote)
    }
}

/// The truth about one end.
#[derive(Clone, Copy, Debug)]
pub struct Made {
    /// Bytes sent.
    pub tx: u64,
    /// Bytes received.
    pub rx: u64,
    /// Before its first call.
    pub begun: Instant,
    /// After the last call of either end.
    pub ended: Instant,
    /// The ports came back, as they do after a minute: a record can be of either connection.
    pub again: bool,
}

type Truth = HashMap<ConnectionKey, Made>;

/// Threads at work.
pub struct Load {
    over: Arc<AtomicBool>,
    /// Short connections so far.
    short: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<Result<Truth>>>,
}

impl Load {
    /// Begins, in a network namespace of its own; with such a pause between two short connections, and between turns if it is longer
    /// than theirs.
    pub fn start(pause: Duration) -> Result<Self> {
        let _netns = Netns::enter()?;
        // Else ports come back after a second, on loopback.
        set_sysctl("net/ipv4/tcp_tw_reuse", "0")?;
        let over = Arc::new(AtomicBool::new(false));
        let turn = pause.max(TURN);
        let mut load = Self { over, short: Arc::default(), threads: Vec::new() };
        for pair in 0..PAIRS {
            let count = Arc::clone(&load.short);
            load.spawn(move |over| short(over, &count, pair, pause));
            load.spawn(move |over| long(over, PAIRS + pair, turn));
        }
        load.spawn(move |over| datagrams(over, 2 * PAIRS, 2 * pause));
        load.spawn(move |over| one_socket(over, 2 * PAIRS + 1, turn));
        Ok(load)
    }

    fn spawn(&mut self, work: impl FnOnce(&AtomicBool) -> Result<Truth> + Send + 'static) {
        let over = Arc::clone(&self.over);
        self.threads.push(std::thread::spawn(move || work(&over)));
    }

    /// Goes on for a time, and until there have been so many short connections, however slow the machine is.
    pub fn go_on(&self, time: Duration, connections: usize) -> Result<()> {
        const LIMIT: Duration = Duration::from_secs(300);
        let begun = Instant::now();
        std::thread::sleep(time);
        while self.short.load(Ordering::Relaxed) < connections {
            ensure!(begun.elapsed() < LIMIT, "the load makes no connections");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Ends; the truth about all of it.
    pub fn stop(self) -> Result<Truth> {
        self.over.store(true, Ordering::Relaxed);
        let mut all = Truth::new();
        for thread in self.threads {
            let Ok(made) = thread.join() else { bail!("a thread of the load panicked") };
            let expected = all.len() + made.as_ref().map_or(0, HashMap::len);
            all.extend(made?);
            ensure!(all.len() == expected, "ports came back: the truth is none");
        }
        Ok(all)
    }
}

/// Notes both ends: what the client sent is what the server received.
fn note(
    truth: &mut Truth,
    proto: Proto,
    [client, server]: [SocketAddr; 2],
    (sent, answered): (u64, u64),
    begun: Instant,
) {
    let (client, server) = (Endpoint::from(client), Endpoint::from(server));
    let made = Made { tx: sent, rx: answered, begun, ended: Instant::now(), again: false };
    let again = truth.contains_key(&ConnectionKey(proto, client, server));
    truth.insert(ConnectionKey(proto, client, server), Made { again, ..made });
    truth.insert(ConnectionKey(proto, server, client), Made { tx: answered, rx: sent, again, ..made });
}

/// The servers' address of a thread, for its connection number `n`.
fn host(thread: u8, n: u64) -> Ipv4Addr {
    Ipv4Addr::new(127, 31, thread, (n / GENERATION % 250) as u8 + 1)
}

/// Sizes that hardly two connections in a row have.
fn sizes(n: u64) -> (u64, u64) {
    (9 + n * 7 % 1999, 1 + n * 11 % 997)
}

/// One short connection after the other. The server waits in its calls, in a thread of its own.
fn short(over: &AtomicBool, count: &AtomicUsize, thread: u8, pause: Duration) -> Result<Truth> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    let port = listener.local_addr()?.port();
    let server = std::thread::spawn(move || serve(&listener));
    let mut truth = Truth::new();
    for n in 0.. {
        let last = over.load(Ordering::Relaxed);
        let (sent, answered) = sizes(n);
        let begun = Instant::now();
        let mut stream = TcpStream::connect((host(thread, n), port))?;
        let mut request = vec![0; usize::try_from(sent)?];
        request[..8].copy_from_slice(&(answered | sent << 16 | u64::from(last) << 32).to_le_bytes());
        stream.write_all(&request)?;
        stream.read_exact(&mut vec![0; usize::try_from(answered)?])?;
        let ends = [stream.local_addr()?, stream.peer_addr()?];
        drop(stream);
        note(&mut truth, Proto::Tcp, ends, (sent, answered), begun);
        count.fetch_add(1, Ordering::Relaxed);
        if last {
            break;
        }
        std::thread::sleep(pause);
    }
    let Ok(ended) = server.join() else { bail!("the server panicked") };
    for (client, (server, ended)) in ended? {
        for key in [ConnectionKey(Proto::Tcp, client, server), ConnectionKey(Proto::Tcp, server, client)] {
            let made = truth.get_mut(&key).context("the server met a client that there was not")?;
            made.ended = made.ended.max(ended);
        }
    }
    Ok(truth)
}

/// Answers each client; who the clients were, and when it was done with them.
fn serve(listener: &TcpListener) -> Result<Vec<(Endpoint, (Endpoint, Instant))>> {
    let mut ended = Vec::new();
    loop {
        let (mut stream, client) = listener.accept()?;
        let server = stream.local_addr()?;
        let mut head = [0; 8];
        stream.read_exact(&mut head)?;
        let head = u64::from_le_bytes(head);
        let (answer, sent, last) = (head & 0xffff, head >> 16 & 0xffff, head >> 32 != 0);
        stream.read_exact(&mut vec![0; usize::try_from(sent - 8)?])?;
        stream.write_all(&vec![0; usize::try_from(answer)?])?;
        ensure!(stream.read(&mut [0])? == 0, "more than was announced");
        drop(stream);
        ended.push((client.into(), (server.into(), Instant::now())));
        if last {
            return Ok(ended);
        }
    }
}

/// A connection of [`long`].
struct Slot {
    client: TcpStream,
    server: TcpStream,
    begun: Instant,
    bytes: (u64, u64),
    turns: u64,
}

/// Several connections at a time, each with some bytes every now and then; the first one stays.
fn long(over: &AtomicBool, thread: u8, turn: Duration) -> Result<Truth> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    let port = listener.local_addr()?.port();
    let (mut truth, mut slots, mut n) = (Truth::new(), Vec::new(), 0);
    while !over.load(Ordering::Relaxed) {
        while (slots.len() as u64) < OPEN {
            let begun = Instant::now();
            let client = TcpStream::connect((host(thread, n), port))?;
            // Every third waits to be accepted.
            if n % 3 == 0 {
                std::thread::sleep(turn);
            }
            let (server, _) = listener.accept()?;
            slots.push(Slot { client, server, begun, bytes: (0, 0), turns: n % TURNS });
            n += 1;
        }
        for slot in &mut slots {
            slot.turn()?;
        }
        std::thread::sleep(turn);
        let due = 1 + slots[1..].iter().position(|slot| slot.turns >= TURNS).unwrap_or(slots.len());
        if due < slots.len() {
            slots.remove(due).close(&mut truth)?;
        }
    }
    slots.into_iter().try_for_each(|slot| slot.close(&mut truth))?;
    Ok(truth)
}

impl Slot {
    fn turn(&mut self) -> Result<()> {
        self.turns += 1;
        let (sent, answered) = sizes(self.turns);
        exchange(&mut self.client, &mut self.server, sent)?;
        exchange(&mut self.server, &mut self.client, answered)?;
        self.bytes = (self.bytes.0 + sent, self.bytes.1 + answered);
        Ok(())
    }

    fn close(self, truth: &mut Truth) -> Result<()> {
        let Self { client, mut server, begun, bytes, .. } = self;
        let ends = [client.local_addr()?, client.peer_addr()?];
        drop(client);
        ensure!(server.read(&mut [0])? == 0, "more than was sent");
        drop(server);
        note(truth, Proto::Tcp, ends, bytes, begun);
        Ok(())
    }
}

fn exchange(from: &mut TcpStream, to: &mut TcpStream, bytes: u64) -> Result<()> {
    let mut bytes = vec![0; usize::try_from(bytes)?];
    from.write_all(&bytes)?;
    Ok(to.read_exact(&mut bytes)?)
}

/// One conversation in datagrams after the other, on new sockets each. The port tells them apart.
fn datagrams(over: &AtomicBool, thread: u8, pause: Duration) -> Result<Truth> {
    let mut truth = Truth::new();
    for n in 0.. {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let begun = Instant::now();
        let port = 1024 + (n % GENERATION) as u16;
        let server = UdpSocket::bind((host(thread, n), port))?;
        let client = UdpSocket::bind((host(thread, n), 0))?;
        client.connect(server.local_addr()?)?;
        let (sent, answered) = sizes(n);
        for _ in 0..3 {
            talk(&client, &server, sent, answered)?;
        }
        let ends = [client.local_addr()?, server.local_addr()?];
        drop((client, server));
        note(&mut truth, Proto::Udp, ends, (3 * sent, 3 * answered), begun);
        std::thread::sleep(pause);
    }
    Ok(truth)
}

/// Two sockets that live as long as the load does, and new clients of one of them.
fn one_socket(over: &AtomicBool, thread: u8, turn: Duration) -> Result<Truth> {
    let mut truth = Truth::new();
    let begun = Instant::now();
    let server = UdpSocket::bind((host(thread, 0), 0))?;
    let client = UdpSocket::bind((host(thread, 0), 0))?;
    client.connect(server.local_addr()?)?;
    let (mut sum, mut clients) = ((0, 0), Vec::new());
    for n in 0.. {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let (sent, answered) = sizes(n);
        talk(&client, &server, sent, answered)?;
        sum = (sum.0 + sent, sum.1 + answered);
        if n % 8 == 0 {
            let begun = Instant::now();
            let other = UdpSocket::bind((host(thread, 0), 0))?;
            other.connect(server.local_addr()?)?;
            talk(&other, &server, sent, answered)?;
            clients.push((other, (sent, answered), begun));
        }
        std::thread::sleep(turn);
    }
    // The server's flows end with its socket.
    let ends = [client.local_addr()?, server.local_addr()?];
    drop(client);
    let at = server.local_addr()?;
    drop(server);
    note(&mut truth, Proto::Udp, ends, sum, begun);
    for (other, bytes, begun) in clients {
        note(&mut truth, Proto::Udp, [other.local_addr()?, at], bytes, begun);
    }
    Ok(truth)
}

/// A question and its answer.
fn talk(client: &UdpSocket, server: &UdpSocket, sent: u64, answered: u64) -> Result<()> {
    let mut buffer = [0; 2048];
    client.send(&buffer[..usize::try_from(sent)?])?;
    let (_, from) = server.recv_from(&mut buffer)?;
    server.send_to(&buffer[..usize::try_from(answered)?], from)?;
    client.recv(&mut buffer)?;
    Ok(())
}
