//! BPF programs and maps of others through which connections differ from what processes ask for, or bytes go another way.

use aya::maps::{MapType, loaded_maps};
use aya::programs::loaded_programs;
use serde::Serialize;

use super::probes;
use connmon_record::display_safe;

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Foreign {
    /// `program` or `map`.
    pub kind: &'static str,
    /// The kind of the program, as BPF tools call it.
    #[serde(rename = "type")]
    pub class: &'static str,
    /// The kernel's number of it, for `bpftool prog show id N` or `bpftool map show id N`.
    pub id: u32,
    /// Its name, if its maker gave one.
    pub name: String,
    /// The effect on the record.
    pub meaning: &'static str,
}

const PAST: &str = "bytes may go from socket to socket past TCP: connections that were seen in its sockmap are labelled as inexact";
const BELOW: &str = "works below the sockets: packets are counted as the sockets sent and received them, whatever it changes, drops or redirects";

/// Types of programs by their number (`enum bpf_prog_type`, include/uapi/linux/bpf.h).
const PROGRAMS: [(u32, &str, &str); 9] = [
    (3, "tc", BELOW),
    (4, "tc action", BELOW),
    (6, "xdp", BELOW),
    (10, "lwt_in", BELOW),
    (11, "lwt_out", BELOW),
    (12, "lwt_xmit", BELOW),
    (14, "sk_skb", PAST),
    (16, "sk_msg", PAST),
    (
        18,
        "cgroup/sock_addr",
        "may lead connect(), sendmsg() and bind() to another address: the remote is the one that the socket really talks to",
    ),
];
/// The one type beside them that chooses among sockets.
const LOOKUP: (u32, &str, &str) = (
    30,
    "sk_lookup",
    "may give a connection to a socket that listens elsewhere: the local address is the one that was called",
);

const SOCKMAP: &str =
    "its programs move bytes past TCP: connections that were seen in it are labelled as inexact";
const XSKMAP: &str =
    "frames of an interface go to a program past the kernel's sockets (AF_XDP): they are not recorded";

/// What is loaded, by number; the reason where the kernel does not tell.
///
/// # Errors
/// In one line: mostly a missing privilege.
pub fn loaded() -> Result<Vec<Foreign>, String> {
    let mut all = Vec::new();
    for program in loaded_programs() {
        let program = match program {
            Ok(program) => program,
            // It may have gone meanwhile.
            Err(error) if is_gone(&error) => continue,
            Err(error) => return Err(error.to_string()),
        };
        let number = program.program_type() as u32;
        let known = PROGRAMS.iter().chain([&LOOKUP]).find(|(known, ..)| *known == number);
        if let Some((_, class, meaning)) = known
            && !probes::is_own(program.name())
        {
            all.push(Foreign {
                kind: "program",
                class,
                id: program.id(),
                name: safe(program.name()),
                meaning,
            });
        }
    }
    for map in loaded_maps() {
        let map = match map {
            Ok(map) => map,
            Err(error) if is_gone(&error) => continue,
            Err(error) => return Err(error.to_string()),
        };
        // A type that is newer than the library is none of these.
        let known = match map.map_type() {
            Ok(MapType::SockMap) => Some(("sockmap", SOCKMAP)),
            Ok(MapType::SockHash) => Some(("sockhash", SOCKMAP)),
            Ok(MapType::XskMap) => Some(("xskmap", XSKMAP)),
            _ => None,
        };
        if let Some((class, meaning)) = known {
            all.push(Foreign { kind: "map", class, id: map.id(), name: safe(map.name()), meaning });
        }
    }
    Ok(all)
}

fn safe(name: &[u8]) -> String {
    display_safe(&String::from_utf8_lossy(name)).into_owned()
}

/// Whether what was asked for is not there any more.
fn is_gone(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            return error.raw_os_error() == Some(libc::ENOENT);
        }
        cause = error.source();
    }
    false
}

/// One sentence of them for the start of a recording; nothing where there are none.
pub fn note(all: &[Foreign]) -> Option<String> {
    let mut kinds: Vec<(&str, usize)> = Vec::new();
    for one in all {
        match kinds.iter_mut().find(|(class, _)| *class == one.class) {
            Some((_, count)) => *count += 1,
            None => kinds.push((one.class, 1)),
        }
    }
    let list: Vec<String> = kinds.iter().map(|(class, count)| format!("{count} {class}")).collect();
    (!list.is_empty()).then(|| {
        format!(
            "BPF programs and maps of others can change where connections lead and how their bytes go ({}): `connmon doctor` \
             says what each means for the record",
            list.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_note_counts_each_type() {
        let one = |class, id| Foreign { kind: "program", class, id, name: "x".into(), meaning: PAST };
        assert_eq!(note(&[]), None);
        let note = note(&[one("tc", 1), one("sk_msg", 2), one("tc", 3)]).unwrap();
        assert!(note.contains("(2 tc, 1 sk_msg)"), "{note}");
    }
}
