//! `connmon man`

use std::io::Write;

use super::{CommandError, Outcome, done, stdout, write_file};
use crate::cli;

/// Prints the manual page of a command, or writes those of all commands into a folder.
///
/// # Errors
/// There is no such command, or a page cannot be written.
pub fn run(args: &cli::Man) -> Result<Outcome, CommandError> {
    let pages = cli::manual()?;
    if let Some(folder) = &args.out {
        for (name, text) in &pages {
            write_file(&folder.join(name), |out| out.write_all(text))?;
        }
        return Ok(Outcome::Done);
    }
    let words: Vec<&str> = ["connmon"].into_iter().chain(args.command.iter().map(String::as_str)).collect();
    let wanted = format!("{}.1", words.join("-"));
    let Some((_, text)) = pages.iter().find(|(name, _)| *name == wanted) else {
        return Err(CommandError::NoPage(args.command.join(" ")));
    };
    let mut out = stdout();
    out.write_all(text)?;
    done(out, None)
}
