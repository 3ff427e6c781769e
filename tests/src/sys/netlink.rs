//! The few netlink requests that a namespace of our own needs; no `ip` program required.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::{checked, counted};

const HEADER: usize = size_of::<libc::nlmsghdr>();
/// `lo` is the first interface of every namespace.
const LOOPBACK: i32 = 1;

/// A route-netlink socket of the calling thread's network namespace.
pub struct Netlink(OwnedFd);

impl Netlink {
    /// Opens it.
    pub fn open() -> io::Result<Self> {
        Self::to(libc::NETLINK_ROUTE)
    }

    /// One that speaks to another part of the kernel.
    pub(super) fn to(protocol: i32) -> io::Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
        // SAFETY: creates a descriptor.
        let fd = checked(unsafe { libc::socket(libc::AF_NETLINK, kind, protocol) })?;
        // SAFETY: the kernel just gave us this descriptor.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Brings the loopback interface up.
    pub fn loopback_up(&self) -> io::Result<()> {
        self.up(LOOPBACK)
    }

    /// Brings an interface up.
    pub fn up(&self, interface: i32) -> io::Result<()> {
        let mut body = vec![libc::AF_UNSPEC as u8, 0, 0, 0];
        body.extend(interface.to_ne_bytes());
        body.extend((libc::IFF_UP as u32).to_ne_bytes());
        body.extend((libc::IFF_UP as u32).to_ne_bytes());
        self.request(libc::RTM_NEWLINK, 0, &body)
    }

    /// Makes two interfaces that are connected to each other: numbers 2 and 3 in a namespace that had only `lo`.
    pub fn add_veth(&self) -> io::Result<()> {
        // struct ifinfomsg, then IFLA_LINKINFO { IFLA_INFO_KIND "veth" }
        let mut body = vec![0; 16];
        for (len, kind) in [(12u16, libc::IFLA_LINKINFO), (8, libc::IFLA_INFO_KIND)] {
            body.extend(len.to_ne_bytes());
            body.extend(kind.to_ne_bytes());
        }
        body.extend(b"veth");
        self.request(libc::RTM_NEWLINK, libc::NLM_F_CREATE | libc::NLM_F_EXCL, &body)
    }

    /// Gives the loopback interface one more address.
    pub fn add_to_loopback(&self, ip: IpAddr) -> io::Result<()> {
        self.add_address(LOOPBACK, ip, if ip.is_ipv4() { 32 } else { 128 })
    }

    /// Gives an interface one more address.
    pub fn add_address(&self, interface: i32, ip: IpAddr, prefix: u8) -> io::Result<()> {
        let (family, octets) = match ip {
            IpAddr::V4(ip) => (libc::AF_INET, ip.octets().to_vec()),
            IpAddr::V6(ip) => (libc::AF_INET6, ip.octets().to_vec()),
        };
        let flags = libc::IFA_F_PERMANENT | libc::IFA_F_NODAD;
        let mut body = vec![family as u8, prefix, flags as u8, libc::RT_SCOPE_UNIVERSE];
        body.extend(interface.to_ne_bytes());
        for kind in [libc::IFA_LOCAL, libc::IFA_ADDRESS] {
            body.extend(((4 + octets.len()) as u16).to_ne_bytes());
            body.extend(kind.to_ne_bytes());
            body.extend(&octets);
        }
        self.request(libc::RTM_NEWADDR, libc::NLM_F_CREATE | libc::NLM_F_REPLACE, &body)
    }

    /// Sends one request and returns the kernel's verdict.
    fn request(&self, kind: u16, flags: i32, body: &[u8]) -> io::Result<()> {
        let flags = (libc::NLM_F_REQUEST | libc::NLM_F_ACK | flags) as u16;
        let mut packet = ((HEADER + body.len()) as u32).to_ne_bytes().to_vec();
        packet.extend(kind.to_ne_bytes());
        packet.extend(flags.to_ne_bytes());
        packet.extend([0; 8]); // sequence, port
        packet.extend(body);
        self.exchange(&packet, 1)
    }

    /// Sends messages, and waits for the kernel's verdict on so many of them: the first that is none of success, if there is one.
    pub(super) fn exchange(&self, messages: &[u8], verdicts: usize) -> io::Result<()> {
        let fd = self.0.as_raw_fd();
        // SAFETY: the pointer and length are one live slice.
        counted(unsafe { libc::send(fd, messages.as_ptr().cast(), messages.len(), 0) })?;
        let mut seen = 0;
        while seen < verdicts {
            let mut answer = [0u8; 8192];
            // SAFETY: the pointer and length are one live, exclusive slice.
            let n = counted(unsafe { libc::recv(fd, answer.as_mut_ptr().cast(), answer.len(), 0) })?;
            if n < HEADER + 4 {
                return Err(io::Error::other("netlink gave a short answer"));
            }
            let mut rest = &answer[..n];
            while let Some(len) = rest.first_chunk().map(|len| u32::from_ne_bytes(*len) as usize) {
                let verdict = rest.get(HEADER..HEADER + 4).and_then(|bytes| bytes.try_into().ok());
                match verdict.map(i32::from_ne_bytes) {
                    Some(0) => seen += 1,
                    Some(error) => return Err(io::Error::from_raw_os_error(-error)),
                    None => return Err(io::Error::other("netlink gave a short answer")),
                }
                rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
            }
        }
        Ok(())
    }
}
