//! apk: one file for all packages, with a letter before each line (apk's "installed" database: P is the package, F a folder, R a file in it).

use std::fs;
use std::io;
use std::path::Path;

/// The file.
pub(super) const DATABASE: &str = "lib/apk/db/installed";

/// The names of packages and their files; `None` if apk is not there. `most` is how many bytes are read.
pub(super) fn lists(root: &Path, most: u64) -> io::Result<Option<Vec<(String, String)>>> {
    let path = root.join(DATABASE);
    match fs::metadata(&path) {
        Ok(data) if data.len() > most => return Err(super::too_large()),
        Ok(_) => (),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    let bytes = fs::read(&path)?;
    let text = String::from_utf8_lossy(&bytes);
    let mut lists: Vec<(String, String)> = Vec::new();
    let mut folder = "";
    for line in text.lines() {
        match (line.split_once(':'), lists.last_mut()) {
            (Some(("P", name)), _) => lists.push((name.to_owned(), "\n".to_owned())),
            (Some(("F", name)), _) => folder = name,
            (Some(("R", name)), Some((_, files))) => {
                for part in ["/", folder, if folder.is_empty() { "" } else { "/" }, name, "\n"] {
                    files.push_str(part);
                }
            }
            _ => (),
        }
    }
    Ok((!lists.is_empty()).then_some(lists))
}
