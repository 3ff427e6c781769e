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

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::apt::{self, Need};
use crate::{coverage, setup, sh, table, timing, workspace};
use guest::{Backend, Part};
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

    /// The matrix where it can make a difference, and the service in short.
    pub fn short() -> Self {
        Self { with_service: true, ..Self::default() }
    }

    /// Everything, however long it takes.
    pub fn all() -> Self {
        Self { all: true, timeout: Some(180), ..Self::default() }
    }
}

/// How many of the kernels must have been tested for the matrix to mean anything.
const ENOUGH: usize = 3;
/// Guests at a time: one more than there are processors, because each is one thread of QEMU, which sleeps for a third of the time.
/// Each has a gigabyte and a half.
fn at_a_time() -> usize {
    std::thread::available_parallelism().map_or(2, |processors| processors.get() + 1)
}

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

    let jobs = Mutex::new(jobs(args, &kernels).into_iter());
    let (reports, of_service) = (Mutex::new(Vec::new()), Mutex::new(Ok(())));
    std::thread::scope(|scope| {
        for _ in 0..at_a_time() {
            scope.spawn(|| {
                while let Some(job) = jobs.lock().ok().and_then(|mut jobs| jobs.next()) {
                    match job {
                        Job::Service => {
                            let ended = service_in_short(&kernels, &programs, &qemu);
                            if let Ok(mut result) = of_service.lock() {
                                *result = ended;
                            }
                        }
                        Job::Matrix(unit) => {
                            let row = Run { unit, args, programs: &programs, qemu: &qemu }.test();
                            if let Ok(mut reports) = reports.lock() {
                                reports.push(row);
                            }
                        }
                    }
                }
            });
        }
    });
    let mut reports = reports.into_inner().unwrap_or_default();
    reports.sort_by_key(|row| row.unit);

    let mut rows =
        vec![["kernel", "backend", "tests", "result", "passed", "time"].map(str::to_owned).to_vec()];
    rows.extend(reports.iter().map(Row::cells));
    rows.extend(untested.iter().map(|(series, why)| {
        let untested = format!("untested: {why}");
        vec![series.to_string(), "-".to_owned(), String::new(), untested, String::new(), String::new()]
    }));
    println!("\n{}", table::render(&rows));
    let outputs = reports.iter().map(|row| row.output.as_str());
    println!("all guests together, by test:\n{}", timing::slowest(outputs));

    let failed = reports.iter().filter(|row| row.failure.is_some()).count();
    let why = reports.iter().map(|row| row.told.as_str()).collect::<String>();
    let service = of_service.into_inner().unwrap_or_else(|_| Ok(())).context("the service in short failed");
    ensure!(failed == 0, "{failed} of the kernel matrix's runs failed\n{why}{}", wrong(&service));
    service?;
    let tested: BTreeSet<Series> = reports.iter().map(|row| row.unit.series).collect();
    if args.kernel.is_empty() && args.backend.is_empty() && tested.len() < ENOUGH {
        bail!("only {} kernels were tested, at least {ENOUGH} are needed", tested.len());
    }
    ensure!(!tested.is_empty(), "nothing was tested: no kernel of the matrix has what was asked for");
    Ok(())
}

/// What is to be run, the longest first.
fn jobs<'a>(args: &Args, kernels: &'a [Kernel]) -> Vec<Job<'a>> {
    let mut units = Vec::new();
    for (place, kernel) in kernels.iter().enumerate() {
        let is_wanted = |backend: &&Backend| args.backend.is_empty() || args.backend.contains(backend);
        for (at, &backend) in kernel.series.backends().iter().filter(is_wanted).enumerate() {
            // Who names tests wants them everywhere.
            let part = match (place, at) {
                _ if args.all || !args.e2e.is_empty() => Part::All,
                (0, 0) => Part::Oldest,
                (_, 0) => Part::Kernel,
                _ => Part::Backend,
            };
            units.push((Unit { series: kernel.series, backend, part }, kernel));
        }
    }
    units.sort_by_key(|(unit, _)| unit.part);
    let service = args.with_service.then_some(Job::Service);
    units.into_iter().map(|(unit, kernel)| Job::Matrix((unit, kernel))).chain(service).collect()
}

/// What one guest runs: a part of the end-to-end test with one backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Unit {
    series: Series,
    backend: Backend,
    part: Part,
}

/// What a guest is started for.
enum Job<'a> {
    /// The end-to-end test.
    Matrix((Unit, &'a Kernel)),
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

/// A line of the table: one guest.
struct Row {
    unit: Unit,
    kernel: String,
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
        let Unit { backend, part, .. } = self.unit;
        vec![self.kernel.clone(), backend.to_string(), part.name().to_owned(), result, passed, time]
    }
}

/// One guest of the matrix.
struct Run<'a> {
    unit: (Unit, &'a Kernel),
    args: &'a Args,
    programs: &'a initramfs::Programs,
    qemu: &'a Qemu,
}

impl Run<'_> {
    /// Boots the kernel, runs the part in it, and prints what failed.
    fn test(&self) -> Row {
        let (unit, kernel) = self.unit;
        let (outcome, again) = self.outcome().unwrap_or_else(|error| {
            eprintln!("{}: {error:#}", self.name());
            (guest::Outcome::failed(format!("{error:#}")), false)
        });
        let guest::Outcome { failure, passed, seconds, output, .. } = outcome;
        if failure.is_none()
            && self.args.e2e.is_empty()
            && let Err(error) = coverage::keep(&output)
        {
            eprintln!("{}: {error:#}", self.name());
        }
        let told = match failure {
            Some(_) => format!("--- {}: output\n{}\n", self.name(), sh::told(&output)),
            None => String::new(),
        };
        let verdict = failure.as_deref().unwrap_or("ok");
        eprintln!("{told}{}: {verdict}, {passed} tests passed, {seconds} s", self.name());
        Row { unit, kernel: kernel.release.clone(), failure, told, output, passed, seconds, again }
    }

    /// What became of it, and whether only at the second try.
    fn outcome(&self) -> Result<(guest::Outcome, bool)> {
        let backend = self.unit.0.backend;
        let first = self.boot()?;
        let outcome = guest::result(&first, backend);
        // Emulation has faults of its own, rarely: once more, said loudly. Any other panic is a failure, and so is a second one.
        match (self.qemu.accel(), guest::double_fault(&first)) {
            (Accel::Tcg, Some(panic)) if !outcome.ended => {
                eprintln!("{}: a double fault under emulation, a second try:\n{panic}", self.name());
                Ok((guest::result(&self.boot()?, backend), true))
            }
            _ => Ok((outcome, false)),
        }
    }

    /// Runs the guest to its end, and returns what it printed.
    fn boot(&self) -> Result<String> {
        let Self { unit: (unit, kernel), args, programs, qemu } = self;
        let dir = workspace::vm_dir();
        let (guests, logs) = (dir.join("guests"), dir.join("logs"));
        for folder in [&guests, &logs] {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let name = format!("{}-{}-{}", kernel.release, unit.backend, unit.part.name());
        let (initrd, log) = (guests.join(format!("{name}.cpio")), logs.join(format!("{name}.log")));
        let init = guest::init(&kernel.release, unit.backend, unit.part, args.times.unwrap_or(1), &args.e2e);
        initramfs::pack(kernel, &init, programs, &initrd)?;
        eprintln!("{}: booting, output in {}", self.name(), workspace::shown(&log));
        let limit = Duration::from_secs(60 * args.timeout.unwrap_or(35));
        let guest = Guest { kernel: &kernel.vmlinuz, initrd: &initrd, log: &log, disk: None };
        let mut ended = qemu.run(&guest, limit);
        if let Err(Stopped::Kvm(why)) = &ended {
            eprintln!("{}: KVM FAILED, this guest begins again and all are emulated now: {why}", self.name());
            qemu.give_kvm_up(&accel_memory());
            ended = qemu.run(&guest, limit);
        }
        // Each has the programs in it.
        let _ = std::fs::remove_file(&initrd);
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

    fn name(&self) -> String {
        let (Unit { backend, part, .. }, kernel) = self.unit;
        format!("{} {backend}, {}", kernel.release, part.name())
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
