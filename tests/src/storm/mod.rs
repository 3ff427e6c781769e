//! Many short connections at full rate from short-lived processes.
//!
//! Ports: the clients close first, so `TIME_WAIT` stays on their side, one port per server address. The servers
//! listen on many loopback addresses, so that no storm runs out of ports.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::stage::{Case, Conn, Family, Hold, Worker, settle_where};
use crate::sys::netns::Netns;
use crate::truth::{End, Totals, Truth};

pub mod crowd;
pub mod edges;
pub mod server;

/// The size of a storm.
#[derive(Clone, Debug)]
pub struct Storm {
    /// Connections in total.
    pub connections: usize,
    /// Client processes.
    pub processes: usize,
    /// Client processes at a time.
    pub parallel: usize,
    /// Server processes.
    pub servers: usize,
    /// Bytes of a request; an answer has twice as many. Both vary a little.
    pub bytes: usize,
    /// List every connection in the truth, not only the sums.
    pub list: bool,
    /// Take place in a network namespace of its own.
    pub netns: bool,
    /// Connections a second of all clients together; 0 for as fast as they can.
    pub rate: usize,
}

/// Loopback addresses a server process listens on.
const ADDRESSES: u8 = 8;

/// The roles of a storm.
pub fn case() -> Case {
    Case::new("storm", "many short connections").role("server", server_role).role("client", client).v4()
}

/// Runs a storm.
pub fn run(storm: &Storm, publish: &mut dyn FnMut(Truth) -> Result<()>) -> Result<()> {
    ensure!(storm.processes > 0 && storm.servers > 0 && storm.parallel > 0, "a storm needs processes");
    let _netns = if storm.netns { Some(Netns::enter()?) } else { None };
    let case = case();
    let mut stage = case.stage(Family::V4, &Hold::Never, publish);
    let list = u8::from(storm.list).to_string();
    let mut addresses = Vec::new();
    for number in 0..storm.servers {
        let server = stage.start("server", &[number.to_string(), list.clone()])?;
        addresses.extend(stage.ready(server)?);
    }
    let ports: Vec<u16> = addresses.iter().filter_map(|at| at.rsplit_once(':')?.1.parse().ok()).collect();
    let addresses = addresses.join(" ");
    for number in 0..storm.processes {
        if number >= storm.parallel {
            stage.end(storm.servers + number - storm.parallel)?;
        }
        let share =
            (number + 1) * storm.connections / storm.processes - number * storm.connections / storm.processes;
        let pause = (1_000_000 * storm.parallel).checked_div(storm.rate).unwrap_or(0).to_string();
        let args = [number.to_string(), share.to_string(), storm.bytes.to_string(), list.clone(), pause];
        let client = stage.start("client", &args)?;
        stage.tell(client, &addresses)?;
    }
    for number in 0..storm.processes {
        stage.end(storm.servers + number)?;
    }
    (0..storm.servers).try_for_each(|server| stage.tell(server, "stop"))?;
    (0..storm.servers).try_for_each(|server| stage.end(server))?;
    settle_where(|local, remote| ports.contains(&local) || ports.contains(&remote))?;
    stage.finish()
}

fn server_role(w: &mut Worker) -> Result<()> {
    let (number, list): (u8, u8) = (w.arg(0)?, w.arg(1)?);
    let listeners = (1..=ADDRESSES)
        .map(|host| w.listen_at(SocketAddr::new(Ipv4Addr::new(127, 20, number, host).into(), 0)))
        .collect::<Result<Vec<_>>>()?;
    w.ready(&listeners.iter().map(|listener| listener.local).collect::<Vec<_>>())?;
    server::serve(w, &listeners, list == 1)
}

fn client(w: &mut Worker) -> Result<()> {
    let (number, share, bytes, list): (usize, usize, usize, u8) =
        (w.arg(0)?, w.arg(1)?, w.arg(2)?, w.arg(3)?);
    let pause = Duration::from_micros(w.arg(4)?);
    let begun = Instant::now();
    let addresses: Vec<SocketAddr> = w.hear()?.split(' ').map(str::parse).collect::<Result<_, _>>()?;
    let (mut totals, mut listed) = (Totals::default(), Vec::new());
    for n in 0..share {
        let due = pause * u32::try_from(n)?;
        std::thread::sleep(due.saturating_sub(begun.elapsed()));
        let remote = addresses[(number + n) % addresses.len()];
        let mut conn = connect(w, remote)?;
        conn.ask(8 + bytes + number % 13, 2 * bytes + n % 7)?;
        let tally = conn.tally.clone();
        conn.close(End::Fin);
        let connection = tally.get();
        totals.add(&connection);
        if list == 1 {
            listed.push(connection);
        }
    }
    w.totals = Some((totals, listed));
    Ok(())
}

/// Like [`Worker::connect_to`], but counted by the caller.
fn connect(w: &Worker, remote: SocketAddr) -> Result<Conn> {
    let socket = w.tcp(remote)?;
    socket.connect(&remote.into())?;
    let local = crate::sys::socket::local(&socket)?;
    Ok(Conn::uncounted(socket, crate::truth::Direction::Out, local, remote))
}
