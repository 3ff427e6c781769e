//! Delivers a message.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use super::{Message, News, Target, desktop, journal, webhook};
use connmon_system::files;

/// How long a program may take, and how often it is looked whether it has ended.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(20);

/// Why a message was not delivered.
#[derive(Debug, thiserror::Error)]
pub enum DeliverError {
    /// The socket, the file, or the program.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The server.
    #[error("{0}")]
    Web(#[from] Box<ureq::Error>),
    /// The program failed.
    #[error("the program ended with {0}")]
    Status(std::process::ExitStatus),
    /// The program took too long, and was ended.
    #[error("the program took longer than {} s, and was ended", PATIENCE.as_secs())]
    Slow,
    /// There is no such user.
    #[error("there is no user {0}")]
    NoUser(String),
}

/// Delivers a message to a target.
///
/// # Errors
/// It cannot be delivered now.
pub fn deliver(target: &Target, message: &Message<'_>, news: &News) -> Result<(), DeliverError> {
    match target {
        Target::Journal => Ok(journal::to_journal(message, news)?),
        Target::Syslog => Ok(journal::to_syslog(message, news)?),
        Target::Desktop => Ok(desktop::notify(message, news)?),
        Target::Stdout => Ok(writeln!(io::stdout(), "{}", message.to_json())?),
        Target::File(path) => Ok(append(path, &message.to_json())?),
        Target::Command(words, user) => run(words, user, &message.to_json(), PATIENCE),
        Target::Webhook(url) => Ok(webhook::send(url, &message.to_json())?),
    }
}

/// Adds a line to a file that only its owner writes.
fn append(path: &Path, line: &str) -> io::Result<()> {
    let mut file = match files::open_trusted(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => files::create_private(path)?,
        Err(error) => return Err(error),
        Ok(_) => OpenOptions::new().append(true).open(path)?,
    };
    file.write_all(format!("{line}\n").as_bytes())
}

/// Runs a program without a shell and without the environment, as `user` if this is root.
fn run(words: &[String], user: &str, input: &str, patience: Duration) -> Result<(), DeliverError> {
    let Some((program, arguments)) = words.split_first() else { return Ok(()) };
    let mut command = Command::new(program);
    command.args(arguments).env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").current_dir("/");
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    // SAFETY: geteuid(2) only returns a number.
    if unsafe { libc::geteuid() } == 0 {
        let (uid, gid) = ids_of(user).ok_or_else(|| DeliverError::NoUser(user.to_owned()))?;
        // Before the user is another one, the groups of root are given up: std does so where it sets the user.
        command.gid(gid).uid(uid);
    }
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that does not read is waited for no longer than any other.
        let input = format!("{input}\n");
        thread::spawn(move || stdin.write_all(input.as_bytes()));
    }
    let looks = patience.as_millis() / LOOK.as_millis();
    for _ in 0..looks {
        match child.try_wait()? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(DeliverError::Status(status)),
            None => thread::sleep(LOOK),
        }
    }
    let group = i32::try_from(child.id()).unwrap_or(i32::MAX);
    // SAFETY: kill(2) takes numbers only; the group is that of the child, which has not been waited for.
    unsafe { libc::kill(-group, libc::SIGKILL) };
    child.wait()?;
    Err(DeliverError::Slow)
}

/// The numbers of a user and of his group.
fn ids_of(user: &str) -> Option<(u32, u32)> {
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    let line = users.lines().find(|line| line.split(':').next() == Some(user))?;
    let mut parts = line.split(':').skip(2);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &[&str]) -> Vec<String> {
        text.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn a_program_gets_the_message_and_no_rights() {
        let folder = tempfile::tempdir().unwrap();
        // As another user it must be able to write there.
        std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
        let out = folder.path().join("out");
        let script = format!("cat > {0}; id -un >> {0}; env | wc -l >> {0}", out.display());
        run(&words(&["/bin/sh", "-c", &script]), "nobody", "{\"a\":1}", PATIENCE).unwrap();
        let said = std::fs::read_to_string(&out).unwrap();
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines[0], "{\"a\":1}");
        // SAFETY: geteuid(2) only returns a number.
        if unsafe { libc::geteuid() } == 0 {
            assert_eq!(lines[1], "nobody");
        }
        // The shell sets PWD and such itself.
        assert!(lines[2].trim().parse::<usize>().unwrap() <= 4, "{said}");
    }

    #[test]
    fn a_program_that_fails_or_hangs_is_told() {
        let failed = run(&words(&["/bin/false"]), "nobody", "", PATIENCE);
        assert!(matches!(failed, Err(DeliverError::Status(_))), "{failed:?}");
        let slow = run(&words(&["/bin/sleep", "60"]), "nobody", "", Duration::from_millis(200));
        assert!(matches!(slow, Err(DeliverError::Slow)), "{slow:?}");
        assert!(matches!(run(&words(&["/nowhere"]), "nobody", "", PATIENCE), Err(DeliverError::Io(_))));
    }

    #[test]
    fn lines_are_added_to_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alerts.jsonl");
        append(&path, "{\"a\":1}").unwrap();
        append(&path, "{\"a\":2}").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"a\":1}\n{\"a\":2}\n");
    }
}
