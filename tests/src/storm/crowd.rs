//! Much at once: many connections open at the same time, one socket that talks to many remotes, one user with many sockets.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Barrier;

use anyhow::{Context, Result, ensure};
use socket2::{Domain, Protocol, Socket, Type};

use crate::stage::{Case, Cast, Conn, Family, Hold, Worker, settle_where};
use crate::sys::netns::Netns;
use crate::sys::{socket, stream};
use crate::truth::{Connection, Direction, End, Proto, Totals, Truth};

/// Loopback addresses the server listens on, so that ports do not run out.
const ADDRESSES: u8 = 8;
/// Files that a process has open besides its connections.
const OTHER_FILES: usize = 256;
/// `discard`: nobody listens there.
const DISCARD: u16 = 9;
/// The user who is greedy, and another one.
pub const GREEDY: u32 = 65_534;
const MODEST: u32 = 65_533;
/// For so many of the greedy user's connections the other one has one, and each has a socket of datagrams.
const MANY: usize = 40;
/// First of the addresses that are sprayed.
const SPRAYED: u32 = u32::from_be_bytes([127, 32, 0, 1]);

/// The roles.
pub fn case() -> Case {
    Case::new("crowd", "much at once")
        .role("holder", holder)
        .role("caller", caller)
        .role("sprayer", sprayer)
        .role("scatterer", scatterer)
        .role("sharer", sharer)
        .role("throng", throng)
        .role("pinger", pinger)
        .v4()
}

/// So many connections, all open at the same time, each used once. In a network namespace of its own, since the kernel resets
/// connections where there are too many in TIME_WAIT (`tcp_max_tw_buckets`, ip-sysctl), earlier storms' included.
pub fn open(connections: usize, publish: &mut dyn FnMut(Truth) -> Result<()>) -> Result<()> {
    let _netns = Netns::enter()?;
    let case = case();
    let mut stage = case.stage(Family::V4, &Hold::Never, publish);
    let pairs = connections.div_ceil(files()?.saturating_sub(OTHER_FILES).max(1));
    let (mut holders, mut callers, mut ports) = (Vec::new(), Vec::new(), Vec::new());
    for pair in 0..pairs {
        let share = ((pair + 1) * connections / pairs - pair * connections / pairs).to_string();
        let holder = stage.start("holder", &[share.clone(), pair.to_string()])?;
        let addresses = stage.ready(holder)?;
        ports.extend(addresses.iter().filter_map(|at| at.rsplit_once(':')?.1.parse::<u16>().ok()));
        let caller = stage.start("caller", &[share])?;
        stage.tell(caller, &addresses.join(" "))?;
        holders.push(holder);
        callers.push(caller);
    }
    for &caller in &callers {
        stage.note(caller)?;
    }
    // Here all are open.
    callers.iter().try_for_each(|&caller| stage.tell(caller, "close"))?;
    callers.into_iter().chain(holders).try_for_each(|player| stage.end(player))?;
    settle_where(|local, remote| ports.contains(&local) || ports.contains(&remote))?;
    stage.finish()
}

/// A user has so many connections open, both ends of each, some sockets of datagrams, one that half as many processes use, and as
/// many threads that have sent; beside him another user makes a few of all but threads, and root sends on a raw socket.
pub fn greedy(connections: usize, publish: &mut dyn FnMut(Truth) -> Result<()>) -> Result<()> {
    let _netns = Netns::enter()?;
    let case = case();
    let mut stage = case.stage(Family::V4, &Hold::Never, publish);
    let (many, few) = (connections.to_string(), (connections / MANY).max(1).to_string());
    let mut start = |role: &str, args: &[&str], uid| {
        let args = args.iter().map(ToString::to_string).collect();
        stage.start_as(Cast { role: role.into(), args, uid, ..Cast::default() })
    };
    let players = [
        [start("holder", &[&many, "0"], Some(GREEDY))?, start("caller", &[&many], Some(GREEDY))?],
        [start("holder", &[&few, "1"], Some(MODEST))?, start("caller", &[&few], Some(MODEST))?],
    ];
    let scatterers = [start("scatterer", &[&few], Some(GREEDY))?, start("scatterer", &[&few], Some(MODEST))?];
    let half = (connections / 2).to_string();
    let sharers = [start("sharer", &[&half], Some(GREEDY))?, start("sharer", &[&few], Some(MODEST))?];
    let throng = start("throng", &[&many], Some(GREEDY))?;
    let pinger = start("pinger", &[], None)?;
    for sharer in sharers {
        stage.tell(sharer, "go")?;
        stage.end(sharer)?;
    }
    stage.note(throng)?;
    let mut ports = Vec::new();
    for (number, ([holder, caller], scatterer)) in players.into_iter().zip(scatterers).enumerate() {
        let addresses = stage.ready(holder)?;
        ports.extend(addresses.iter().filter_map(|at| at.rsplit_once(':')?.1.parse::<u16>().ok()));
        stage.tell(caller, &addresses.join(" "))?;
        stage.note(caller)?;
        stage.tell(scatterer, "go")?;
        stage.note(scatterer)?;
        if number == 0 {
            stage.tell(throng, "go")?;
            stage.note(throng)?;
            stage.tell(pinger, "go")?;
            stage.end(pinger)?;
        }
    }
    // The greedy one's are open until the other's are closed.
    for ([holder, caller], scatterer) in players.into_iter().zip(scatterers).rev() {
        stage.tell(caller, "close")?;
        stage.tell(scatterer, "close")?;
        [caller, holder, scatterer].into_iter().try_for_each(|player| stage.end(player))?;
    }
    stage.tell(throng, "close")?;
    stage.end(throng)?;
    settle_where(|local, remote| ports.contains(&local) || ports.contains(&remote))?;
    stage.finish()
}

/// One UDP socket sends a datagram to each of so many addresses.
pub fn spray(remotes: usize, publish: &mut dyn FnMut(Truth) -> Result<()>) -> Result<()> {
    let case = case();
    let mut stage = case.stage(Family::V4, &Hold::Never, publish);
    let sprayer = stage.start("sprayer", &[remotes.to_string()])?;
    stage.end(sprayer)?;
    stage.finish()
}

fn holder(w: &mut Worker) -> Result<()> {
    let (count, pair): (usize, u8) = (w.arg(0)?, w.arg(1)?);
    files()?;
    let listeners = (1..=ADDRESSES)
        .map(|host| w.listen_at(SocketAddr::new(Ipv4Addr::new(127, 21, pair, host).into(), 0)))
        .collect::<Result<Vec<_>>>()?;
    w.ready(&listeners.iter().map(|listener| listener.local).collect::<Vec<_>>())?;
    let mut held = Vec::with_capacity(count);
    for n in 0..count {
        let (accepted, remote) = listeners[n % listeners.len()].socket.accept()?;
        let remote = remote.as_socket().context("not an IP socket")?;
        let local = socket::local(&accepted)?;
        let mut conn = Conn::uncounted(accepted, Direction::In, local, remote);
        conn.serve()?;
        held.push(conn);
    }
    let mut sum = (Totals::default(), Vec::new());
    for mut conn in held {
        conn.rx_fin()?;
        tell(conn, &mut sum);
    }
    w.totals = Some(sum);
    Ok(())
}

fn caller(w: &mut Worker) -> Result<()> {
    let count: usize = w.arg(0)?;
    files()?;
    let addresses: Vec<SocketAddr> = w.hear()?.split(' ').map(str::parse).collect::<Result<_, _>>()?;
    let mut held = Vec::with_capacity(count);
    for n in 0..count {
        let mut conn = super::connect(w, addresses[n % addresses.len()])?;
        conn.ask(8 + n % 100, 8 + n % 50)?;
        held.push(conn);
    }
    w.note("open")?;
    w.hear()?;
    let mut sum = (Totals::default(), Vec::new());
    for conn in held {
        tell(conn, &mut sum);
    }
    w.totals = Some(sum);
    Ok(())
}

fn tell(conn: Conn, (totals, listed): &mut (Totals, Vec<Connection>)) {
    let tally = conn.tally.clone();
    conn.close(End::Fin);
    totals.add(&tally.get());
    listed.push(tally.get());
}

fn sprayer(w: &mut Worker) -> Result<()> {
    let remotes: u32 = w.arg(0)?;
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    let local = socket.local_addr()?;
    let payload = [0x5a; 64];
    for n in 0..remotes {
        let remote = SocketAddr::new(IpAddr::V4((SPRAYED + n).into()), DISCARD);
        let bytes = &payload[..n as usize % payload.len()];
        let sent = socket.send_to(bytes, remote)?;
        ensure!(sent == bytes.len(), "a datagram was cut");
        let connection = Connection::new(Proto::Udp, Direction::Out, Some(local), remote);
        w.list(Connection { tx_bytes: sent as u64, tx_calls: 1, open: false, ..connection });
    }
    Ok(())
}

/// So many sockets of datagrams, each of which sends two.
fn scatterer(w: &mut Worker) -> Result<()> {
    let count: usize = w.arg(0)?;
    files()?;
    let remote = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), DISCARD);
    w.hear()?;
    let mut held = Vec::with_capacity(count);
    for n in 0..count {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let bytes = 1 + n % 100;
        let mut connection = Connection::new(Proto::Udp, Direction::Out, Some(socket.local_addr()?), remote);
        for _ in 0..2 {
            ensure!(socket.send_to(&vec![0x5a; bytes], remote)? == bytes, "a datagram was cut");
            connection.tx_bytes += bytes as u64;
            connection.tx_calls += 1;
        }
        held.push(socket);
        w.list(Connection { open: false, ..connection });
    }
    w.note("open")?;
    w.hear()?;
    Ok(())
}

/// A socket that so many other processes use, one after the other, and this one too. Its connection has the bytes of all.
fn sharer(w: &mut Worker) -> Result<()> {
    let count: usize = w.arg(0)?;
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let remote = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), DISCARD);
    w.hear()?;
    ensure!(socket.send_to(&[0x5a], remote)? == 1, "a datagram was cut");
    for _ in 0..count {
        // SAFETY: the child only sends, and ends.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let failed = socket.send_to(&[0x5a; 3], remote).is_err();
            // SAFETY: it ends at once.
            unsafe { libc::_exit(i32::from(failed)) };
        }
        let mut status = -1;
        // SAFETY: `status` is valid for writing.
        ensure!(child > 0 && unsafe { libc::waitpid(child, &raw mut status, 0) } == child, "no child");
        ensure!(status == 0, "a child could not send");
    }
    let connection = Connection::new(Proto::Udp, Direction::Out, Some(socket.local_addr()?), remote);
    let (tx_bytes, tx_calls) = (1 + 3 * count as u64, 1 + count as u64);
    w.list(Connection { tx_bytes, tx_calls, open: false, ..connection });
    Ok(())
}

/// So many threads, each of which sends a byte over TCP and three in a datagram, and lives on.
fn throng(w: &mut Worker) -> Result<()> {
    let count: usize = w.arg(0)?;
    let listener = w.listen_at(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0))?;
    let mut sender = w.connect_to(listener.local)?;
    let mut receiver = w.accept(&listener)?;
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let remote = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), DISCARD);
    let datagrams = Connection::new(Proto::Udp, Direction::Out, Some(socket.local_addr()?), remote);
    sender.tx_bytes(&[0x5a])?;
    ensure!(socket.send_to(&[0x5a; 3], remote)? == 3, "a datagram was cut");
    w.note("ready")?;
    w.hear()?;
    let (sent, over) = (Barrier::new(count + 1), Barrier::new(count + 1));
    let send = || -> Result<()> {
        let done = (sender.socket.send(&[0x5a])?, socket.send_to(&[0x5a; 3], remote)?);
        ensure!(done == (1, 3), "sent {done:?}");
        Ok(())
    };
    std::thread::scope(|scope| -> Result<()> {
        let mut threads = Vec::new();
        for _ in 0..count {
            let body = || {
                let done = send();
                sent.wait();
                over.wait();
                done
            };
            threads.push(std::thread::Builder::new().stack_size(64 << 10).spawn_scoped(scope, body)?);
        }
        sent.wait();
        let told = w.note("open").and_then(|()| w.hear());
        over.wait();
        threads.into_iter().try_for_each(|thread| thread.join().expect("no thread panics"))?;
        told.map(drop)
    })?;
    (0..count).for_each(|_| sender.tally.sent(1));
    receiver.rx(stream::read, count + 1)?;
    sender.close(End::Fin);
    receiver.rx_fin()?;
    receiver.close(End::Fin);
    let (tx_bytes, tx_calls) = (3 * (1 + count as u64), 1 + count as u64);
    w.list(Connection { tx_bytes, tx_calls, open: false, ..datagrams });
    Ok(())
}

/// A process that has never sent anything sends one packet on a raw socket.
fn pinger(w: &mut Worker) -> Result<()> {
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))?;
    let remote = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0);
    w.hear()?;
    let sent = socket.send_to(&[8, 0, 0xf7, 0xff, 0, 0, 0, 0], &remote.into())?;
    let connection = Connection::new(Proto::Icmp, Direction::Out, None, remote);
    w.list(Connection { tx_bytes: sent as u64, tx_calls: 1, open: false, ..connection });
    Ok(())
}

/// Raises the limit on open files as far as it goes, and tells how many there may be.
fn files() -> Result<usize> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is valid for writing, and then for reading.
    let result = unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit)
    };
    ensure!(result == 0, "the limit on open files: {}", std::io::Error::last_os_error());
    Ok(usize::try_from(limit.rlim_max).unwrap_or(usize::MAX))
}
