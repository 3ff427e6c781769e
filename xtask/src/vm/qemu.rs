//! Finding QEMU, and running a guest.

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::apt::{self, Need};
use crate::{sh, workspace};

const PROGRAM: &str = "qemu-system-x86_64";
const PACKAGE: &str = "qemu-system-x86";
const WHY: &str = "the kernel matrix";

/// How long a kernel may take to reach user space under KVM. It takes about a second where KVM works.
const REACHES_USER_SPACE: Duration = Duration::from_secs(20);
/// A guest that prints nothing for this long hangs: the cases, of which the first tells, take up to four minutes under emulation.
const SILENCE: Duration = Duration::from_secs(12 * 60);
/// What QEMU says when KVM cannot go on; the virtual machine then stands still for ever.
const KVM_ERRORS: [&str; 2] = ["KVM internal error", "kvm run failed"];

/// QEMU, wherever it is.
pub struct Qemu {
    /// The folder into which its packages were unpacked; `None` where the system has it.
    unpacked: Option<PathBuf>,
    /// Whether guests run on the processor.
    kvm: AtomicBool,
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

/// Why a guest did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// KVM gave up on the guest, so nothing is known of what ran in it.
    #[error("KVM cannot run the guest: {0}")]
    Kvm(String),
    /// It printed nothing for a long time.
    #[error("stopped after {} min without output", .0.as_secs() / 60)]
    Silent(Duration),
    /// It took too long.
    #[error("stopped after {} min", .0.as_secs() / 60)]
    Late(Duration),
    /// QEMU ended with an error.
    #[error("QEMU failed ({0})")]
    Failed(ExitStatus),
    /// QEMU could not be run or watched.
    #[error("QEMU cannot be run: {0}")]
    Io(#[from] std::io::Error),
}

/// What a guest is made of, and where its output goes.
pub struct Guest<'a> {
    /// The kernel.
    pub kernel: &'a Path,
    /// Its first file system.
    pub initrd: &'a Path,
    /// What it prints. QEMU's own messages go beside it, into a file that ends with `.qemu`.
    pub log: &'a Path,
    /// A disk, which it keeps, and the time that its clock has when it is switched on.
    pub disk: Option<(&'a Path, &'a str)>,
}

impl Qemu {
    /// The system's; what is missing is installed. Where that would remove a package (a disk image tool of a newer version is
    /// enough), QEMU is unpacked into `target/tools` instead. Guests are emulated until [`Self::prefer_kvm`] has found out more.
    pub fn find() -> Result<Self> {
        Ok(Self { unpacked: unpacked()?, kvm: AtomicBool::new(false) })
    }

    /// How it runs guests.
    pub fn accel(&self) -> Accel {
        if self.kvm.load(Ordering::Relaxed) { Accel::Kvm } else { Accel::Tcg }
    }

    /// Runs guests with KVM from now on, if a real kernel reaches user space with it. That `/dev/kvm` can be opened says little
    /// inside a virtual machine, and so does a machine without a system that lives. `probe` is a guest that prints `mark`. The
    /// answer is remembered until this machine is started anew.
    pub fn prefer_kvm(&self, probe: &Guest<'_>, mark: &str, memory: &Path) {
        let openable = File::options().read(true).write(true).open("/dev/kvm").is_ok();
        if !openable {
            return;
        }
        let boot = boot_id();
        let known = std::fs::read_to_string(memory).unwrap_or_default();
        let works = match known.split_once(' ') {
            Some((answer, of)) if of == boot => answer == "kvm",
            _ => {
                let tried = self.reaches(probe, mark);
                match &tried {
                    Ok(()) => eprintln!("a kernel reaches user space under KVM"),
                    Err(why) => eprintln!("/dev/kvm is of no use here, guests are emulated: {why}"),
                }
                self.remember(memory, tried.is_ok());
                tried.is_ok()
            }
        };
        self.kvm.store(works, Ordering::Relaxed);
    }

    /// Emulates guests from now on, since KVM failed in the middle of one.
    pub fn give_kvm_up(&self, memory: &Path) {
        self.kvm.store(false, Ordering::Relaxed);
        self.remember(memory, false);
    }

    /// That this cannot be written costs only a few seconds the next time.
    fn remember(&self, memory: &Path, works: bool) {
        let boot = boot_id();
        let _ = std::fs::write(memory, format!("{} {boot}", if works { "kvm" } else { "tcg" }));
    }

    fn reaches(&self, probe: &Guest<'_>, mark: &str) -> Result<(), Stopped> {
        self.watch(probe, Accel::Kvm, REACHES_USER_SPACE)?;
        let printed = std::fs::read(probe.log)?;
        if String::from_utf8_lossy(&printed).contains(mark) {
            return Ok(());
        }
        Err(Stopped::Kvm("the guest ended before it reached user space".to_owned()))
    }

    /// A machine with two processors and memory.
    fn machine(&self, accel: Accel) -> Command {
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
        cmd.args(["-accel", &accel.to_string(), "-cpu", "max", "-smp", "2", "-m", "1536"]);
        cmd.stdin(Stdio::null()).stdout(Stdio::null());
        cmd
    }

    /// Boots a guest and waits until it switches itself off. It is stopped, which is an error, when it takes longer than
    /// `limit`, prints nothing for long, or KVM fails.
    pub fn run(&self, guest: &Guest<'_>, limit: Duration) -> Result<(), Stopped> {
        self.watch(guest, self.accel(), limit)
    }

    fn watch(&self, guest: &Guest<'_>, accel: Accel, limit: Duration) -> Result<(), Stopped> {
        let messages = guest.log.with_extension("log.qemu");
        let mut cmd = self.machine(accel);
        // A guest that panics must end instead of hanging: `panic=-1` reboots at once, `-no-reboot` makes that the end. Nobody
        // looks for secrets in its memory, or runs a stranger's program: to clear what is allocated takes a twentieth of the time, and
        // to keep speculation in check, which an emulated processor does not have, a third.
        cmd.args(["-append", "console=ttyS0 quiet panic=-1 init_on_alloc=0 mitigations=off"]);
        cmd.arg("-kernel").arg(guest.kernel).arg("-initrd").arg(guest.initrd);
        cmd.arg("-serial").arg(format!("file:{}", guest.log.display()));
        if let Some((disk, clock)) = guest.disk {
            cmd.arg("-drive").arg(format!("file={},format=raw,if=virtio,cache=unsafe", disk.display()));
            cmd.args(["-rtc", &format!("base={clock}")]);
        }
        File::create(guest.log)?;
        let mut child = cmd.stderr(File::create(&messages)?).spawn()?;
        let ended = follow(&mut child, guest.log, &messages, limit);
        stop(&mut child);
        let said = std::fs::read(&messages).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        match ended {
            // QEMU itself can fail under KVM too, on a register that is not there.
            Err(Stopped::Failed(status)) if accel == Accel::Kvm => {
                let first = said.lines().find(|line| !line.contains("warning:")).unwrap_or_default();
                Err(Stopped::Kvm(format!("{status}: {first}")))
            }
            // Under KVM silence and slowness are its faults until emulation has shown that they are not.
            Err(stopped @ (Stopped::Silent(_) | Stopped::Late(_))) if accel == Accel::Kvm => {
                Err(Stopped::Kvm(stopped.to_string()))
            }
            // The rest of what it says of KVM is registers; the file has it.
            Err(Stopped::Kvm(why)) => Err(Stopped::Kvm(why)),
            ended => {
                eprint!("{said}");
                ended
            }
        }
    }
}

/// Waits until QEMU has ended, and watches what it and the guest print.
fn follow(child: &mut Child, log: &Path, messages: &Path, limit: Duration) -> Result<(), Stopped> {
    let started = Instant::now();
    let mut printed = (0, started);
    loop {
        if let Some(status) = child.try_wait()? {
            return if status.success() { Ok(()) } else { Err(Stopped::Failed(status)) };
        }
        if let Some(error) = kvm_error(&std::fs::read_to_string(messages).unwrap_or_default()) {
            return Err(Stopped::Kvm(error));
        }
        let length = std::fs::metadata(log)?.len();
        let now = Instant::now();
        if length != printed.0 {
            printed = (length, now);
        }
        if now - printed.1 >= SILENCE {
            return Err(Stopped::Silent(SILENCE));
        }
        if now - started >= limit {
            return Err(Stopped::Late(limit));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// What QEMU says of KVM's end: its line, and the last words of the lines behind it that tell more than numbers.
fn kvm_error(messages: &str) -> Option<String> {
    let mut lines = messages.lines().skip_while(|line| !KVM_ERRORS.iter().any(|error| line.contains(error)));
    let first = lines.next()?;
    let more = lines.find(|line| line.contains("failure"));
    Some(more.map_or(first.to_owned(), |more| format!("{first} ({more})")))
}

/// What tells this start of this machine from every other one.
fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default()
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

/// Ends a child if it still runs. That it has ended already is not worth a word.
fn stop(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_qemu_says_of_kvm_is_found() {
        // As QEMU 10.0 printed it on a machine whose /dev/kvm opens.
        let said = "qemu-system-x86_64: warning: host doesn't support requested feature: CPUID.01H:ECX.pni [bit 0]\n\
            KVM internal error. Suberror: 1\nextra data[0]: 0x0000000000000001\nemulation failure\nRAX=0000000001ad29a0\n";
        assert_eq!(kvm_error(said).as_deref(), Some("KVM internal error. Suberror: 1 (emulation failure)"));
        assert_eq!(kvm_error("qemu-system-x86_64: warning: x\n"), None);
        assert_eq!(
            kvm_error("error: kvm run failed Bad address\n").as_deref(),
            Some("error: kvm run failed Bad address")
        );
    }
}
