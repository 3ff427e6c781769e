//! `cargo xtask vm`: the end-to-end test inside QEMU, on Debian kernels from 5.10 on, with each backend that a
//! kernel allows.
//!
//! With `--systemd`, the service in a guest with systemd instead.
//!
//! [`archive`] fetches kernels, [`modules`] picks the modules, [`initramfs`] packs the guest, [`guest`] is what
//! runs inside and how its output reads, [`qemu`] runs it. [`debian`] makes the
//! disk of the guest with systemd, [`systemd`] plays what happens to a service.

mod archive;
mod cpio;
mod debian;
mod guest;
mod initramfs;
mod kernels;
mod modules;
mod qemu;
mod series;
mod systemd;

use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::apt::{self, Need};
use crate::{coverage, setup, sh, table, timing, workspace};
use guest::Backend;
use kernels::Kernel;
use qemu::{Accel, Guest, Qemu, Stopped};
use series::Series;

/// What to run where.
#[derive(Debug, Default, clap::Args)]
pub struct Args {
    /// Only this kernel, e.g. 6.1 (may be given more than once)
    #[arg(long, value_name = "VERSION")]
    kernel: Vec<Series>,
    /// Only this backend (may be given more than once)
    #[arg(long, value_name = "BACKEND")]
    backend: Vec<Backend>,
    /// Minutes after which a guest is stopped [default: 35]
    #[arg(long, value_name = "MINUTES")]
    timeout: Option<u64>,
    /// How often each case of the traffic zoo is played [default: 1]
    #[arg(long, value_name = "N")]
    times: Option<usize>,
    /// Every test with every backend on every kernel, and not only where it can make a difference
    #[arg(long)]
    all: bool,
    /// The service, installed from its package, in a guest with systemd, instead of the matrix
    #[arg(long, conflicts_with_all = ["backend", "times", "timeout"])]
    systemd: bool,
    /// The service in short beside the matrix, as a guest of its own
    #[arg(long, conflicts_with = "systemd")]
    with_service: bool,
    /// Arguments for the end-to-end test; with `--systemd`, the steps to play (install is the first)
    #[arg(last = true)]
    e2e: Vec<String>,
}

impl Args {
    /// The service in a guest with systemd, through everything.
    pub fn systemd() -> Self {
        Self { systemd: true, ..Self::default() }
    }

    /// Everything, however long it takes.
    pub fn all() -> Self {
        Self { all: true, timeout: Some(180), ..Self::default() }
    }
}

/// How many of the kernels must have been tested for the matrix to mean anything.
const ENOUGH: usize = 3;
/// Guests at a time: each has two virtual CPUs.
const AT_A_TIME: usize = 2;

/// `cargo xtask vm`.
pub fn run(args: &Args) -> Result<()> {
    setup::ensure()?;
    let needs = [("busybox", "busybox-static"), ("dpkg", "dpkg")];
    apt::programs(&needs.map(|(program, package)| Need { program, package }), "the kernel matrix")?;
    let qemu = Qemu::find()?;

    let wanted: Vec<Series> = Series::ALL
        .into_iter()
        .filter(|series| {
            let default = args.kernel.is_empty() && (!args.systemd || *series == Series::V6_12);
            default || args.kernel.contains(series)
        })
        .collect();
    let (kernels, untested) = kernels::fetch(&wanted)?;
    if args.systemd || args.with_service {
        apt::programs(&[Need { program: "mke2fs", package: "e2fsprogs" }], "the guest with systemd")?;
        debian::image()?;
    }
    let programs = initramfs::Programs::build()?;
    if let Some(newest) = kernels.last() {
        try_kvm(newest, &programs, &qemu)?;
    }
    if args.systemd {
        let kernel = kernels.first().context(NO_KERNEL)?;
        return systemd::run(kernel, &programs, &qemu, &args.e2e);
    }
    eprintln!("{} kernels, QEMU with {}", kernels.len(), qemu.accel());

    let reports = Mutex::new(Vec::new());
    // What no backend makes a difference to runs on this host too; the kernel that differs most from it is enough beside it.
    let oldest = kernels.first().map(|kernel| kernel.series);
    // The longest first: the oldest runs what no kernel changes as well, and a kernel that preempts programs gets several copies
    // of each.
    let service = args.with_service.then_some(Job::Service);
    let queue = kernels.iter().take(1).chain(kernels.iter().skip(1).rev()).map(Job::Matrix).chain(service);
    let queue = Mutex::new(queue);
    let of_service = Mutex::new(Ok(()));
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(job) = queue.lock().ok().and_then(|mut queue| queue.next()) {
                    let Job::Matrix(kernel) = job else {
                        let ended = service_in_short(&kernels, &programs, &qemu);
                        if let Ok(mut result) = of_service.lock() {
                            *result = ended;
                        }
                        continue;
                    };
                    let run = Run {
                        kernel,
                        whole: oldest == Some(kernel.series),
                        args,
                        programs: &programs,
                        qemu: &qemu,
                    };
                    let rows = run.test();
                    if let Ok(mut reports) = reports.lock() {
                        reports.push((kernel.series, rows));
                    }
                }
            });
        }
    });
    let mut reports = reports.into_inner().unwrap_or_default();
    reports.sort_by_key(|(series, _)| *series);

    let mut rows = vec![["kernel", "backend", "result", "tests", "time"].map(str::to_owned).to_vec()];
    rows.extend(reports.iter().flat_map(|(_, rows)| rows.iter().map(Row::cells)));
    rows.extend(untested.iter().map(|(series, why)| {
        vec![series.to_string(), "-".to_owned(), format!("untested: {why}"), String::new(), String::new()]
    }));
    println!("\n{}", table::render(&rows));
    let outputs = reports.iter().flat_map(|(_, rows)| rows).map(|row| row.output.as_str());
    println!("all guests together, by test:\n{}", timing::slowest(outputs));

    let failed = reports.iter().flat_map(|(_, rows)| rows).filter(|row| row.failure.is_some()).count();
    let why = reports.iter().flat_map(|(_, rows)| rows).map(|row| row.told.as_str()).collect::<String>();
    let service = of_service.into_inner().unwrap_or_else(|_| Ok(())).context("the service in short failed");
    ensure!(failed == 0, "{failed} of the kernel matrix's runs failed\n{why}{}", wrong(&service));
    service?;
    let tested = reports.iter().filter(|(_, rows)| !rows.is_empty()).count();
    if args.kernel.is_empty() && args.backend.is_empty() && tested < ENOUGH {
        bail!("only {tested} kernels were tested, at least {ENOUGH} are needed");
    }
    ensure!(tested > 0, "nothing was tested: no kernel of the matrix has what was asked for");
    Ok(())
}

/// What a guest is started for.
enum Job<'a> {
    /// The end-to-end test.
    Matrix(&'a Kernel),
    /// The service, in short.
    Service,
}

/// Why there can be no service.
const NO_KERNEL: &str = "there is no kernel for the guest with systemd";

/// The service through what happens first and what happens last.
fn service_in_short(kernels: &[Kernel], programs: &initramfs::Programs, qemu: &Qemu) -> Result<()> {
    let kernel = kernels.iter().find(|kernel| kernel.series == Series::V6_12).context(NO_KERNEL)?;
    systemd::run(kernel, programs, qemu, &systemd::SHORT.map(str::to_owned))
}

/// What went wrong, if anything did.
fn wrong(result: &Result<()>) -> String {
    result.as_ref().err().map_or_else(String::new, |error| format!("{error:#}\n"))
}

/// A line of the table: one backend on one kernel.
struct Row {
    kernel: String,
    backend: Backend,
    failure: Option<String>,
    /// What the test program said of its failures.
    told: String,
    /// All that it said.
    output: String,
    passed: u64,
    seconds: u64,
    /// It ended at the second try: at the first the guest had a double fault.
    again: bool,
}

impl Row {
    fn cells(&self) -> Vec<String> {
        let ok = if self.again { "ok at the second try, after a double fault" } else { "ok" };
        let result = self.failure.as_ref().map_or(ok.to_owned(), |why| format!("FAILED: {why}"));
        let (passed, time) = (self.passed.to_string(), format!("{} s", self.seconds));
        vec![self.kernel.clone(), self.backend.to_string(), result, passed, time]
    }
}

/// One kernel's part of the matrix.
struct Run<'a> {
    kernel: &'a Kernel,
    /// Whether what no backend makes a difference to is tested here.
    whole: bool,
    args: &'a Args,
    programs: &'a initramfs::Programs,
    qemu: &'a Qemu,
}

impl Run<'_> {
    /// Boots one kernel, runs each backend in it, and prints what failed.
    fn test(&self) -> Vec<Row> {
        let Self { kernel, args, qemu, .. } = self;
        let allowed = kernel.series.backends().iter().copied();
        let backends: Vec<_> =
            allowed.filter(|backend| args.backend.is_empty() || args.backend.contains(backend)).collect();
        if backends.is_empty() {
            return Vec::new();
        }
        let row = |backend, outcome: guest::Outcome, told, again| {
            let kernel = kernel.release.clone();
            let guest::Outcome { failure, passed, seconds, output, .. } = outcome;
            Row { kernel, backend, failure, told, output, passed, seconds, again }
        };
        let unbooted = |error: anyhow::Error| {
            eprintln!("{}: {error:#}", kernel.release);
            let why = format!("{error:#}");
            backends
                .iter()
                .map(|&backend| row(backend, guest::Outcome::failed(why.clone()), String::new(), false))
                .collect()
        };
        let first = match self.boot(&backends) {
            Ok(log) => log,
            Err(error) => return unbooted(error),
        };
        let mut results: Vec<_> =
            backends.iter().map(|&backend| (backend, guest::result(&first, backend), false)).collect();
        // Emulation has faults of its own, rarely: once more, said loudly. Any other panic is a failure, and so is a second one.
        if let (Accel::Tcg, Some(panic)) = (qemu.accel(), guest::double_fault(&first)) {
            eprintln!("{}: a double fault under emulation, a second try:\n{panic}", kernel.release);
            let unended = results.iter_mut().filter(|(_, result, _)| !result.ended);
            let unended: Vec<_> = unended.collect();
            let left: Vec<Backend> = unended.iter().map(|(backend, ..)| *backend).collect();
            let second = match self.boot(&left) {
                Ok(log) => log,
                Err(error) => return unbooted(error),
            };
            for one in unended {
                (one.1, one.2) = (guest::result(&second, one.0), true);
            }
        }
        for (_, result, _) in results.iter().filter(|(_, r, _)| r.failure.is_none() && args.e2e.is_empty()) {
            if let Err(error) = coverage::keep(&result.output) {
                eprintln!("{}: {error:#}", kernel.release);
            }
        }
        let told = |backend, result: &guest::Outcome| match result.failure {
            Some(_) => format!("--- {} {backend}: output\n{}\n", kernel.release, sh::told(&result.output)),
            None => String::new(),
        };
        let rows = results.into_iter().map(|(backend, result, again)| {
            let told = told(backend, &result);
            let (passed, time) = (result.passed, result.seconds);
            let verdict = result.failure.as_deref().unwrap_or("ok");
            eprintln!("{told}{} {backend}: {verdict}, {passed} tests passed, {time} s", kernel.release);
            row(backend, result, told, again)
        });
        rows.collect()
    }

    /// Runs the guest to its end, and returns what it printed.
    fn boot(&self, backends: &[Backend]) -> Result<String> {
        let Self { kernel, args, programs, qemu, .. } = self;
        let dir = workspace::vm_dir();
        let (guests, logs) = (dir.join("guests"), dir.join("logs"));
        for folder in [&guests, &logs] {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let initrd = guests.join(format!("{}.cpio", kernel.release));
        let log = logs.join(format!("{}.log", kernel.release));
        // Who names tests wants them everywhere.
        let parts = match (args.all || !args.e2e.is_empty(), self.whole) {
            (true, _) => guest::Parts { first: "all", rest: "all" },
            (false, true) => guest::Parts { first: "all", rest: "backend" },
            (false, false) => guest::Parts { first: "kernel", rest: "backend" },
        };
        let init = guest::init(&kernel.release, backends, parts, args.times.unwrap_or(1), &args.e2e);
        initramfs::pack(kernel, &init, programs, &initrd)?;
        eprintln!("{}: booting, output in {}", kernel.release, workspace::shown(&log));
        let limit = Duration::from_secs(60 * args.timeout.unwrap_or(35));
        let guest = Guest { kernel: &kernel.vmlinuz, initrd: &initrd, log: &log, disk: None };
        let mut ended = qemu.run(&guest, limit);
        if let Err(Stopped::Kvm(why)) = &ended {
            eprintln!(
                "{}: KVM FAILED, this guest begins again and all are emulated now: {why}",
                kernel.release
            );
            qemu.give_kvm_up(&accel_memory());
            ended = qemu.run(&guest, limit);
        }
        if let Err(Stopped::Io(error)) = ended {
            return Err(error).context("QEMU cannot be run");
        }
        let bytes = std::fs::read(&log).with_context(|| format!("cannot read {}", log.display()))?;
        let mut text = String::from_utf8_lossy(&bytes).replace('\r', "");
        if let Err(error) = ended {
            text.push_str(&format!("\n{}{error}\n", guest::STOPPED));
        }
        Ok(text)
    }
}

/// Lets guests run under KVM if a kernel reaches user space there.
fn try_kvm(kernel: &Kernel, programs: &initramfs::Programs, qemu: &Qemu) -> Result<()> {
    let dir = workspace::vm_dir();
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let (initrd, log) = (dir.join("probe.cpio"), dir.join("probe.log"));
    initramfs::pack_probe(&guest::probe(), programs, &initrd)?;
    let guest = Guest { kernel: &kernel.vmlinuz, initrd: &initrd, log: &log, disk: None };
    qemu.prefer_kvm(&guest, guest::MARK, &accel_memory());
    Ok(())
}

/// Where it is remembered whether KVM works on this machine.
fn accel_memory() -> std::path::PathBuf {
    workspace::vm_dir().join("accel")
}
