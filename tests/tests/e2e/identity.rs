//! Who it was: real programs that hide, and what the record tells of them.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use connmon_tests::harness::mounted::Mounted;
use connmon_tests::harness::programs::{export, traffic_program};
use connmon_tests::harness::record::{Owner, Record};
use connmon_tests::harness::recorder::Recorder;
use sha2::{Digest, Sha256};

/// A program is looked at when its connection is first met by a sweep, which comes once a second.
pub const LOOKED_AT: Duration = Duration::from_millis(2500);
/// Half seconds for which a look is waited for: other programs may be in front.
const PATIENCE: usize = 120;
/// The id of a container that does not exist.
pub const CONTAINER: &str = "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00";

/// A recording, and a server that programs say hello to.
struct Scene {
    folder: tempfile::TempDir,
    recorder: Recorder,
    server: TcpListener,
}

impl Scene {
    fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let recorder = Recorder::start(&folder.path().join("who.db"), &[])?;
        Ok(Self { folder, recorder, server: TcpListener::bind("127.0.0.1:0")? })
    }

    fn at(&self) -> Result<SocketAddr> {
        Ok(self.server.local_addr()?)
    }

    /// Lets one program say hello, does something meanwhile, and returns what the record tells of it.
    fn greet(
        self,
        start: impl FnOnce(&Path, SocketAddr) -> Result<()>,
        meanwhile: impl FnOnce(),
    ) -> Result<Owner> {
        let at = self.at()?;
        start(self.folder.path(), at)?;
        let (mut stream, from) = self.server.accept()?;
        let mut greeting = [0; 5];
        stream.read_exact(&mut greeting)?;
        meanwhile();
        std::thread::sleep(LOOKED_AT);
        drop(stream);
        // Until the program has closed its end as well.
        std::thread::sleep(Duration::from_millis(500));
        self.recorder.stop()?;
        let records = export(&self.folder.path().join("who.db"))?;
        let is_it = |record: &&Record| record.local.port == from.port() && record.remote.port == at.port();
        let record = records.iter().find(is_it).context("the connection is missing")?;
        ensure!((record.tx_bytes, record.rx_bytes) == (5, 0), "{record}");
        record.process.clone().with_context(|| format!("nobody owns {record}"))
    }
}

fn spawn(program: &Path, folder: &Path, at: SocketAddr, rest: &[&str]) -> Result<()> {
    let mut command = Command::new(program);
    command.args(["hello", &at.to_string()]).args(rest).current_dir(folder);
    quiet(&mut command).spawn().with_context(|| format!("cannot start {}", program.display()))?;
    Ok(())
}

fn quiet(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::null())
}

fn sha256(file: &Path) -> Result<String> {
    Ok(sha256_of(&fs::read(file)?))
}

fn sha256_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A program that was deleted while it ran, in a folder of its own, with a secret on its command line.
pub fn deleted() -> Result<()> {
    let scene = Scene::new()?;
    let program = scene.folder.path().join("vanishing");
    fs::copy(traffic_program()?, &program)?;
    let hash = sha256(&program)?;
    let folder = fs::canonicalize(scene.folder.path())?;
    let owner = scene.greet(
        |folder, at| spawn(&program, folder, at, &["--password=hunter2"]),
        || drop(fs::remove_file(&program)),
    )?;
    let expected = Some(folder.join("vanishing"));
    ensure!(owner.exe.as_ref().map(PathBuf::from) == expected, "exe {:?}", owner.exe);
    ensure!(owner.exe_state.as_deref() == Some("deleted"), "exe_state {:?}", owner.exe_state);
    ensure!(owner.sha256.as_deref() == Some(&hash), "sha256 {:?}, not {hash}", owner.sha256);
    ensure!(owner.cwd.as_ref().map(PathBuf::from) == Some(folder), "cwd {:?}", owner.cwd);
    let shown = format!("{:?}", owner.cmdline);
    ensure!(owner.redacted && shown.contains("--password=") && !shown.contains("hunter2"), "{shown}");
    Ok(())
}

/// A program that only ever was in memory.
pub fn memfd() -> Result<()> {
    let traffic = traffic_program()?;
    let file = in_memory(&traffic)?;
    let program = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let owner = Scene::new()?.greet(|folder, at| spawn(&program, folder, at, &[]), || {})?;
    ensure!(owner.exe.as_deref() == Some("/memfd:ghost"), "exe {:?}", owner.exe);
    ensure!(owner.exe_state.as_deref() == Some("memfd"), "exe_state {:?}", owner.exe_state);
    ensure!(owner.sha256 == Some(sha256(&traffic)?), "sha256 {:?}, {:?}", owner.sha256, owner.not_hashed);
    Ok(())
}

/// A copy of a program that has no name in any folder: it can be run while the file is open.
pub fn in_memory(program: &Path) -> Result<File> {
    // SAFETY: a constant string with its NUL; without MFD_CLOEXEC, so that the child can run it.
    let fd = unsafe { libc::memfd_create(c"ghost".as_ptr(), 0) };
    ensure!(fd >= 0, "memfd_create: {}", std::io::Error::last_os_error());
    // SAFETY: it was just made, and nobody else has it.
    let mut file = unsafe { File::from_raw_fd(fd) };
    file.write_all(&fs::read(program)?)?;
    Ok(file)
}

/// A process that starts where it is, and one that is put there: the cgroup is what a container runtime would make.
pub fn container() -> Result<()> {
    let slice = slice()?;
    let scene = Scene::new()?;
    // While it records: nobody has listed it.
    let group = Cgroup::new(&slice, &format!("docker-{CONTAINER}.scope"))?;
    let procs = group.0.join("cgroup.procs");
    let owner = scene.greet(
        |folder, at| {
            let mut command = Command::new("sh");
            let script = "echo $$ > \"$0\" && exec \"$1\" hello \"$2\"";
            command.args(["-c", script]).arg(&procs).arg(traffic_program()?).arg(at.to_string());
            quiet(&mut command).current_dir(folder).spawn()?;
            Ok(())
        },
        || {},
    )?;
    drop(group);
    let _ = fs::remove_dir(&slice);
    let unit = format!("docker-{CONTAINER}.scope");
    ensure!(owner.unit.as_deref() == Some(&unit), "unit {:?}", owner.unit);
    let container = owner.container.context("no container")?;
    ensure!(container["runtime"] == "docker" && container["id"] == CONTAINER, "container {container}");
    Ok(())
}

/// A program in a mount namespace of its own, while the host has another file at its path, with the same inode number. One process
/// lives when it is looked at, one has gone.
pub fn twins() -> Result<()> {
    let Scene { folder, recorder, server } = Scene::new()?;
    let place = Mounted::tmpfs(&folder.path().join("twin"), "size=256m")?;
    let db = folder.path().join("who.db");
    let (at, traffic, twin) = (server.local_addr()?, traffic_program()?, place.path().join("prog"));
    fs::write(&twin, "another file")?;
    let inode = fs::metadata(&twin)?.ino();
    let mut of = Vec::new();
    for lives in [true, false] {
        let script = "mount -t tmpfs twin \"$0\" && cp \"$1\" \"$0/prog\" && ls -i \"$0/prog\" && exec \"$0/prog\" hello \"$2\"";
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", script]).arg(place.path()).arg(&traffic).arg(at.to_string());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("unshare")?;
        let (mut stream, from) = server.accept()?;
        let mut greeting = [0; 5];
        stream.read_exact(&mut greeting)?;
        for _ in 0..if lives { PATIENCE } else { 0 } {
            std::thread::sleep(Duration::from_millis(500));
            if owner_of(&db, from, at).is_ok_and(|owner| owner.sha256.is_some() || owner.not_hashed.is_some())
            {
                break;
            }
        }
        drop(stream);
        let mut said = String::new();
        child.stdout.take().context("piped")?.read_to_string(&mut said)?;
        child.wait()?;
        let of_program = said.split_whitespace().next().and_then(|number| number.parse::<u64>().ok());
        ensure!(of_program == Some(inode), "no twins: {inode} and {said}");
        of.push((lives, from));
    }
    std::thread::sleep(Duration::from_millis(500));
    recorder.stop()?;
    for (lives, from) in of {
        let owner = owner_of(&db, from, at)?;
        ensure!(owner.exe.as_ref().map(PathBuf::from).as_ref() == Some(&twin), "exe {:?}", owner.exe);
        let (hash, why) = (owner.sha256, owner.not_hashed);
        // A sweep may have met the second one before it ended.
        let is_right = hash == Some(sha256(&traffic)?) || (!lives && hash.is_none() && why.is_some());
        ensure!(is_right, "lives: {lives}, sha256 {hash:?}, not hashed: {why:?}");
    }
    Ok(())
}

/// Programs on an overlay that only they see, as those of a container are: one from its lower layer, and one that was copied up.
pub fn overlay() -> Result<()> {
    for copied_up in [false, true] {
        let owner = Scene::new()?.greet(
            |folder, at| {
                let script = "mkdir lower upper work merged && cp \"$0\" lower/prog \
                    && mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged \
                    && { [ \"$2\" = false ] || printf more >> merged/prog; } && exec merged/prog hello \"$1\"";
                let mut command = Command::new("unshare");
                command.args(["-m", "sh", "-c", script]).arg(traffic_program()?).arg(at.to_string());
                command.arg(copied_up.to_string()).current_dir(folder);
                quiet(&mut command).spawn().context("unshare")?;
                Ok(())
            },
            || {},
        )?;
        let mut program = fs::read(traffic_program()?)?;
        program.extend(if copied_up { &b"more"[..] } else { b"" });
        ensure!(
            owner.sha256 == Some(sha256_of(&program)),
            "copied up: {copied_up}, {:?}, {:?}",
            owner.sha256,
            owner.not_hashed
        );
        ensure!(owner.exe.as_ref().is_some_and(|exe| exe.ends_with("/merged/prog")), "exe {:?}", owner.exe);
    }
    Ok(())
}

/// What the record tells of the process that has a connection.
fn owner_of(db: &Path, from: SocketAddr, at: SocketAddr) -> Result<Owner> {
    let records = export(db)?;
    let is_it = |record: &&Record| record.local.port == from.port() && record.remote.port == at.port();
    let record = records.iter().find(is_it).context("the connection is missing")?;
    record.process.clone().with_context(|| format!("nobody owns {record}"))
}

/// Parents that have long gone when the connection is made.
pub fn ancestors() -> Result<()> {
    let owner = Scene::new()?.greet(
        |folder, at| {
            let mut command = Command::new("sh");
            // Both shells are gone when the grandchild connects.
            let script = "sh -c '(sleep 1; \"$0\" hello \"$1\") &' \"$0\" \"$1\" & wait";
            command.args(["-c", script]).arg(traffic_program()?).arg(at.to_string()).current_dir(folder);
            let status = quiet(&mut command).status()?;
            ensure!(status.success(), "sh: {status}");
            Ok(())
        },
        || {},
    )?;
    let chain: Vec<u32> = owner.ancestors.iter().map(|ancestor| ancestor.pid).collect();
    let me = std::process::id();
    let Some(at) = chain.iter().position(|pid| *pid == me) else {
        bail!("{me} is not among the ancestors {:?}", owner.ancestors)
    };
    // The two shells that were called, and perhaps the subshell.
    ensure!((2..=3).contains(&at), "{:?}", owner.ancestors);
    let gone = |pid: u32| !Path::new(&format!("/proc/{pid}")).exists();
    ensure!(chain[..at].iter().all(|pid| gone(*pid)), "{:?}", owner.ancestors);
    Ok(())
}

/// The slice of the tests' own cgroups.
pub fn slice() -> Result<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let root = mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (path, kind) = (fields.next()?, fields.next()?);
        (kind == "cgroup2").then(|| PathBuf::from(path))
    });
    Ok(root.context("no cgroup2 hierarchy")?.join("connmontest.slice"))
}

/// A cgroup that is removed in the end.
pub struct Cgroup(pub PathBuf);

impl Cgroup {
    /// A cgroup of this name in a slice.
    pub fn new(slice: &Path, name: &str) -> Result<Self> {
        let path = slice.join(name);
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0); // it may not be empty yet, and does no harm
    }
}
