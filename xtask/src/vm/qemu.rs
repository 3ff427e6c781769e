//! Finding QEMU, and running a guest.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::apt::{self, Need};
use crate::{sh, workspace};

const PROGRAM: &str = "qemu-system-x86_64";
const PACKAGE: &str = "qemu-system-x86";
const WHY: &str = "the kernel matrix";

/// QEMU, wherever it is.
pub struct Qemu {
    /// The folder into which its packages were unpacked; `None` where the system has it.
    unpacked: Option<PathBuf>,
    /// How it runs guests.
    pub accel: Accel,
}

/// How QEMU runs the guest's code.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Accel {
    /// On the processor.
    Kvm,
    /// Translated: several times slower, works everywhere. By one host thread: with one for each virtual CPU, a CPU can
    /// run a breakpoint that the kernel, which patches its own code for tracepoints, has long taken out.
    Tcg,
}

impl fmt::Display for Accel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg,thread=single",
        })
    }
}

impl Qemu {
    /// The system's, and the fastest way that works here; what is missing is installed. Where that would remove a package
    /// (a disk image tool of a newer version is enough), QEMU is unpacked into `target/tools` instead.
    pub fn find() -> Result<Self> {
        let mut qemu = Self { unpacked: unpacked()?, accel: Accel::Kvm };
        // That `/dev/kvm` can be opened says little inside a virtual machine, where QEMU may abort on a register that is
        // not there: so a machine without a system is started and looked at.
        let openable = std::fs::OpenOptions::new().read(true).write(true).open("/dev/kvm").is_ok();
        if !openable || !qemu.lives() {
            qemu.accel = Accel::Tcg;
        }
        Ok(qemu)
    }

    fn lives(&self) -> bool {
        let mut cmd = self.machine();
        let Ok(mut child) = cmd.stderr(Stdio::null()).spawn() else { return false };
        let lives = matches!(wait(&mut child, Duration::from_secs(1)), Ok(None));
        stop(&mut child);
        lives
    }

    /// A machine with nothing but two processors and memory.
    fn machine(&self) -> Command {
        let mut cmd = match &self.unpacked {
            None => Command::new(PROGRAM),
            Some(root) => {
                let mut cmd = Command::new(root.join("usr/bin").join(PROGRAM));
                let libraries = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"];
                let path = libraries.map(|dir| root.join(dir).display().to_string()).join(":");
                cmd.env("LD_LIBRARY_PATH", path);
                for firmware in ["usr/share/qemu", "usr/share/seabios"] {
                    cmd.arg("-L").arg(root.join(firmware));
                }
                cmd
            }
        };
        cmd.args(["-no-user-config", "-nodefaults", "-display", "none", "-monitor", "none", "-no-reboot"]);
        cmd.args(["-accel", &self.accel.to_string(), "-cpu", "max", "-smp", "2", "-m", "1536"]);
        cmd.stdin(Stdio::null()).stdout(Stdio::null());
        cmd
    }

    /// Boots a kernel with an initial file system, and waits until the guest switches itself off. What it prints
    /// goes to `log`. It is stopped, which is an error, when it takes longer than `limit`.
    pub fn run(&self, kernel: &Path, initrd: &Path, log: &Path, limit: Duration) -> Result<()> {
        let mut cmd = self.machine();
        // A guest that panics must end instead of hanging: `panic=-1` reboots at once, `-no-reboot` makes that the end.
        cmd.args(["-append", "console=ttyS0 quiet panic=-1"]);
        cmd.arg("-kernel").arg(kernel).arg("-initrd").arg(initrd);
        cmd.arg("-serial").arg(format!("file:{}", log.display()));
        let mut child = cmd.stderr(Stdio::inherit()).spawn().context("cannot start QEMU")?;
        let ended = wait(&mut child, limit);
        stop(&mut child);
        match ended? {
            Some(status) => ensure!(status.success(), "QEMU failed ({status})"),
            None => bail!("stopped after {} min", limit.as_secs() / 60),
        }
        Ok(())
    }
}

/// Where QEMU is unpacked, if the system cannot have it.
fn unpacked() -> Result<Option<PathBuf>> {
    let unpacked = workspace::tools().join("qemu");
    if sh::which(PROGRAM).is_none() && apt::available() {
        if unpacked.join("usr/bin").join(PROGRAM).is_file() {
            return Ok(Some(unpacked));
        }
        let in_the_way = apt::in_the_way(&[PACKAGE], WHY)?;
        if !in_the_way.is_empty() {
            let (removed, place) = (in_the_way.join(", "), workspace::shown(&unpacked));
            eprintln!("to install {PACKAGE} would remove {removed}: it is unpacked into {place} instead");
            apt::unpack(&[PACKAGE], &unpacked)?;
            return Ok(Some(unpacked));
        }
    }
    apt::programs(&[Need { program: PROGRAM, package: PACKAGE }], WHY)?;
    Ok(None)
}

/// Waits for a child, but not longer than `limit`.
fn wait(child: &mut Child, limit: Duration) -> Result<Option<std::process::ExitStatus>> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Ends a child if it still runs. That it has ended already is not worth a word.
fn stop(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}
