//! `connmon service`: what a package does, for a program that came without one.

mod status;

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{CommandError, Outcome, done, stdout};
use crate::cli::{ServiceCommand, ServiceCommands, ServiceFiles, Uninstall};
use crate::config;
use connmon_record::display_safe;
use connmon_system::files;

/// The service.
const UNIT: &str = "connmon.service";
/// What delivers alerts, once an administrator has enabled it.
const ALERT_UNIT: &str = "connmon-alert.service";
/// Where a package puts the program, and where it is put here.
const PACKAGED: &str = "/usr/bin/connmon";
const PROGRAM: &str = "/usr/local/bin/connmon";
/// Where a package puts its unit.
const UNITS_OF_PACKAGES: [&str; 2] =
    ["/usr/lib/systemd/system/connmon.service", "/lib/systemd/system/connmon.service"];
/// What is installed beside the program and the configuration.
const FILES: [(&str, &str); 4] = [
    ("/etc/systemd/system/connmon.service", include_str!("../../../packaging/connmon.service")),
    ("/etc/systemd/system/connmon-alert.service", include_str!("../../../packaging/connmon-alert.service")),
    ("/etc/sysusers.d/connmon.conf", include_str!("../../../packaging/sysusers.conf")),
    ("/etc/tmpfiles.d/connmon.conf", include_str!("../../../packaging/tmpfiles.conf")),
];
/// The configuration, with every option explained.
const SAMPLE: &str = include_str!("../../../packaging/connmon.toml");
/// What only `--purge` removes.
const KEPT: [&str; 4] = ["/etc/connmon", "/var/lib/connmon", "/run/connmon", "/var/log/connmon"];

/// Why there is no service.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// A package brings it.
    #[error(
        "connmon was installed from a package, which includes the service ({0}): use `systemctl`, or remove the package"
    )]
    Packaged(String),
    /// Nothing can be written there.
    #[error("{0} cannot be written: {1}; install the service as root")]
    File(String, io::Error),
    /// There is no systemd.
    #[error("systemd does not run here, and the service needs it; `connmon record` records without systemd")]
    NoSystemd,
    /// One of systemd's programs failed.
    #[error("`{0}` failed: {1}")]
    Program(String, String),
}

/// Installs, removes or shows the service.
///
/// # Errors
/// A package brings the service, systemd is missing or refuses, or a file cannot be written.
pub fn run(args: ServiceCommands) -> Result<Outcome, CommandError> {
    match args.command {
        ServiceCommand::Install(files) => install(&files),
        ServiceCommand::Status(args) => status::run(&args),
        ServiceCommand::Uninstall(args) => uninstall(&args),
    }
}

fn install(target: &ServiceFiles) -> Result<Outcome, CommandError> {
    let place = Place::for_target(target)?;
    let own = std::env::current_exe()?;
    let program = place.at(PROGRAM);
    if !files::same(&own, &program) {
        let bytes =
            fs::read(&own).map_err(|error| CommandError::Unreadable(own.display().to_string(), error))?;
        place.write(PROGRAM, &bytes, 0o755)?;
    }
    for (path, text) in FILES {
        place.write(path, text.replace(PACKAGED, PROGRAM).as_bytes(), 0o644)?;
    }
    if !place.at(config::DEFAULT).exists() {
        place.write(config::DEFAULT, SAMPLE.as_bytes(), 0o644)?;
    }
    if place.starts {
        call("systemd-sysusers", &["/etc/sysusers.d/connmon.conf"])?;
        call("systemd-tmpfiles", &["--create", "/etc/tmpfiles.d/connmon.conf"])?;
        call("systemctl", &["daemon-reload"])?;
        call("systemctl", &["enable", "--quiet", UNIT])?;
        // A version before this one may be running.
        call("systemctl", &["restart", UNIT])?;
        call("systemctl", &["try-restart", ALERT_UNIT])?;
    }
    let mut out = stdout();
    let next =
        if place.starts { "it records; `connmon service status` shows it" } else { "it is not started" };
    writeln!(out, "installed as a service: {next}; options are in {}", config::DEFAULT)?;
    done(out, None)
}

fn uninstall(args: &Uninstall) -> Result<Outcome, CommandError> {
    let place = Place::for_target(&args.files)?;
    for unit in [ALERT_UNIT, UNIT] {
        if place.starts && place.at(&format!("/etc/systemd/system/{unit}")).exists() {
            call("systemctl", &["disable", "--now", "--quiet", unit])?;
        }
    }
    for path in FILES.iter().map(|(path, _)| *path).chain([PROGRAM]) {
        place.remove(path)?;
    }
    if place.starts {
        call("systemctl", &["daemon-reload"])?;
    }
    let mut out = stdout();
    if args.purge {
        KEPT.iter().try_for_each(|path| place.remove(path))?;
        if place.starts && fs::read_to_string("/etc/passwd").is_ok_and(|users| users.contains("\nconnmon:")) {
            call("userdel", &["connmon"])?;
        }
        writeln!(out, "removed: the service, its configuration, its store and its user")?;
    } else {
        writeln!(out, "removed: the service; {} stay", KEPT[..2].join(" and "))?;
    }
    done(out, None)
}

/// Where files go.
struct Place {
    root: PathBuf,
    /// It is this system, not an image, so the service is started and stopped.
    starts: bool,
}

impl Place {
    fn for_target(target: &ServiceFiles) -> Result<Self, ServiceError> {
        let place =
            Self { root: target.root.clone().unwrap_or_else(|| "/".into()), starts: target.root.is_none() };
        if let Some(unit) = UNITS_OF_PACKAGES.iter().find(|unit| place.at(unit).exists()) {
            return Err(ServiceError::Packaged((*unit).to_owned()));
        }
        if place.starts && !Path::new("/run/systemd/system").is_dir() {
            return Err(ServiceError::NoSystemd);
        }
        Ok(place)
    }

    /// A path of the system, in its place.
    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    fn write(&self, path: &str, bytes: &[u8], mode: u32) -> Result<(), ServiceError> {
        let path = self.at(path);
        let written = (|| {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            files::replace(&path, |out| out.write_all(bytes))?;
            fs::set_permissions(&path, PermissionsExt::from_mode(mode))
        })();
        written.map_err(|error| ServiceError::File(path.display().to_string(), error))
    }

    /// Removes a file or a folder, if it is there.
    fn remove(&self, path: &str) -> Result<(), ServiceError> {
        let path = self.at(path);
        let removed = match fs::symlink_metadata(&path) {
            Ok(found) if found.is_dir() => fs::remove_dir_all(&path),
            Ok(_) => fs::remove_file(&path),
            Err(error) => Err(error),
        };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(ServiceError::File(path.display().to_string(), error))
            }
            _ => Ok(()),
        }
    }
}

/// Runs one of systemd's programs.
fn call(program: &str, args: &[&str]) -> Result<(), ServiceError> {
    let line = || format!("{program} {}", args.join(" "));
    let output = Command::new(program).args(args).output();
    let output = output.map_err(|error| ServiceError::Program(line(), error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = display_safe(said.lines().next_back().unwrap_or("it does not say why")).into_owned();
    Err(ServiceError::Program(line(), said))
}

/// Bytes of a store with its log.
fn size_of(db: &Path) -> u64 {
    let beside = |ending: &str| {
        let mut name = db.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    let size = |path: PathBuf| fs::metadata(path).map_or(0, |file| file.size());
    ["", "-wal"].into_iter().map(beside).map(size).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(root: &Path) -> ServiceFiles {
        ServiceFiles { root: Some(root.to_owned()) }
    }

    /// Every file below a folder.
    fn files_below(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> =
            entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect();
        files.sort();
        files
    }

    #[test]
    fn what_is_installed_is_removed_again() {
        let root = tempfile::tempdir().unwrap();
        install(&on(root.path())).unwrap();
        let unit = fs::read_to_string(root.path().join("etc/systemd/system/connmon.service")).unwrap();
        assert!(
            unit.contains("ExecStart=/usr/local/bin/connmon record") && !unit.contains("/usr/bin/connmon")
        );
        let mode = |path: &str| fs::metadata(root.path().join(path)).unwrap().mode() & 0o777;
        assert_eq!((mode("usr/local/bin/connmon"), mode("etc/connmon/config.toml")), (0o755, 0o644));
        let config = root.path().join("etc/connmon/config.toml");
        fs::write(&config, "db = 'mine.db'\n").unwrap();
        install(&on(root.path())).unwrap();
        assert_eq!(fs::read_to_string(&config).unwrap(), "db = 'mine.db'\n", "an administrator's stays");
        uninstall(&Uninstall { files: on(root.path()), purge: false }).unwrap();
        assert_eq!(files_below(root.path()), [config]);
        uninstall(&Uninstall { files: on(root.path()), purge: true }).unwrap();
        assert!(files_below(root.path()).is_empty());
    }

    #[test]
    fn a_package_is_not_disturbed() {
        let root = tempfile::tempdir().unwrap();
        let unit = root.path().join("usr/lib/systemd/system/connmon.service");
        fs::create_dir_all(unit.parent().unwrap()).unwrap();
        fs::write(&unit, "").unwrap();
        let refused = install(&on(root.path())).unwrap_err().to_string();
        assert!(refused.contains("installed from a package"), "{refused}");
        assert!(uninstall(&Uninstall { files: on(root.path()), purge: true }).is_err());
        assert_eq!(files_below(root.path()), [unit]);
    }
}
