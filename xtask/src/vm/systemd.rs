//! connmon as an administrator has it: a Debian with systemd in QEMU, the package installed by dpkg, and what happens to a
//! recorder in years, in minutes: restarts, `kill -9`, a full disk, a clock that is set, an upgrade, and the end.
//!
//! `tests/tests/systemd` is what runs inside. The guest is started again, with the same disk, as often as that says.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::debian;
use super::guest::MARK;
use super::initramfs::{self, Programs};
use super::kernels::Kernel;
use super::qemu::{Guest, Qemu};
use crate::{dist, workspace};

/// The guest's clock when it is switched on for the first, the second time: never the end of an hour.
const CLOCKS: [&str; 3] = ["2030-05-17T10:05:00", "2030-05-17T10:20:00", "2030-05-17T12:05:00"];
/// How long one time may take.
const LIMIT: Duration = Duration::from_secs(20 * 60);
/// The packages of the version before and of the one after.
const PACKAGES: [(&str, &str); 2] = [("old.deb", "0.0.1"), ("new.deb", "9.0.0")];

/// The steps that fit into a few minutes.
pub const SHORT: [&str; 7] = ["install", "confined", "kill -9", "whole", "alerts", "remove", "purge"];

/// Plays these steps, or all.
pub fn run(kernel: &Kernel, programs: &Programs, qemu: &Qemu, steps: &[String]) -> Result<()> {
    let started = Instant::now();
    let dir = workspace::vm_dir().join("systemd");
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    // The version after is of use only to whoever upgrades.
    let upgrades = steps.is_empty() || steps.iter().any(|step| step == "upgrade");
    let wanted = PACKAGES.iter().take(if upgrades { 2 } else { 1 });
    let packages = wanted.map(|(name, version)| {
        let package = dist::package(&programs.service, version, &dir.join(version))?;
        Ok((*name, std::fs::read(package)?))
    });
    let packages: Vec<_> = packages.collect::<Result<_>>()?;
    let (initrd, disk) = (dir.join("guest.cpio"), dir.join("disk.img"));
    initramfs::pack_system(kernel, &init(steps), programs, &packages, &initrd)?;
    std::fs::copy(debian::image()?, &disk).context("cannot copy the disk")?;
    for (time, clock) in CLOCKS.iter().enumerate() {
        let log = dir.join(format!("{}.log", time + 1));
        eprintln!("systemd, start {}: output in {}", time + 1, workspace::shown(&log));
        let guest = Guest { kernel: &kernel.vmlinuz, initrd: &initrd, log: &log, disk: Some((&disk, clock)) };
        let ended = qemu.run(&guest, LIMIT);
        let said = String::from_utf8_lossy(&std::fs::read(&log)?).replace('\r', "");
        let steps: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix(MARK)).collect();
        steps.iter().for_each(|step| println!("{step}"));
        match steps.last().map(|step| step.trim()) {
            Some("done") => {
                println!("all of it: {} s", started.elapsed().as_secs());
                return Ok(std::fs::remove_file(disk)?);
            }
            Some("again") => ended?,
            _ => bail!("the guest with systemd failed ({ended:?})\n{}", end_of(&said)),
        }
    }
    bail!("the guest with systemd wants to be started once more")
}

/// The last lines.
fn end_of(said: &str) -> String {
    const LINES: usize = 120;
    let lines: Vec<&str> = said.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

/// The first program: brings the disk, puts the test on it, and hands over to systemd.
fn init(steps: &[String]) -> String {
    let steps = match steps {
        [] => String::new(),
        named => format!("Environment=\"E2E_STEPS={}\"\n", named.join(",")),
    };
    format!(
        r#"#!/bin/busybox sh
# Written by `cargo xtask vm --systemd`.
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
for module in /disk/*.ko /modules/*.ko; do
    [ ! -e "$module" ] || insmod "$module" || echo "cannot load $module"
done
mkdir -p /system
mount -t ext4 /dev/vda /system || poweroff -f
if [ ! -d /system/opt/test ]; then
    # Whoever unpacked the packages was not root.
    chown -Rh 0:0 /system
    mkdir -p /system/opt/test
    cp /test/* /system/opt/test/
    cat > /system/etc/systemd/system/scenario.service <<END
[Unit]
Description=Test
[Service]
ExecStart=/opt/test/systemd
Environment=VM=1 NO_COLOR=1 CONNMON_BIN=/usr/bin/connmon TRAFFIC_BIN=/opt/test/traffic
{steps}WorkingDirectory=/opt/test
StandardOutput=file:/dev/ttyS0
StandardError=inherit
LimitNOFILE=65536
END
    mkdir -p /system/etc/systemd/system/multi-user.target.wants
    ln -s ../scenario.service /system/etc/systemd/system/multi-user.target.wants/
fi
umount /proc /sys
mount --move /dev /system/dev
exec switch_root /system /usr/lib/systemd/systemd
"#
    )
}
