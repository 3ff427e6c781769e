//! A notification on the desktop, over the bus of the session in which this runs: the little of D-Bus that one call needs (D-Bus Specification
//! 0.43; Desktop Notifications Specification 1.3).

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::Path;
use std::time::Duration;

use super::{Message, News};
use connmon_detect::Severity;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of a message that are read at most.
const LONGEST: usize = 1 << 20;

/// Kinds of messages.
const CALL: u8 = 1;
const RETURN: u8 = 2;
const ERROR: u8 = 3;

/// Fields of a header.
const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const REPLY_SERIAL: u8 = 5;
const DESTINATION: u8 = 6;
#[cfg(test)]
const SENDER: u8 = 7;
const SIGNATURE: u8 = 8;

/// Shows a message.
///
/// # Errors
/// There is no session, or nobody in it shows notifications.
pub fn notify(message: &Message<'_>, news: &News) -> io::Result<()> {
    let address = std::env::var("DBUS_SESSION_BUS_ADDRESS").ok();
    let address = address.unwrap_or_else(|| format!("unix:path=/run/user/{}/bus", user()));
    notify_at(&address, message, news)
}

/// The number of the user as whom this runs.
fn user() -> u32 {
    // SAFETY: geteuid(2) only returns a number.
    unsafe { libc::geteuid() }
}

fn notify_at(address: &str, message: &Message<'_>, news: &News) -> io::Result<()> {
    let mut bus = Bus::open(address)?;
    let mut body = Marshalled::default();
    body.text("connmon");
    body.number(0);
    body.text("");
    body.text(&format!("connmon: {}", message.alert));
    body.text(&escaped(&message.text));
    // No actions; one hint: how urgent it is.
    body.number(0);
    body.array(8, |hints| {
        hints.align(8);
        hints.text("urgency");
        hints.signature("y");
        hints.0.push(urgency(news));
    });
    body.number(u32::MAX);
    let notifications = "org.freedesktop.Notifications";
    bus.call(
        (notifications, "/org/freedesktop/Notifications", notifications, "Notify"),
        "susssasa{sv}i",
        &body,
    )
}

/// The text of a notification may be marked up, and ours is not.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Low, normal, or critical.
fn urgency(news: &News) -> u8 {
    match news {
        News::Finding(finding) if finding.severity == Severity::High => 2,
        News::Finding(finding) if finding.severity < Severity::Medium => 0,
        News::Finding(_) | News::Connection(_) => 1,
    }
}

/// A bus that knows us.
struct Bus {
    stream: BufReader<UnixStream>,
    serial: u32,
}

impl Bus {
    /// Connects to the first address that answers, of several between semicolons.
    fn open(addresses: &str) -> io::Result<Self> {
        let mut failed = io::Error::new(io::ErrorKind::NotFound, "there is no session with a bus");
        for address in addresses.split(';') {
            match connect(address) {
                Some(Ok(stream)) => return Self::of_stream(stream),
                Some(Err(error)) => failed = error,
                None => (),
            }
        }
        Err(io::Error::new(failed.kind(), format!("there is no desktop session: {failed}")))
    }

    fn of_stream(stream: UnixStream) -> io::Result<Self> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut bus = Self { stream: BufReader::new(stream), serial: 0 };
        let user: String = user().to_string().bytes().map(|byte| format!("{byte:02x}")).collect();
        bus.write(format!("\0AUTH EXTERNAL {user}\r\n").as_bytes())?;
        let mut answer = String::new();
        (&mut bus.stream).take(1024).read_line(&mut answer)?;
        if !answer.starts_with("OK ") {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "the session's bus is another user's",
            ));
        }
        bus.write(b"BEGIN\r\n")?;
        let name = "org.freedesktop.DBus";
        bus.call((name, "/org/freedesktop/DBus", name, "Hello"), "", &Marshalled::default())?;
        Ok(bus)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Calls a method (destination, path, interface, name), and waits until it has returned.
    fn call(
        &mut self,
        (destination, path, interface, member): (&str, &str, &str, &str),
        signature: &str,
        body: &Marshalled,
    ) -> io::Result<()> {
        self.serial += 1;
        let fields = [
            (PATH, Value::Path(path)),
            (INTERFACE, Value::Text(interface)),
            (MEMBER, Value::Text(member)),
            (DESTINATION, Value::Text(destination)),
            (SIGNATURE, Value::Signature(signature)),
        ];
        self.write(&message(CALL, self.serial, &fields, body))?;
        loop {
            let answer = self.read()?;
            let is_ours = answer.number_of(REPLY_SERIAL) == Some(self.serial);
            match answer.kind {
                RETURN if is_ours => return Ok(()),
                ERROR if is_ours => {
                    return Err(io::Error::other(format!("the desktop refuses it: {}", answer.reason())));
                }
                // Signals, and what is for others.
                _ => (),
            }
        }
    }

    fn read(&mut self) -> io::Result<Received> {
        let mut start = [0; 16];
        self.stream.read_exact(&mut start)?;
        let number = if start[0] == b'l' { u32::from_le_bytes } else { u32::from_be_bytes };
        let at = |place: usize| number(start[place..place + 4].try_into().unwrap_or_default()) as usize;
        let (body, fields) = (at(4), at(12));
        let length = fields.saturating_add(body).saturating_add(7);
        if length > LONGEST {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the bus sends a message that is too long",
            ));
        }
        let mut rest = vec![0; fields.next_multiple_of(8) + body];
        self.stream.read_exact(&mut rest)?;
        let body = rest.split_off(fields.next_multiple_of(8));
        rest.truncate(fields);
        Ok(Received { kind: start[1], fields: rest, body, number })
    }
}

/// A message of the bus, as far as it is read.
struct Received {
    kind: u8,
    fields: Vec<u8>,
    body: Vec<u8>,
    /// The order of bytes of its numbers.
    number: fn([u8; 4]) -> u32,
}

impl Received {
    /// The bytes of a field of the header, after its kind; `None` if it is not there.
    fn field(&self, wanted: u8) -> Option<&[u8]> {
        let mut at = 0_usize;
        loop {
            at = at.next_multiple_of(8);
            // Each value is of one kind that has one letter.
            let (&[code, 1, kind, 0], value) = self.fields.get(at..)?.split_first_chunk::<4>()? else {
                return None;
            };
            if code == wanted {
                return Some(value);
            }
            at += 4 + match kind {
                b'u' => 4,
                b's' | b'o' => self.length(value)?.checked_add(5)?,
                b'g' => 2 + usize::from(*value.first()?),
                _ => return None,
            };
        }
    }

    fn number_of(&self, field: u8) -> Option<u32> {
        self.field(field)?.first_chunk().map(|number| (self.number)(*number))
    }

    fn length(&self, text: &[u8]) -> Option<usize> {
        text.first_chunk().map(|length| (self.number)(*length) as usize)
    }

    /// The text that begins here.
    fn text(&self, bytes: &[u8]) -> Option<String> {
        let text = bytes.get(4..self.length(bytes)?.checked_add(4)?)?;
        Some(String::from_utf8_lossy(text).into_owned())
    }

    /// What an error says.
    fn reason(&self) -> String {
        self.text(&self.body).unwrap_or_else(|| "it gives no reason".to_owned())
    }
}

/// A value of a field of a header.
enum Value<'a> {
    Path(&'a str),
    Text(&'a str),
    Signature(&'a str),
}

/// A message with these fields; an empty signature is none.
fn message(kind: u8, serial: u32, fields: &[(u8, Value<'_>)], body: &Marshalled) -> Vec<u8> {
    let mut message = Marshalled(vec![b'l', kind, 0, 1]);
    message.number(body.0.len() as u32);
    message.number(serial);
    message.array(8, |out| {
        for (code, value) in fields {
            let (letter, text) = match value {
                Value::Signature("") => continue,
                Value::Path(text) => ("o", text),
                Value::Text(text) => ("s", text),
                Value::Signature(text) => ("g", text),
            };
            out.align(8);
            out.0.push(*code);
            out.signature(letter);
            match value {
                Value::Signature(_) => out.signature(text),
                Value::Path(_) | Value::Text(_) => out.text(text),
            }
        }
    });
    message.align(8);
    message.0.extend(&body.0);
    message.0
}

/// A stream to an address: a path, or an abstract name; `None` for addresses of another kind.
fn connect(address: &str) -> Option<io::Result<UnixStream>> {
    let parameters = address.strip_prefix("unix:")?;
    parameters.split(',').find_map(|parameter| match parameter.split_once('=')? {
        ("path", path) => Some(UnixStream::connect(Path::new(path))),
        ("abstract", name) => {
            Some(SocketAddr::from_abstract_name(name).and_then(|name| UnixStream::connect_addr(&name)))
        }
        _ => None,
    })
}

/// Values in the order of bytes of a little-endian message, each aligned as its kind demands.
#[derive(Default)]
struct Marshalled(Vec<u8>);

impl Marshalled {
    fn align(&mut self, to: usize) {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
    }

    fn number(&mut self, number: u32) {
        self.align(4);
        self.0.extend(number.to_le_bytes());
    }

    /// A text has no zero byte.
    fn text(&mut self, text: &str) {
        let text = text.replace('\0', "");
        self.number(text.len() as u32);
        self.0.extend(text.bytes());
        self.0.push(0);
    }

    fn signature(&mut self, signature: &str) {
        self.0.push(signature.len() as u8);
        self.0.extend(signature.bytes());
        self.0.push(0);
    }

    /// An array; its length does not count what aligns its first element.
    fn array(&mut self, align: usize, elements: impl FnOnce(&mut Self)) {
        self.number(0);
        let length_at = self.0.len() - 4;
        self.align(align);
        let begin = self.0.len();
        elements(self);
        let length = (self.0.len() - begin) as u32;
        self.0[length_at..length_at + 4].copy_from_slice(&length.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};
    use std::thread;

    use super::*;
    use connmon_detect::test_finding;
    use connmon_record::Timestamp;

    const REPLIED: &str = "org.freedesktop.Notifications";

    /// A bus that is ended with the test.
    struct Running(Child);

    impl Drop for Running {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    /// Owns the name of the desktop's notifications, and gives the one call from which it returns.
    fn desktop(address: &str) -> thread::JoinHandle<Received> {
        let mut bus = Bus::open(address).unwrap();
        let mut body = Marshalled::default();
        body.text(REPLIED);
        body.number(0);
        let name = "org.freedesktop.DBus";
        bus.call((name, "/org/freedesktop/DBus", name, "RequestName"), "su", &body).unwrap();
        thread::spawn(move || {
            let call = loop {
                let received = bus.read().unwrap();
                if received.kind == CALL {
                    break received;
                }
            };
            let sender = call.text(call.field(SENDER).unwrap()).unwrap();
            let mut answer =
                message(RETURN, 9, &[(DESTINATION, Value::Text(&sender))], &Marshalled::default());
            // The number of the call is the last field: its kind, and the serial of the caller's second call.
            let fields = u32::from_le_bytes(*answer[12..].first_chunk().unwrap());
            answer.extend([REPLY_SERIAL, 1, b'u', 0, 2, 0, 0, 0]);
            answer[12..16].copy_from_slice(&(fields.next_multiple_of(8) + 8).to_le_bytes());
            bus.write(&answer).unwrap();
            call
        })
    }

    /// On a bus of its own, with a desktop that answers.
    #[test]
    fn a_notification_reaches_the_desktop() {
        let folder = tempfile::tempdir().unwrap();
        let address = format!("unix:path={}", folder.path().join("bus").display());
        let mut daemon = Command::new("dbus-daemon");
        daemon.args(["--session", "--nofork", "--print-address"]).arg(format!("--address={address}"));
        let Ok(mut daemon) = daemon.stdout(Stdio::piped()).spawn().map(Running) else {
            eprintln!("there is no dbus-daemon, so notifications are not tested");
            return;
        };
        let mut said = String::new();
        BufReader::new(daemon.0.stdout.take().unwrap()).read_line(&mut said).unwrap();

        let news = News::Finding(Box::new(test_finding(Timestamp(0))));
        let message = Message::new("<look> & see", "host", &news, 0);
        let nobody = notify_at(&address, &message, &news).unwrap_err().to_string();
        assert!(nobody.contains("the desktop refuses it") && nobody.contains(REPLIED), "{nobody}");

        let desktop = desktop(&address);
        notify_at(&address, &message, &news).unwrap();
        let call = desktop.join().unwrap();
        // The bus has checked that the body is what its signature says.
        assert_eq!(call.field(SIGNATURE).unwrap()[1..14], *b"susssasa{sv}i");
        assert_eq!((call.text(&call.body), &call.body[12..16]), (Some("connmon".to_owned()), &[0; 4][..]));
        let body = String::from_utf8_lossy(&call.body);
        for expected in [
            "connmon: <look> & see\0",
            "INFO A rule of your own: This is a test: nothing was found\0",
            "urgency\0\u{1}y\0\0",
        ] {
            assert!(body.contains(expected), "{expected:?}: {body:?}");
        }
    }

    #[test]
    fn where_there_is_no_session_that_is_told() {
        let news = News::Finding(Box::new(test_finding(Timestamp(0))));
        let message = Message::new("a", "host", &news, 0);
        for address in ["", "tcp:host=localhost", "unix:path=/nowhere/bus", "unix:abstract=connmon-nobody"] {
            let told = notify_at(address, &message, &news).unwrap_err().to_string();
            assert!(told.starts_with("there is no desktop session"), "{address}: {told}");
        }
        assert_eq!(escaped("<b>&"), "&lt;b&gt;&amp;");
    }
}
