//! Fields of the kernel side's records as text.

use connmon_ebpf::{COMM_LEN, NO_SESSION};

use connmon_record::{Untrusted, from_bytes};

/// Why there is no hash of a process of which only its connection tells.
pub const NOTHING_KNOWN: &str = "the recorder neither saw this process begin nor could look it up in procfs";

/// The root has no components.
pub fn folder(path: String) -> String {
    if path.is_empty() { "/".into() } else { path }
}

/// The login session, where there is one.
pub fn session(id: u32) -> Option<u32> {
    (id != NO_SESSION).then_some(id)
}

/// A name in its fixed room.
pub fn comm(bytes: &[u8; COMM_LEN]) -> Untrusted {
    from_bytes(bytes.split(|&byte| byte == 0).next().unwrap_or_default()).into()
}

/// The components were noted from the file or folder up to the root.
pub fn path(components: &[u8], len: u32, truncated: u32) -> String {
    let used = &components[..(len as usize).min(components.len())];
    let used = used.strip_suffix(&[0]).unwrap_or(used);
    let mut path = String::new();
    if truncated != 0 {
        path.push('…');
    }
    for component in used.split(|&byte| byte == 0).rev().filter(|component| !component.is_empty()) {
        path.push('/');
        path.push_str(&from_bytes(component));
    }
    path
}
