//! dpkg: a file for each package, with a path a line (dpkg(1), "/var/lib/dpkg/info").

use std::fs;
use std::io;
use std::path::Path;

/// The folder of the files.
pub(super) const FOLDER: &str = "var/lib/dpkg/info";

/// What an administrator put in place of a package's files: lines of three, the first of which is the path.
const DIVERSIONS: &str = "var/lib/dpkg/diversions";
/// What dpkg has begun and not ended.
const UPDATES: &str = "var/lib/dpkg/updates";

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

/// The MD5 of a file that a package lists by one of these paths; `None` if it has none, or dpkg is at work.
pub(super) fn digest(root: &Path, package: &str, paths: &[String]) -> io::Result<Option<String>> {
    let is_at_work = fs::read_dir(root.join(UPDATES)).is_ok_and(|mut folder| folder.next().is_some());
    let Ok(folder) = fs::read_dir(root.join(FOLDER)) else { return Ok(None) };
    let diversions = fs::read_to_string(root.join(DIVERSIONS)).unwrap_or_default();
    if is_at_work || diversions.lines().any(|line| paths.iter().any(|path| path == line)) {
        return Ok(None);
    }
    for entry in folder {
        let path = entry?.path();
        let is_list = path.extension().is_some_and(|extension| extension == "md5sums");
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        if !is_list || name.split(':').next() != Some(package) {
            continue;
        }
        let list = fs::read(&path)?;
        let list = String::from_utf8_lossy(&list);
        let found = list.lines().find_map(|line| {
            let (digest, path) = line.split_once("  ")?;
            paths.iter().any(|wanted| wanted.strip_prefix('/') == Some(path)).then(|| digest.to_owned())
        });
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}
