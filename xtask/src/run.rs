//! `cargo xtask run`: what connmon does, on traffic that really happens.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::{cargo, setup, sh, workspace};

/// How to record.
#[derive(clap::Args)]
pub struct Args {
    /// Seconds to record; the traffic takes about nine
    #[arg(long = "for", value_name = "SECONDS", default_value_t = 12)]
    seconds: u32,
}

/// `cargo xtask run`.
pub fn run(args: &Args) -> Result<()> {
    setup::ensure()?;
    sh::can_be_root("recording")?;
    let built = &mut cargo::cargo(&["build", "--release", "-p", "connmon", "-p", "connmon-tests", "--bins"]);
    let made = cargo::executables(built)?;
    let (connmon, traffic) = (cargo::find(&made, "connmon")?, cargo::find(&made, "traffic")?);

    let dir = workspace::run_dir();
    let [db, report, truth] = ["connmon.db", "report.html", "traffic.json"].map(|name| dir.join(name));
    empty(&dir)?;
    let mut record = sh::as_root(&connmon, &[], "recording")?;
    record.args(["record", "--for", &format!("{}s", args.seconds)]).arg("--db").arg(&db);
    record.arg("--report").arg(&report);
    eprintln!("$ {}", sh::shown(&record));
    let mut recorder = record.stderr(Stdio::piped()).spawn().context("cannot start the recorder")?;
    let said = recorder.stderr.take().context("its stderr is piped")?;
    let generated = wait_until_recording(said).and_then(|()| generate(&traffic, &truth));
    let status = recorder.wait().context("cannot wait for the recorder")?;
    sh::give_back(&dir)?;
    ensure!(status.success(), "`{}` failed ({status})", sh::shown(&record));
    generated?;

    sh::run(Command::new(&connmon).arg("audit").arg("--db").arg(&db))?;
    ensure!(report.is_file(), "the recorder wrote no report to {}", report.display());
    println!();
    println!("report:  {}", report.display());
    println!("store:   {}", db.display());
    println!("traffic: {} (what the generator says it did)", truth.display());
    Ok(())
}

/// An empty folder, in which files of an earlier recording may belong to root.
fn empty(dir: &Path) -> Result<()> {
    if dir.exists() && std::fs::remove_dir_all(dir).is_err() {
        sh::run(sh::as_root("rm", &[], "removing the last recording")?.arg("-rf").arg(dir))?;
    }
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))
}

/// How long a recorder may take to have its probes attached.
const START: Duration = Duration::from_secs(60);

/// Passes on what the recorder says, and returns once it says that it records: traffic before would be missed.
pub fn wait_until_recording(said: impl Read + Send + 'static) -> Result<()> {
    let (tell, told) = channel();
    std::thread::spawn(move || pass_on(said, &mut std::io::stderr(), &tell));
    told.recv_timeout(START).ok().context("the recorder never said that it records")
}

/// Copies everything, and tells of each line that begins with `recording`. Ends, and with it the channel, when
/// the recorder does.
fn pass_on(mut from: impl Read, to: &mut impl Write, tell: &Sender<()>) {
    let (mut buffer, mut line) = ([0; 4096], Vec::new());
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        for byte in &buffer[..count] {
            match byte {
                b'\n' | b'\r' => line.clear(),
                other => line.push(*other),
            }
            if line == b"recording" {
                // Nobody listens any more after the first.
                let _ = tell.send(());
            }
        }
        let _ = to.write_all(&buffer[..count]);
    }
}

/// Makes traffic; what the generator says it did goes to `truth`. As root, it makes a network of its own with
/// addresses from all over the world, and programs of several users.
fn generate(traffic: &Path, truth: &Path) -> Result<()> {
    let file = File::create(truth).with_context(|| format!("cannot write {}", truth.display()))?;
    sh::run(sh::as_root(traffic, &[], "making traffic")?.arg("demo").stdout(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recorder_is_heard_in_full() {
        let (tell, told) = channel();
        let mut shown = Vec::new();
        let text = b"trying fentry\nnot recording\nrecording with fentry\n".as_slice();
        pass_on(text, &mut shown, &tell);
        assert_eq!(shown, text);
        drop(tell);
        assert_eq!(told.iter().count(), 1);
    }
}
