//! Running a guest.

use std::fmt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

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

/// The fastest way that works here. That `/dev/kvm` can be opened says little inside a virtual machine, where
/// QEMU may abort on a register that is not there: so a machine without a system is started and looked at.
pub fn accelerator() -> Accel {
    let openable = std::fs::OpenOptions::new().read(true).write(true).open("/dev/kvm").is_ok();
    if openable && kvm_runs() { Accel::Kvm } else { Accel::Tcg }
}

fn kvm_runs() -> bool {
    let mut cmd = machine(Accel::Kvm);
    let Ok(mut child) = cmd.stderr(Stdio::null()).spawn() else { return false };
    let lives = matches!(wait(&mut child, Duration::from_secs(1)), Ok(None));
    stop(&mut child);
    lives
}

/// A machine with nothing but two processors and memory.
fn machine(accel: Accel) -> Command {
    let mut cmd = Command::new("qemu-system-x86_64");
    cmd.args(["-no-user-config", "-nodefaults", "-display", "none", "-monitor", "none", "-no-reboot"]);
    cmd.args(["-accel", &accel.to_string(), "-cpu", "max", "-smp", "2", "-m", "1536"]);
    cmd.stdin(Stdio::null()).stdout(Stdio::null());
    cmd
}

/// Boots a kernel with an initial file system, and waits until the guest switches itself off. What it prints
/// goes to `log`. It is stopped, which is an error, when it takes longer than `limit`.
pub fn run(kernel: &Path, initrd: &Path, log: &Path, accel: Accel, limit: Duration) -> Result<()> {
    let mut cmd = machine(accel);
    // A guest that panics must end instead of hanging: `panic=-1` reboots at once, `-no-reboot` makes that the end.
    cmd.args(["-append", "console=ttyS0 quiet panic=-1"]);
    cmd.arg("-kernel").arg(kernel).arg("-initrd").arg(initrd);
    cmd.arg("-serial").arg(format!("file:{}", log.display()));
    let mut child = cmd.stderr(Stdio::inherit()).spawn().context("cannot start qemu-system-x86_64")?;
    let ended = wait(&mut child, limit);
    stop(&mut child);
    match ended? {
        Some(status) => ensure!(status.success(), "QEMU failed ({status})"),
        None => bail!("stopped after {} min", limit.as_secs() / 60),
    }
    Ok(())
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
