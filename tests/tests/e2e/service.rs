//! A recorder as the unit of packaging/ has it: under a user of its own with some capabilities, in mounts of its own, started by a
//! service manager, asked for its figures, and told to read its configuration again.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use connmon_tests::harness::programs::{
    connmon, connmon_prints, connmon_program, path, traffic_by, traffic_program, traffic_truth,
};
use connmon_tests::harness::recorder::Recorder;
use connmon_tests::harness::whole::ensure_exact;
use sha2::{Digest, Sha256};

/// How long something may take that is bound to happen.
const LIMIT: Duration = Duration::from_secs(60);
/// Its user.
const USER: u32 = 65534;
/// The unit, for its capabilities.
const UNIT: &str = include_str!("../../../packaging/connmon.service");

/// One recording: it says that it records and lives, has its figures, reads its configuration again, keeps the old one where the new
/// one is wrong, and is exact.
pub fn like_the_unit() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = |name: &str| folder.path().join(name);
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
    let (own, hidden) = (file("own"), file("hidden"));
    fs::create_dir(&own)?;
    fs::create_dir(&hidden)?;
    let (db, config, program) = (own.join("a.db"), file("config.toml"), file("connmon"));
    fs::copy(connmon_program()?, &program)?;
    fs::write(&config, rule("first", ""))?;
    std::os::unix::fs::chown(&own, Some(USER), Some(USER))?;
    let manager = Manager::new(&file("manager"))?;
    let begin = [
        "unshare",
        "--mount",
        "sh",
        "-c",
        "mount -t tmpfs none \"$1\" && shift && exec \"$@\"",
        "sh",
        path(&hidden)?,
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "--no-new-privs",
    ];
    let capabilities = capabilities()?;
    let rights =
        ["--bounding-set", "--inh-caps", "--ambient-caps"].map(|set| format!("{set}=-all,{capabilities}"));
    let begin: Vec<&str> =
        begin.into_iter().chain(rights.iter().map(String::as_str)).chain([path(&program)?]).collect();
    let told = [("NOTIFY_SOCKET", path(&file("manager"))?.to_owned()), ("WATCHDOG_USEC", "500000".into())];
    let options = ["--config", path(&config)?, "--metrics=127.0.0.1:0"];
    let recorder = Recorder::start_by(&begin, &told, &db, &options)?;
    manager.says("READY=1")?;
    manager.says("WATCHDOG=1")?;

    // A program in a folder that the recorder has covered, which has ended when it is looked at.
    let visitor = hidden.join("traffic");
    fs::copy(traffic_program()?, &visitor)?;
    let (mut truths, wrong) = traffic_by(&visitor, &["case", "tcp-simple-v4"])?;
    ensure!(wrong.is_empty(), "{wrong}");
    let at = recorder.wait_for_line("metrics at http://")?;
    let at =
        at.rsplit("http://").next().and_then(|url| url.strip_suffix("/metrics")).context("no address")?;
    until("figures", || Ok(figure(&get(at, "/metrics")?, "connmon_connections_total")? >= 1.0))?;
    let figures = get(at, "/metrics")?;
    ensure!(figures.contains("openmetrics-text") && figures.ends_with("# EOF\n"), "{figures}");
    ensure!(figure(&figures, "connmon_losses_total{kind=\"lost_events\"}")? == 0.0, "{figures}");
    ensure!(get(at, "/healthz")?.starts_with("HTTP/1.1 200 "), "it is not healthy");
    ensure!(get(at, "/")?.starts_with("HTTP/1.1 404 "), "there is more than figures");

    fs::write(&config, format!("ring-bytes = 4096\n{}", rule("second", "")))?;
    let said = String::from_utf8(connmon_prints(&["reload", "--db", path(&db)?])?)?;
    ensure!(said.contains("1 rule") && said.contains("a restart is needed for ring-bytes"), "{said}");
    manager.says("RELOADING=1")?;
    manager.says("READY=1")?;
    truths.extend(traffic_truth(&["case", "tcp-simple-v4"])?);

    fs::write(&config, rule("third", "por:1"))?;
    let refused = connmon(&["reload", "--db", path(&db)?])?;
    let said = String::from_utf8_lossy(&refused.stderr);
    ensure!(refused.status.code() == Some(2) && said.contains("did you mean `port:`?"), "{said}");
    recorder.signal(libc::SIGHUP)?;
    recorder.wait_until_said("the previous one stays in force")?;
    truths.extend(traffic_truth(&["case", "tcp-simple-v4"])?);
    recorder.stop_by(libc::SIGTERM)?;
    manager.says("STOPPING=1")?;

    ensure_exact(&truths, &db)?;
    let exported = String::from_utf8(connmon_prints(&["export", "--db", path(&db)?])?)?;
    let digest: String =
        Sha256::digest(fs::read(&visitor)?).iter().map(|byte| format!("{byte:02x}")).collect();
    ensure!(exported.contains(&digest), "the program in the covered folder has no hash");
    for (label, there) in [("second", true), ("third", false)] {
        ensure!(exported.contains(&format!("\"label\":\"{label}\"")) == there, "label {label}: not {there}");
    }
    Ok(())
}

/// A rule of a configuration.
fn rule(label: &str, matches: &str) -> String {
    format!("[[rule]]\nlabel = '{label}'\nmatch = '{matches}'\n")
}

/// The capabilities that the unit leaves, as setpriv(1) takes them.
fn capabilities() -> Result<String> {
    let line = UNIT
        .lines()
        .find_map(|line| line.strip_prefix("AmbientCapabilities="))
        .context("none in the unit")?;
    let names = line.split(' ').map(|name| format!("+{}", name.trim_start_matches("CAP_").to_lowercase()));
    Ok(names.collect::<Vec<_>>().join(","))
}

/// What answers at an address.
fn get(at: &str, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(at)?;
    stream.set_read_timeout(Some(LIMIT))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// The value of a sample.
fn figure(text: &str, name: &str) -> Result<f64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    Ok(value.with_context(|| format!("no {name} in {text}"))?.parse()?)
}

fn until(what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    let limit = Instant::now() + LIMIT;
    while !holds()? {
        ensure!(Instant::now() < limit, "never: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// A service manager's end of its socket.
struct Manager(UnixDatagram);

impl Manager {
    fn new(path: &Path) -> Result<Self> {
        let socket = UnixDatagram::bind(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o777))?;
        socket.set_read_timeout(Some(LIMIT))?;
        Ok(Self(socket))
    }

    /// Waits until it is told something.
    fn says(&self, words: &str) -> Result<()> {
        let limit = Instant::now() + LIMIT;
        let mut buffer = [0; 4096];
        while Instant::now() < limit {
            let length = self.0.recv(&mut buffer).with_context(|| format!("it never says {words}"))?;
            if buffer[..length].starts_with(words.as_bytes()) {
                return Ok(());
            }
        }
        bail!("it never says {words}")
    }
}
