//! Listening sockets, from the kernel's socket diagnosis (sock_diag(7)): they move no bytes, so no connection shows them. To find them in
//! procfs, all connections would have to be read.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::mpsc::{SyncSender, sync_channel};

use procfs::process::{FDTarget, all_processes};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::update::Listener;
use connmon_record::{Endpoint, Proto, Untrusted};

/// From linux/netlink.h, linux/sock_diag.h and linux/inet_diag.h.
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const HEADER: usize = 16;
const REQUEST: usize = 56;
const MESSAGE: usize = 72;
/// Of TCP those that listen (TCP_LISTEN), of UDP those without a remote (TCP_CLOSE).
const WANTED: [(Proto, u32); 2] = [(Proto::TCP, 1 << 10), (Proto::UDP, 1 << 7)];

/// A socket as the kernel tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct InetSocket {
    proto: Proto,
    local: Endpoint,
    inode: u32,
}

/// The sockets found at the last look.
#[derive(Debug, Default)]
pub struct ListenerScan {
    found: Option<Vec<InetSocket>>,
}

impl ListenerScan {
    /// All listening sockets in this network namespace, in order; `None` if they are the same as at the last look. Sockets that cannot be
    /// read are left out.
    pub fn scan(&mut self) -> Option<Vec<Listener>> {
        let mut found: Vec<InetSocket> = Vec::new();
        for (proto, states) in WANTED {
            for family in [libc::AF_INET, libc::AF_INET6] {
                match sockets(proto, family as u8, states) {
                    Ok(sockets) => found.extend(sockets),
                    Err(error) => tracing::debug!("sockets that listen cannot be read: {error}"),
                }
            }
        }
        found.sort();
        found.dedup();
        if self.found.as_ref() == Some(&found) {
            return None;
        }
        let owners = owners();
        let listener = |InetSocket { proto, local, inode }: &InetSocket| {
            let (pid, comm) = owners.get(&u64::from(*inode)).cloned().unwrap_or_default();
            Listener { proto: *proto, local: *local, pid, comm }
        };
        let listeners = found.iter().map(listener).collect();
        self.found = Some(found);
        Some(listeners)
    }
}

/// The broadcaster's end, which asks for a look. The other end, [`Asked`], belongs to whoever may look at other users' processes.
pub struct Listening {
    due: SyncSender<()>,
    /// The listening sockets, each time that they have changed.
    pub(super) found: Receiver<Vec<Listener>>,
}

/// The requests of the broadcaster, and the channel for the answers.
pub struct Asked {
    due: std::sync::mpsc::Receiver<()>,
    found: Sender<Vec<Listener>>,
}

impl Listening {
    /// Both ends.
    pub fn pair() -> (Self, Asked) {
        let (due, told) = sync_channel(1);
        let (found, answers) = channel(1);
        (Self { due, found: answers }, Asked { due: told, found })
    }

    /// Asks for a look, unless one is to come already.
    pub(super) fn look(&self) {
        let _ = self.due.try_send(());
    }
}

impl Asked {
    /// Whether a look is wanted since the last call.
    pub fn is_due(&self) -> bool {
        self.due.try_recv().is_ok()
    }

    /// Sends what was found, unless the broadcaster has not taken the previous answer yet: there will be another look.
    pub fn answer(&self, listeners: Vec<Listener>) {
        let _ = self.found.try_send(listeners);
    }
}

/// Asks the kernel for the sockets of a protocol and a family in these states.
fn sockets(proto: Proto, family: u8, states: u32) -> io::Result<Vec<InetSocket>> {
    // SAFETY: only makes a descriptor.
    let socket = unsafe {
        libc::socket(libc::AF_NETLINK, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, libc::NETLINK_SOCK_DIAG)
    };
    if socket < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it was just made and belongs to nobody else.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    let mut request = [0_u8; HEADER + REQUEST];
    request[..4].copy_from_slice(&((HEADER + REQUEST) as u32).to_ne_bytes());
    request[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request[6..8].copy_from_slice(&((libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16).to_ne_bytes());
    request[HEADER] = family;
    request[HEADER + 1] = proto.0 as u8;
    request[HEADER + 4..HEADER + 8].copy_from_slice(&states.to_ne_bytes());
    // SAFETY: the buffer outlives the call, and the length is that of the buffer.
    let sent = unsafe { libc::send(socket.as_raw_fd(), request.as_ptr().cast(), request.len(), 0) };
    if sent < 0 {
        return Err(io::Error::last_os_error());
    }
    let mut found = Vec::new();
    let mut buffer = vec![0_u8; 1 << 16];
    loop {
        // SAFETY: as above.
        let count = unsafe { libc::recv(socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        if !take(&buffer[..count], proto, &mut found)? {
            return Ok(found);
        }
    }
}

/// Takes the messages of a datagram; whether more are to come.
fn take(mut bytes: &[u8], proto: Proto, found: &mut Vec<InetSocket>) -> io::Result<bool> {
    while let Some(header) = bytes.first_chunk::<HEADER>() {
        let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let kind = i32::from(u16::from_ne_bytes([header[4], header[5]]));
        // Half a message is a damaged answer: nothing after it can be read.
        let Some(message) = bytes.get(HEADER..length) else { return Ok(false) };
        match kind {
            libc::NLMSG_DONE => return Ok(false),
            libc::NLMSG_ERROR => return Err(io::Error::other("the kernel refuses the question")),
            _ => found.extend(message.first_chunk().map(|message| parse_message(message, proto))),
        }
        // Messages begin at multiples of four.
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(true)
}

/// A `struct inet_diag_msg`.
fn parse_message(message: &[u8; MESSAGE], proto: Proto) -> InetSocket {
    let port = u16::from_be_bytes([message[4], message[5]]);
    let ip: IpAddr = if i32::from(message[0]) == libc::AF_INET {
        Ipv4Addr::new(message[8], message[9], message[10], message[11]).into()
    } else {
        let mut ip = [0; 16];
        ip.copy_from_slice(&message[8..24]);
        Ipv6Addr::from(ip).into()
    };
    let inode = u32::from_ne_bytes([message[68], message[69], message[70], message[71]]);
    InetSocket { proto, local: Endpoint::new(ip, port), inode }
}

/// The process of each socket, by the socket's inode: of several, the first.
fn owners() -> HashMap<u64, (u32, Untrusted)> {
    let mut owners = HashMap::new();
    for process in all_processes().into_iter().flatten().flatten() {
        let (Ok(files), Ok(pid)) = (process.fd(), u32::try_from(process.pid)) else { continue };
        let mut comm = None;
        for file in files.flatten() {
            if let FDTarget::Socket(inode) = file.target {
                let comm = comm.get_or_insert_with(|| {
                    process.stat().map(|stat| Untrusted::from(stat.comm)).unwrap_or_default()
                });
                owners.entry(inode).or_insert_with(|| (pid, comm.clone()));
            }
        }
    }
    owners
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::*;

    #[test]
    fn what_listens_is_found_with_its_process() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let tcp6 = TcpListener::bind("[::1]:0").unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut look = ListenerScan::default();
        let found = look.scan().unwrap();
        let has = |proto, address: std::net::SocketAddr| {
            let local = Endpoint::new(address.ip(), address.port());
            found.iter().any(|one| one.proto == proto && one.local == local && one.pid == std::process::id())
        };
        assert!(has(Proto::TCP, tcp.local_addr().unwrap()), "{found:?}");
        assert!(has(Proto::TCP, tcp6.local_addr().unwrap()), "{found:?}");
        assert!(has(Proto::UDP, udp.local_addr().unwrap()), "{found:?}");
        drop(tcp);
        assert!(look.scan().is_some(), "one of them is gone");
    }

    #[test]
    fn a_damaged_answer_ends() {
        let mut found = Vec::new();
        for bytes in [&[0_u8; 40][..], &[0xff; 40], &[3, 0, 0, 0], &[]] {
            let _ = take(bytes, Proto::TCP, &mut found);
        }
        assert!(found.is_empty());
    }
}
