//! dpkg: a file for each package, with a path a line (dpkg(1), "/var/lib/dpkg/info").

use std::fs;
use std::io;
use std::path::Path;

/// The folder of the files.
pub(super) const FOLDER: &str = "var/lib/dpkg/info";

/// The names of packages and their files; `None` if dpkg is not there. `most` is how many bytes are read.
pub(super) fn lists(root: &Path, most: u64) -> io::Result<Option<Vec<(String, String)>>> {
    let folder = match fs::read_dir(root.join(FOLDER)) {
        Ok(folder) => folder,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let (mut lists, mut room) = (Vec::new(), most);
    for entry in folder {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "list") {
            continue;
        }
        let bytes = fs::read(&path)?;
        room = room.checked_sub(bytes.len() as u64).ok_or_else(super::too_large)?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        // `libc6:amd64` is libc6.
        let name = name.split(':').next().unwrap_or_default().to_owned();
        lists.push((name, format!("\n{}\n", String::from_utf8_lossy(&bytes))));
    }
    lists.sort_unstable();
    Ok((!lists.is_empty()).then_some(lists))
}
