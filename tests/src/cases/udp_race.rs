//! Several threads of one process that use a UDP flow for the first time at the same moment.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::udp::ROOM;
use crate::stage::{Case, Udp, Unsupported, Worker};
use crate::sys::datagram;

/// Threads of the client.
const THREADS: usize = 3;
/// New flows.
const FLOWS: usize = 200;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::pair(
            "udp-race-sockets",
            "threads ask at once on each of 200 new sockets",
            answer_all_flows,
            sockets,
        ),
        Case::pair(
            "udp-race-remotes",
            "threads ask each of 200 remotes at once by one socket",
            many,
            remotes,
        ),
        Case::pair("udp-race-unconnected", "the same by a socket that is not bound", many, unbound),
    ]
}

/// The kernel has as many instances of a return probe as it has processors (`maxactive`, register_kretprobe(), kernel/kprobes.c):
/// while that many tasks are in a send, the return of a further one's is not shown to anybody. The comparison with packets
/// tells it, but the record cannot be right.
fn needs_every_return() -> Result<()> {
    if std::env::var_os("CONNMON_BACKEND").is_some_and(|backend| backend == "kprobe") {
        bail!(Unsupported(
            "return probes miss sends while more tasks are in one than there are processors".into()
        ));
    }
    Ok(())
}

/// Answers the questions of all flows on one socket.
fn answer_all_flows(w: &mut Worker) -> Result<()> {
    needs_every_return()?;
    let mut socket = w.udp()?;
    w.ready(&[socket.local])?;
    (0..FLOWS * THREADS).try_for_each(|_| answer(&mut socket))
}

/// Has a socket for each flow.
fn many(w: &mut Worker) -> Result<()> {
    needs_every_return()?;
    let mut sockets = (0..FLOWS).map(|_| w.udp()).collect::<Result<Vec<_>>>()?;
    w.ready(&sockets.iter().map(|socket| socket.local).collect::<Vec<_>>())?;
    sockets.iter_mut().try_for_each(|socket| (0..THREADS).try_for_each(|_| answer(socket)))
}

/// What comes goes back with a byte more.
fn answer(socket: &mut Udp) -> Result<()> {
    let (from, n) = socket.recv_from(datagram::recvfrom, ROOM)?;
    socket.send_to(datagram::sendto, n + 1, from)
}

fn sockets(w: &mut Worker) -> Result<()> {
    needs_every_return()?;
    let peer = w.peer(0)?;
    let mut sockets = (0..FLOWS).map(|_| w.udp()).collect::<Result<Vec<_>>>()?;
    let asked = ask_at_once(&sockets.iter().map(|socket| (socket, peer)).collect::<Vec<_>>())?;
    sockets.iter_mut().zip(asked).for_each(|(socket, tallies)| tell(socket, &tallies));
    Ok(())
}

fn remotes(w: &mut Worker) -> Result<()> {
    needs_every_return()?;
    let socket = w.udp()?;
    by_one_socket(w, socket)
}

fn unbound(w: &mut Worker) -> Result<()> {
    needs_every_return()?;
    let socket = w.udp_unbound()?;
    by_one_socket(w, socket)
}

fn by_one_socket(w: &Worker, mut socket: Udp) -> Result<()> {
    let peers = (0..FLOWS).map(|n| w.peer(n)).collect::<Result<Vec<_>>>()?;
    let asked = ask_at_once(&peers.iter().map(|&peer| (&socket, peer)).collect::<Vec<_>>())?;
    socket.local = crate::sys::socket::local(&socket.socket)?;
    asked.iter().for_each(|tallies| tell(&mut socket, tallies));
    Ok(())
}

/// One datagram each way: what was sent to whom, and what came from whom.
type Exchange = ((usize, SocketAddr), (usize, SocketAddr));

fn tell(socket: &mut Udp, exchanges: &[Exchange]) {
    for &((sent, to), (got, from)) in exchanges {
        socket.sent(sent, to);
        socket.received(got, from);
    }
}

/// In each round all threads send a datagram to the same remote by the same socket, and receive one. By round.
fn ask_at_once(rounds: &[(&Udp, SocketAddr)]) -> Result<Vec<Vec<Exchange>>> {
    let (gate, payload) = (Gate::default(), [b'.'; 1000]);
    let ask = |thread: usize| -> Result<Vec<Exchange>> {
        let exchange = |(round, &(socket, to)): (usize, &(&Udp, SocketAddr))| {
            // Sizes by which a missing datagram can be told.
            let bytes = &payload[..1 + round + 211 * thread];
            gate.pass(round);
            if round == 0 && thread > 0 {
                // While one thread has a port chosen, the kernel would send what another sends from port 0, which nobody can answer:
                // inet_autobind() (net/ipv4/af_inet.c) sets `inet_sport` after `inet_num`.
                while crate::sys::socket::local(&socket.socket)?.port() == 0 {
                    std::thread::yield_now();
                }
            }
            let sent = datagram::sendto(socket.as_fd(), bytes, to).context("sending")?;
            ensure!(sent == bytes.len(), "a datagram was cut");
            let mut room = [0; 1024];
            let (got, from) = receive(socket, &mut room).context("receiving")?;
            Ok(((sent, to), (got, from)))
        };
        rounds.iter().enumerate().map(exchange).collect()
    };
    let by_thread = std::thread::scope(|scope| {
        let ask = &ask;
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || ask(thread))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| anyhow::anyhow!("a thread panicked"))?)
            .collect::<Result<Vec<_>>>()
    })?;
    Ok((0..rounds.len()).map(|round| by_thread.iter().map(|asked| asked[round]).collect()).collect())
}

/// Receives a datagram, whoever was woken for it. Since Linux 6.18 datagrams that arrive at the same moment are queued together, and
/// wake one of several readers who wait (`udp_prod_queue`, __udp_enqueue_schedule_skb(), net/ipv4/udp.c); seen on 7.2 without any recorder:
/// one in about 20 000 stayed in the queue beside a thread that waited for it.
fn receive(socket: &Udp, room: &mut [u8]) -> std::io::Result<(usize, SocketAddr)> {
    const LOOK_AGAIN: Duration = Duration::from_secs(1);
    socket.socket.set_read_timeout(Some(LOOK_AGAIN))?;
    let begun = Instant::now();
    loop {
        match datagram::recvfrom(socket.as_fd(), room) {
            Err(error) if error.kind() == ErrorKind::WouldBlock && begun.elapsed() < 60 * LOOK_AGAIN => {}
            done => return done,
        }
    }
}

/// Lets the threads into a round when all are there; awake, so that they go on within less than a microsecond.
#[derive(Default)]
struct Gate(AtomicUsize);

impl Gate {
    fn pass(&self, round: usize) {
        self.0.fetch_add(1, Ordering::AcqRel);
        let mut tries = 0_u32;
        while self.0.load(Ordering::Acquire) < (round + 1) * THREADS {
            tries += 1;
            if tries.is_multiple_of(256) { std::thread::yield_now() } else { std::hint::spin_loop() }
        }
    }
}
