//! A recorder of our own: `connmon record`, as a program of its own, so that what shows has no more rights than it needs and a
//! fault of one is none of the other.

use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::commands::CommandError;
use connmon_live::attach::{AttachError, Updates, connect};

/// How often it is seen whether the recorder is ready, and how often at most: together, how long attaching may take.
const LOOK: Duration = Duration::from_millis(50);
const LOOKS: usize = 1_200;
/// How often it is seen whether the recorder has ended, after which it is killed.
const LAST_LOOKS: usize = 200;

/// A recorder that ends with its owner.
pub(super) struct Recorder {
    child: Child,
    /// What is to be removed when it has ended.
    folder: Option<PathBuf>,
}

impl Recorder {
    /// Starts one into a store, with that socket, or else into a folder that is removed at the end; waits until it can be attached
    /// to.
    ///
    /// # Errors
    /// It does not start; what it said is the reason.
    pub(super) fn start(
        target: Option<(&Path, &Path)>,
        options: &[String],
    ) -> Result<(Self, Updates), CommandError> {
        let folder = target.is_none().then(private_folder).transpose()?;
        let (db, socket) = match (&folder, target) {
            (Some(folder), _) => (folder.join("live.db"), folder.join("live.sock")),
            (None, Some((db, socket))) => (db.into(), socket.into()),
            (None, None) => return Err(CommandError::Recorder("it has no folder".into())),
        };
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("record").arg("--db").arg(&db).arg("--socket").arg(&socket).args(options);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        // Ctrl-C is for us; we end the recorder in order.
        command.process_group(0);
        // SAFETY: prctl is async-signal-safe; the child gets the signal when we die in any way (prctl(2), PR_SET_PDEATHSIG).
        unsafe {
            command.pre_exec(|| {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
                Ok(())
            });
        }
        let mut recorder = Self { child: command.spawn()?, folder };
        for _ in 0..LOOKS {
            match connect(&socket) {
                Ok(updates) => {
                    recorder.listen();
                    return Ok((recorder, updates));
                }
                Err(AttachError::NoRecorder(..)) => {}
                Err(error) => return Err(error.into()),
            }
            if recorder.child.try_wait()?.is_some() {
                return Err(CommandError::Recorder(recorder.words()));
            }
            std::thread::sleep(LOOK);
        }
        Err(CommandError::Recorder("its socket did not appear".into()))
    }

    /// Takes what the recorder says, so that it never waits for a reader; it is in its store too.
    fn listen(&mut self) {
        if let Some(mut said) = self.child.stderr.take() {
            std::thread::spawn(move || io::copy(&mut said, &mut io::sink()));
        }
    }

    /// The last line of what a recorder said that has ended.
    fn words(&mut self) -> String {
        let mut said = String::new();
        if let Some(stderr) = &mut self.child.stderr {
            let _ = stderr.read_to_string(&mut said);
        }
        let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it ended without a message");
        last.strip_prefix("connmon: ").unwrap_or(last).to_owned()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            // SAFETY: sends a signal to our own child, which is not reaped yet, so its number is still its own.
            unsafe { libc::kill(pid, libc::SIGTERM) };
        }
        let ended = (0..LAST_LOOKS).any(|_| {
            std::thread::sleep(LOOK);
            self.child.try_wait().is_ok_and(|status| status.is_some())
        });
        if !ended {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if let Some(folder) = &self.folder {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

/// A new folder that only root may enter.
fn private_folder() -> io::Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("connmon-live-{}", std::process::id()));
    std::fs::DirBuilder::new().mode(0o700).create(&folder)?;
    Ok(folder)
}
