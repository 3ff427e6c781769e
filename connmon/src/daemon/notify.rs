//! What a service manager is told: sd_notify(3), a datagram to the socket that it names.

use std::env;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

/// How often the words about the recording are sent.
const STATUS: Duration = Duration::from_secs(10);

/// The service manager that started us.
pub struct Notifier {
    socket: UnixDatagram,
    /// How often it wants a sign of life, at least, if at all.
    watchdog: Option<Duration>,
    alive: Instant,
    told: Option<Instant>,
}

/// Whether a service manager started us and waits for word.
pub(super) fn is_service() -> bool {
    env::var_os("NOTIFY_SOCKET").is_some()
}

impl Notifier {
    /// The manager that the environment names; nothing where there is none.
    pub fn of_environment() -> Option<Self> {
        let address = env::var_os("NOTIFY_SOCKET")?;
        let number = |name| env::var(name).ok()?.parse::<u64>().ok();
        let ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|_| ours).map(Duration::from_micros);
        let notifier = Self::new(address.as_bytes(), watchdog);
        notifier.inspect_err(|error| tracing::warn!("the service manager cannot be notified: {error}")).ok()
    }

    /// The manager at an address, where `@` begins the name of an abstract one.
    fn new(address: &[u8], watchdog: Option<Duration>) -> io::Result<Self> {
        let manager = match address.strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name),
            None => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(address)),
        }?;
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        socket.connect_addr(&manager)?;
        Ok(Self { socket, watchdog, alive: Instant::now(), told: None })
    }

    /// Everything is recorded from now on.
    pub(super) fn ready(&self) {
        self.send("READY=1");
    }

    /// The configuration is being read again, which [`Self::ready`] ends.
    pub(super) fn reloading(&self) {
        let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `now` is valid for writing.
        unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={}", now.tv_sec * 1_000_000 + now.tv_nsec / 1000));
    }

    /// The recording ends in order.
    pub(super) fn stopping(&self) {
        self.send("STOPPING=1\nSTATUS=writing what is left");
    }

    /// To be called about once a second: says that the recording goes on, and how.
    pub(super) fn goes_on(&mut self, words: impl FnOnce() -> String) {
        // Twice as often as it has to be.
        if self.watchdog.is_some_and(|every| self.alive.elapsed() >= every / 2) {
            self.alive = Instant::now();
            self.send("WATCHDOG=1");
        }
        if self.told.is_none_or(|told| told.elapsed() >= STATUS) {
            self.told = Some(Instant::now());
            self.send(&format!("STATUS={}", words()));
        }
    }

    /// A manager that does not listen is not waited for.
    fn send(&self, words: &str) {
        if let Err(error) = self.socket.send(words.as_bytes()) {
            tracing::debug!("the service manager was not told {words:?}: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manager_is_told_at_a_path_and_at_an_abstract_address() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let name = format!("connmon-test-{}", std::process::id());
        let abstract_address = SocketAddr::from_abstract_name(&name).unwrap();
        let managers = [
            (UnixDatagram::bind(&path).unwrap(), path.as_os_str().as_bytes().to_vec()),
            (UnixDatagram::bind_addr(&abstract_address).unwrap(), format!("@{name}").into_bytes()),
        ];
        for (manager, address) in managers {
            let mut notifier = Notifier::new(&address, Some(Duration::ZERO)).unwrap();
            notifier.ready();
            notifier.goes_on(|| "5 connections".into());
            notifier.goes_on(|| unreachable!("it was said just now"));
            notifier.stopping();
            let said = std::iter::repeat_with(|| {
                let mut buffer = [0; 100];
                let length = manager.recv(&mut buffer).unwrap();
                String::from_utf8(buffer[..length].to_vec()).unwrap()
            });
            let said: Vec<String> = said.take(5).collect();
            let wanted = ["READY=1", "WATCHDOG=1", "STATUS=5 connections", "WATCHDOG=1"];
            assert_eq!(said[..4], wanted);
            assert!(said[4].starts_with("STOPPING=1"));
        }
    }
}
