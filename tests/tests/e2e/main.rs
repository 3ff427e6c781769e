//! End to end: connmon records real traffic, and its record equals the truth to the byte.
//!
//! One recorder sees all the plain cases; each of them is a test of its own that looks at its part of the export.
//! `CONNMON_BACKEND` chooses the backend, `CONNMON_BIN` and `TRAFFIC_BIN` the programs, `VM` makes the load smaller,
//! `ZOO_TIMES` plays each case more than once, `E2E_LONG` makes storms three times as large. In a guest, `E2E_PART=backend` plays the
//! cases only, `E2E_PART=kernel` what a kernel makes a difference to as well, and `E2E_PART=oldest` also what only a guest can be asked
//! for. `E2E_PART=disturbed` plays what others on the host can disturb beside a neighbour with traffic and a recorder of its own, and then
//! the rest. At the end, one line a case says how well it is covered.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use connmon_tests::harness::groups::GroupKind;
use connmon_tests::harness::neighbour::Neighbour;
use connmon_tests::harness::programs::in_vm;
use connmon_tests::sys::netlink::Netlink;
use libtest_mimic::{Arguments, Failed, Trial};

mod bad_input;
mod budget;
mod clock;
mod crash;
mod datagrams;
mod diverted;
mod edges;
mod fairness;
mod faults;
mod held;
mod identity;
mod live;
mod load;
mod missed;
mod names;
mod programs;
mod replay;
mod report;
mod retention;
mod rights;
mod scenes;
mod screen;
mod service;
mod session;
mod storms;
mod timing;
mod translated;
mod wire;

use held::Held;
use scenes::{Play, Scenes};
use session::Session;
use timing::Timing;

fn main() {
    if let Some(result) = screen::panics() {
        return result.expect("a screen");
    }
    // A recorder leaves a signal ignored that whoever started it ignores, as nohup(1) does; ours are to end by it however this
    // program was started.
    // SAFETY: no handler, so nothing of ours runs within a signal.
    unsafe { libc::signal(libc::SIGHUP, libc::SIG_DFL) };
    let mut args = Arguments::from_args();
    // storms must not meet: they count on the machine being theirs
    args.test_threads.get_or_insert(1);
    if in_vm()
        && let Err(error) = Netlink::open().and_then(|netlink| netlink.loopback_up())
    {
        eprintln!("e2e: cannot bring lo up: {error}"); // nobody else does in an initramfs
    }
    let mut wanted = Vec::new();
    let mut trials = Vec::new();
    let (held, scenes) = (Arc::new(Held::default()), Arc::new(Scenes::default()));
    let shared = Arc::new(match in_vm() {
        true => Session::with(Arc::clone(&held), Arc::clone(&scenes)),
        false => Session::default(),
    });
    // In a guest all of them are recorded together.
    let together = |session: &Session| if in_vm() { session.recorded().map(drop) } else { Ok(()) };
    let coverage = Coverage::default();
    let timing = Timing::default();
    let trial = |name: &str, test: fn() -> Result<()>| timed(name, &timing, test);
    for case in connmon_tests::cases::all() {
        for id in case.families.iter().map(|&family| case.id(family)) {
            let name = format!("{}::{id}", if case.hold { "held" } else { "case" });
            if selected(&args, &name) {
                wanted.push((id.clone(), case.hold));
            }
            if case.hold {
                let (held, shared) = (Arc::clone(&held), Arc::clone(&shared));
                trials.push(covering(&name, &coverage, &timing, move || {
                    together(&shared)?;
                    held.judge(&id)
                }));
            } else {
                let shared = Arc::clone(&shared);
                trials.push(covering(&name, &coverage, &timing, move || shared.judge(&id)));
            }
        }
    }
    shared.want(wanted.iter().filter(|(_, hold)| !hold).map(|(id, _)| id.clone()).collect());
    held.want(wanted.into_iter().filter(|&(_, hold)| hold).map(|(id, _)| id).collect());

    let of = |name: &str, test: fn(&Session) -> Result<()>| {
        let shared = Arc::clone(&shared);
        timed(name, &timing, move || test(&shared))
    };
    let scene = |name: &'static str, play: Play| {
        if selected(&args, name) {
            scenes.want(name, play);
        }
        let (scenes, shared) = (Arc::clone(&scenes), Arc::clone(&shared));
        timed(name, &timing, move || {
            together(&shared)?;
            scenes.judge(name, play)
        })
    };
    trials.extend([
        of("audit::bytes", Session::audit_equals_truth),
        of("audit::complete", Session::nothing_lost),
        of("audit::interfaces", Session::interfaces_count),
    ]);
    // These ask a store of which each record has been compared by then, which emulated processors take minutes for.
    let answers = vec![
        of("audit::by-exe", |session| session.groups_equal_truth(GroupKind::Exe)),
        of("audit::by-port", |session| session.groups_equal_truth(GroupKind::Port)),
        of("audit::by-remote", |session| session.groups_equal_truth(GroupKind::Remote)),
        of("export::complete", Session::export_is_complete),
        of("report::self-contained", report::self_contained),
    ];
    // How each backend counts is seen in the cases above. Each backend is the first of some kernel.
    let once_per_kernel = vec![
        scene("wire::counted", wire::counted),
        scene("diverted::sockmap", diverted::sockmap),
        scene("diverted::detour", diverted::detour),
        scene("translated", translated::ends_are_the_sockets),
        scene("datagrams::unasked", datagrams::unasked),
        scene("names::said-and-asked", names::said_and_asked),
        scene("names::odd", names::odd),
        scene("budget", budget::few_runs),
        scene("load", load::nothing_is_lost),
        scene("storm::open", storms::open),
        scene("storm::remotes", storms::remotes),
        scene("storm::processes", storms::processes),
        trial("edges", edges::exact_or_labelled),
        trial("missed::both", missed::both),
    ];
    let same_for_all = vec![
        // Who may have how much room, and what is counted where there is none, is decided behind the hooks of all backends.
        trial("edges::late", edges::late),
        trial("names::without-wire", names::without_wire),
        trial("missed::ends", missed::ends),
        trial("missed::beginnings", missed::beginnings),
        trial("load-small::ring", load::small_ring),
        trial("datagrams::idle", datagrams::idle),
        trial("load-small::maps", load::small_maps),
        trial("datagrams::greedy", datagrams::greedy),
        trial("fairness", fairness::only_the_greedy_are_aggregated),
        trial("storm::churn", storms::churn),
        trial("report::hostile-names", report::hostile_names),
        of("bad-input::store", bad_input::store),
        of("bad-input::arguments", bad_input::arguments),
        of("bad-input::records", bad_input::records),
        trial("wire::switched-off", wire::switched_off),
        trial("rights", rights::least),
        trial("rights::hostile", rights::hostile),
        trial("identity::deleted", identity::deleted),
        trial("identity::memfd", identity::memfd),
        trial("identity::container", identity::container),
        trial("identity::ancestors", identity::ancestors),
        trial("identity::twins", identity::twins),
        trial("names::over-tcp", names::over_tcp),
        trial("names::switched-off", names::switched_off),
        trial("names::reverse", names::reverse),
        trial("live::scroll-equals-store", live::scroll_equals_store),
        trial("live::strangers", live::strangers),
        trial("live::sleepers", live::sleepers),
        trial("live::by-itself", live::by_itself),
        trial("live::pipes", live::pipes),
        trial("live::hang-up", live::hang_up),
        trial("replay", replay::equals_live),
        trial("load-small::paused", load::paused),
        trial("storm::stopped", storms::stopped),
        trial("retention", retention::sums_stay),
        trial("crash", crash::loses_only_the_last_moment),
    ];
    // What cannot be done to a host: its clock is not ours to set, nor how its sockets belong to control groups, for good. Played after
    // the other scenes, as it is wanted last.
    let only_in_guests = if in_vm() {
        vec![
            scene("wire::net_cls", wire::net_cls),
            trial("clock::set", clock::set),
            trial("clock::unset", clock::unset),
        ]
    } else {
        Vec::new()
    };
    let (is_all, is_oldest) = (!in_vm() || part_is("all"), part_is("oldest"));
    for (tests, runs, with) in [
        (answers, is_all || is_oldest, "the first backend of the oldest kernel"),
        (once_per_kernel, is_all || is_oldest || part_is("kernel"), "the first backend of each kernel"),
        (only_in_guests, is_all || is_oldest, "the first backend of the oldest kernel"),
        (same_for_all, is_all, "the kernel of this host, and in guests with --all"),
    ] {
        if runs {
            trials.extend(tests);
        } else {
            tests.iter().for_each(|test| scenes.forget(test.name()));
            println!("{} tests run with {with}", tests.len());
        }
    }
    if !in_vm() {
        // A guest has no programs but the tests' own.
        trials.push(trial("service", service::like_the_unit));
        trials.push(trial("programs::real", programs::real));
        trials.push(trial("identity::overlay", identity::overlay));
        trials.push(trial("live::screen", screen::screen));
        trials.push(trial("faults::store", faults::store));
        trials.push(trial("faults::io-errors", faults::io_errors));
        trials.push(trial("faults::full", faults::full));
        trials.push(trial("faults::stderr", faults::stderr));
        trials.push(trial("faults::limits", faults::limits));
        trials.push(trial("faults::descriptors", faults::descriptors));
    }
    let is_disturbed = |trial: &Trial| DISTURBED.iter().any(|name| trial.name().starts_with(name));
    let (first, rest): (Vec<_>, Vec<_>) =
        trials.into_iter().partition(|trial| part_is("disturbed") && is_disturbed(trial));
    let disturbed = (!first.is_empty()).then(|| {
        let neighbour = Neighbour::start().expect("a neighbour");
        let conclusion = libtest_mimic::run(&args, first);
        println!("the neighbour made {} connections", neighbour.stop().expect("the neighbour"));
        conclusion
    });
    let conclusion = libtest_mimic::run(&args, rest);
    coverage.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(|line| println!("{line}"));
    timing.print();
    drop((shared, held, scenes)); // `exit` runs no destructors, and the shared recording has a folder
    disturbed.inspect(libtest_mimic::Conclusion::exit_if_failed);
    conclusion.exit()
}

/// What others on the host can disturb, or could if it did not allow for them: the counters of losses are the whole host's, and so are the processors.
const DISTURBED: [&str; 8] = [
    "case::",
    "held::",
    "load-small::",
    "storm::open",
    "storm::stopped",
    "live::scroll",
    "live::strangers",
    "live::sleepers",
];

/// Whether only a part of the tests is wanted.
fn part_is(name: &str) -> bool {
    std::env::var_os("E2E_PART").is_some_and(|part| part == name)
}

/// A line for each case whose record is right; printed at the end, where no test's own output is in the way.
type Coverage = Arc<Mutex<Vec<String>>>;

/// A test that leaves such a line.
fn covering(
    name: &str,
    coverage: &Coverage,
    timing: &Timing,
    test: impl FnOnce() -> Result<String> + Send + 'static,
) -> Trial {
    let coverage = Arc::clone(coverage);
    timed(name, timing, move || {
        let line = test()?;
        coverage.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        Ok(())
    })
}

/// A test whose time is noted.
fn timed(name: &str, timing: &Timing, test: impl FnOnce() -> Result<()> + Send + 'static) -> Trial {
    let (timing, of) = (timing.clone(), name.to_owned());
    Trial::test(name, move || timing.measure(&of, test).map_err(|error| Failed::from(format!("{error:#}"))))
}

/// Whether this run includes a test: only its traffic is made.
fn selected(args: &Arguments, name: &str) -> bool {
    let fits = |filter: &String| if args.exact { name == filter } else { name.contains(filter.as_str()) };
    args.filter.as_ref().is_none_or(fits) && !args.skip.iter().any(fits)
}
