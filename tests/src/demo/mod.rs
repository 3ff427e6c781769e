//! About nine seconds of everyday traffic, for a report worth looking at.
//!
//! The world it talks to is make-believe: a network namespace of our own whose `lo` carries public addresses of many
//! countries. Nothing leaves that namespace. Without the right to create one, only the local part takes place.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::stage::{Case, Cast, Family, Hold, Stage, Worker};
use crate::storm::server;
use crate::sys::netlink::Netlink;
use crate::sys::netns::Netns;
use crate::sys::{datagram, socket};
use crate::truth::{End, Truth};

mod habits;

use habits::{HOME, Habit, LOCAL, PORTS, WORLD, habit, places};

/// The roles of the demonstration.
pub fn case() -> Case {
    Case::new("demo", "everyday traffic")
        .role("web-server", web_server)
        .role("name-server", name_server)
        .role("database", database)
        .role("client", client)
        .lossy()
        .v4()
}

/// Runs the demonstration.
pub fn run(publish: &mut dyn FnMut(Truth) -> Result<()>) -> Result<()> {
    let case = case();
    let mut stage = case.stage(Family::V4, &Hold::Never, publish);
    let mut disguises = BTreeMap::new();
    for name in
        WORLD.iter().chain(LOCAL).map(|habit| habit.name).chain(["web-server", "name-server", "database"])
    {
        disguises.insert(name, stage.disguise(name)?);
    }
    let start = |stage: &mut Stage<'_>, role: &str, name: &str, uid, args: Vec<String>| {
        let (exe, arg0) = (disguises.get(name).cloned(), Some(name.into()));
        stage.start_as(Cast { role: role.to_owned(), args, uid, exe, arg0 })
    };
    let mut servers = Vec::new();
    let mut clients = Vec::new();
    match Netns::enter() {
        Ok(_world) => {
            let netlink = Netlink::open()?;
            for ip in places().into_iter().chain(HOME) {
                netlink.add_to_loopback(ip).with_context(|| format!("cannot add {ip}"))?;
            }
            for role in ["web-server", "name-server"] {
                servers.push(start(&mut stage, role, role, None, Vec::new())?);
            }
            for &server in &servers {
                stage.ready(server)?;
            }
            for habit in WORLD {
                clients.push(start(
                    &mut stage,
                    "client",
                    habit.name,
                    habit.uid,
                    vec![habit.name.to_owned()],
                )?);
            }
        }
        Err(error) => eprintln!("traffic: {error:#}: the local part only"),
    }
    let database = start(&mut stage, "database", "database", None, Vec::new())?;
    let at = stage.ready(database)?;
    servers.push(database);
    for habit in LOCAL {
        let uid = habit.uid.filter(|_| !clients.is_empty());
        let args = std::iter::once(habit.name.to_owned()).chain(at.clone()).collect();
        clients.push(start(&mut stage, "client", habit.name, uid, args)?);
    }
    clients.into_iter().try_for_each(|client| stage.end(client))?;
    for server in servers {
        let _ = stage.tell(server, "stop"); // the name server has stopped by itself
    }
    stage.finish()
}

/// Serves all the world's web, mail and chat, over both IP versions.
fn web_server(w: &mut Worker) -> Result<()> {
    let listeners = PORTS
        .iter()
        .map(|&port| w.listen_at(SocketAddr::new(IpAddr::from([0u16; 8]), port)))
        .collect::<Result<Vec<_>>>()?;
    w.ready(&[])?;
    server::serve(w, &listeners, true)?;
    only_listed(w);
    Ok(())
}

/// A database on both loopback addresses.
fn database(w: &mut Worker) -> Result<()> {
    let listeners = [Family::V4, Family::V6]
        .iter()
        .map(|family| w.listen_at(SocketAddr::new(family.loopback(), 0)))
        .collect::<Result<Vec<_>>>()?;
    w.ready(&listeners.iter().map(|listener| listener.local).collect::<Vec<_>>())?;
    server::serve(w, &listeners, true)?;
    only_listed(w);
    Ok(())
}

/// All connections are listed: no sums needed.
fn only_listed(w: &mut Worker) {
    let listed = w.totals.take().map(|(_, listed)| listed).unwrap_or_default();
    listed.into_iter().for_each(|connection| w.list(connection));
}

/// Answers queries at every place, as many as its clients will ask.
fn name_server(w: &mut Worker) -> Result<()> {
    let habit = habit("resolver")?;
    let mut sockets =
        habit.places().map(|ip| w.udp_at(SocketAddr::new(ip, habit.port))).collect::<Result<Vec<_>>>()?;
    w.ready(&[])?;
    std::thread::scope(|scope| {
        let threads: Vec<_> = sockets
            .iter_mut()
            .map(|socket| {
                scope.spawn(move || -> Result<()> {
                    for _ in 0..habit.rounds {
                        let (from, n) = socket.recv_from(datagram::recvfrom, 2000)?;
                        socket.send_to(datagram::sendto, n * 3, from)?;
                    }
                    Ok(())
                })
            })
            .collect();
        threads.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|_| anyhow::bail!("a panic")))
    })
}

fn client(w: &mut Worker) -> Result<()> {
    let habit = habit(&w.arg::<String>(0)?)?;
    if let Some(at) = w.args.get(1..).filter(|at| !at.is_empty()) {
        let at = at.iter().map(|at| at.parse()).collect::<Result<Vec<SocketAddr>, _>>()?;
        return (0..habit.rounds).try_for_each(|n| visit(w, habit, at[n % at.len()], n));
    }
    for n in 0..habit.rounds {
        for ip in habit.places() {
            visit(w, habit, SocketAddr::new(ip, habit.port), n)?;
        }
    }
    Ok(())
}

/// One request, and the pause after it.
fn visit(w: &mut Worker, habit: &Habit, at: SocketAddr, n: usize) -> Result<()> {
    let pause = Duration::from_millis(habit.pause_ms);
    let (request, reply) = (habit.request + 17 * n, habit.reply + 1009 * n);
    if habit.udp {
        let mut socket = w.udp_at(SocketAddr::new(home(at.ip()), 0))?;
        socket.send_to(datagram::sendto, request, at)?;
        socket.recv_from(datagram::recvfrom, 4000)?;
    } else {
        let socket = w.tcp(at)?;
        if !at.ip().is_loopback() {
            socket.bind(&SocketAddr::new(home(at.ip()), 0).into())?;
        }
        let answer = socket.connect(&at.into());
        if habit.refused {
            let refused = answer.err().context("it was not refused")?;
            ensure!(refused.raw_os_error() == Some(libc::ECONNREFUSED), "{refused}");
            w.attempt(at).ended(End::Refused);
        } else {
            answer.with_context(|| format!("{} to {at}", habit.name))?;
            let local = socket::local(&socket)?;
            let mut conn = w.conn(socket, crate::truth::Direction::Out, local, at);
            for _ in 0..habit.requests {
                conn.ask(request, reply)?;
                std::thread::sleep(pause / habit.requests);
            }
            conn.close(End::Fin);
            return Ok(());
        }
    }
    std::thread::sleep(pause);
    Ok(())
}

/// The address that our clients call from.
fn home(to: IpAddr) -> IpAddr {
    if to.is_loopback() { to } else { HOME[usize::from(to.is_ipv6())] }
}
