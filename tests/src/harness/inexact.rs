//! What the tracepoint backend cannot know, and says so: from whom an unconnected UDP socket received when the
//! program did not ask.

use std::net::IpAddr;

use super::record::Record;
use super::results::backend;
use crate::truth::Proto;

/// Whether the recorder, by what it said, used the backend with that gap.
pub fn tracepoint(said: &str) -> bool {
    backend(said) == Some("tracepoint")
}

/// Adds bytes from an unknown sender, if they are labelled so, to the same socket's only known remote.
///
/// The bytes of the process must be exact all the same; only their remote is not known.
pub fn fold_unknown_remotes(records: &mut Vec<Record>) {
    let (unknown, mut known): (Vec<_>, Vec<_>) = std::mem::take(records).into_iter().partition(is_unknown);
    for mut record in unknown {
        let mut same_socket = known.iter_mut().filter(|other| {
            (other.proto, other.local, other.pid()) == (record.proto, record.local, record.pid())
        });
        match (same_socket.next(), same_socket.next()) {
            (Some(only), None) => {
                only.tx_bytes += record.tx_bytes;
                only.rx_bytes += record.rx_bytes;
                only.traffic.append(&mut record.traffic);
                (only.exact, only.inexact_reason) = (false, record.inexact_reason);
            }
            _ => records.push(record), // stays an invented one
        }
    }
    records.append(&mut known);
}

fn is_unknown(record: &Record) -> bool {
    let nowhere = record.remote.port == 0 && record.remote.ip.is_unspecified();
    let labelled = !record.exact && record.inexact_reason.as_deref().is_some_and(|reason| !reason.is_empty());
    record.proto == Proto::Udp && nowhere && labelled && record.local.ip != IpAddr::from([0; 4])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::record::parse;

    fn records(label: &str) -> Vec<Record> {
        let record = |remote: &str, rx: u64, label: &str| {
            format!(
                r#"{{"id":1,"proto":"udp","family":4,"direction":"in","local":{{"ip":"127.0.0.1","port":53}},"remote":{remote},"opened":"x","closed":null,"end":null,"preexisting":false,{label}"process":{{"pid":7}},"traffic":[{{"pid":7,"tx_bytes":0,"rx_bytes":{rx},"tx_calls":0}}],"tx_bytes":0,"rx_bytes":{rx},"kernel":null}}"#
            )
        };
        let known = record(r#"{"ip":"127.0.0.1","port":4000}"#, 400, "");
        let unknown = record(r#"{"ip":"0.0.0.0","port":0}"#, 1100, label);
        parse(format!("{known}\n{unknown}").as_bytes()).unwrap()
    }

    #[test]
    fn labelled_bytes_find_their_remote() {
        let mut folded = records(r#""exact":false,"inexact_reason":"the sender is not known","#);
        fold_unknown_remotes(&mut folded);
        assert_eq!((folded.len(), folded[0].rx_bytes, folded[0].traffic.len()), (1, 1500, 2));
        assert_eq!(folded[0].inexact_reason.as_deref(), Some("the sender is not known"));
    }

    #[test]
    fn bytes_without_a_label_do_not() {
        let mut kept = records("");
        fold_unknown_remotes(&mut kept);
        assert_eq!(kept.len(), 2);
    }
}
