//! The counters of the interfaces, as `/proc/net/dev` tells them for the recorder's network namespace.

use std::ffi::CString;

use procfs::ProcError;

use super::sys;
use connmon_record::Interface;
use connmon_record::frame::Frame;

/// A file capture takes frames of less than a mebibyte; no host has so many interfaces.
const MAX_INTERFACES: usize = 4096;

/// Reads all interfaces, by name.
///
/// # Errors
/// procfs cannot be read, or a name is not UTF-8.
pub fn sample() -> Result<Frame, ProcError> {
    let time = sys::boot_time_ns();
    let mut interfaces: Vec<Interface> = procfs::net::dev_status()?
        .into_values()
        .map(|device| Interface {
            index: index(&device.name),
            rx_bytes: device.recv_bytes,
            rx_packets: device.recv_packets,
            tx_bytes: device.sent_bytes,
            tx_packets: device.sent_packets,
            name: device.name.into(),
        })
        .collect();
    interfaces.sort_by(|a, b| a.name.cmp(&b.name));
    if interfaces.len() > MAX_INTERFACES {
        tracing::warn!(
            "{} interfaces: the counters of the first {MAX_INTERFACES} are kept",
            interfaces.len()
        );
        interfaces.truncate(MAX_INTERFACES);
    }
    Ok(Frame::Interfaces(time, interfaces))
}

/// The number of an interface; 0 if it has gone meanwhile.
fn index(name: &str) -> u32 {
    let Ok(name) = CString::new(name) else { return 0 };
    // SAFETY: the name ends with NUL and outlives the call.
    unsafe { libc::if_nametoindex(name.as_ptr()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_has_a_loopback_interface() {
        let Frame::Interfaces(_, interfaces) = sample().unwrap() else { panic!("another frame") };
        let lo = interfaces.iter().find(|interface| interface.name == "lo");
        assert_eq!(lo.map(|lo| lo.index), Some(1));
    }
}
