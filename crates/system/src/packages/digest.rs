//! Whether a file is what its package has. Lists have MD5 (dpkg) or SHA-256 (rpm); a recording has SHA-256. So the file is read once more, and
//! only if it is still the one that was recorded is it compared with the list.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use md5::Md5;
use sha2::{Digest, Sha256};

/// Larger files are not read: it would take too long.
const LARGEST: u64 = 64 << 20;

/// Whether the file at this path differs from the digest that a list has, in hexadecimal; `None` if it is not the one with this SHA-256,
/// or cannot be compared.
pub(super) fn differs(path: &Path, sha256: &str, listed: &str) -> io::Result<Option<bool>> {
    // What is no file must not keep anybody waiting.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)?;
    let data = file.metadata()?;
    if !data.is_file() || data.len() > LARGEST {
        return Ok(None);
    }
    let (mut own, mut other) = (Sha256::new(), Md5::new());
    let is_md5 = listed.len() == 32;
    each_part(file, |part| {
        own.update(part);
        if is_md5 {
            other.update(part);
        }
    })?;
    let own = hex(&own.finalize());
    let other = match listed.len() {
        32 => hex(&other.finalize()),
        64 => own.clone(),
        _ => return Ok(None),
    };
    Ok((own == sha256).then(|| !other.eq_ignore_ascii_case(listed)))
}

fn each_part(file: File, mut each: impl FnMut(&[u8])) -> io::Result<()> {
    let mut file = file.take(LARGEST);
    let mut part = vec![0; 1 << 16];
    loop {
        match file.read(&mut part)? {
            0 => return Ok(()),
            length => each(&part[..length]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
