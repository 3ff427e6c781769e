//! Makes real traffic with many real processes and prints the truth about it as JSON, one object a line.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::{Args, Parser, Subcommand};
use connmon_tests::stage::{Hold, run_child};
use connmon_tests::storm::Storm;
use connmon_tests::truth::{Truth, disagreements};
use connmon_tests::visit::Visit;
use connmon_tests::{cases, demo, pace, storm};

#[derive(Parser)]
#[command(about, after_help = "Nothing leaves the machine: loopback and network namespaces of its own only.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Lists the cases.
    List,
    /// Runs cases, each with all its address families unless the name ends in one.
    Case(CaseArgs),
    /// About nine seconds of everyday traffic to servers all over a make-believe world.
    Demo,
    /// Many short TCP connections at full rate.
    Storm(StormArgs),
    /// Much at once.
    Crowd {
        /// Connections open at the same time, remotes of one UDP socket, or connections of a greedy user beside another one.
        kind: Crowd,
        /// How many.
        count: usize,
    },
    /// Bulk data at full rate for some seconds.
    Bulk {
        /// Connections at a time.
        #[arg(long, default_value_t = 1)]
        streams: usize,
        /// How long.
        #[arg(long, default_value_t = 3.0)]
        seconds: f64,
    },
    /// Connects, sends `hello`, and waits until the other side closes. For tests of who that was: further arguments are ignored.
    Hello {
        /// Whom to connect to.
        to: std::net::SocketAddr,
        /// What stands on the command line besides.
        #[arg(allow_hyphen_values = true)]
        rest: Vec<String>,
    },
    /// Asks a DNS server for a name, and visits it.
    Visit(Visit),
    /// Small UDP datagrams at full rate for some seconds.
    Packets {
        /// How long.
        #[arg(long, default_value_t = 3.0)]
        seconds: f64,
    },
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Crowd {
    Open,
    Spray,
    Greedy,
}

#[derive(Args)]
struct CaseArgs {
    /// Names as in `traffic list`, or `all`.
    #[arg(required = true)]
    names: Vec<String>,
    /// How often to run all of them.
    #[arg(long, default_value_t = 1)]
    repeat: usize,
    /// Cases that wait in the middle wait for a line, or the end, of standard input.
    #[arg(long)]
    hold: bool,
    /// ... or for this file to appear.
    #[arg(long, conflicts_with = "hold")]
    hold_file: Option<PathBuf>,
    /// Prints no truth, but checks that both ends of every connection agree.
    #[arg(long)]
    check: bool,
}

#[derive(Args)]
struct StormArgs {
    /// Connections in total.
    #[arg(long)]
    connections: usize,
    /// Client processes.
    #[arg(long)]
    processes: usize,
    /// Client processes at a time.
    #[arg(long, default_value_t = 64)]
    parallel: usize,
    /// Server processes.
    #[arg(long, default_value_t = 2)]
    servers: usize,
    /// Bytes of a request; an answer has twice as many.
    #[arg(long, default_value_t = 64)]
    bytes: usize,
    /// Lists every connection, not only the sums.
    #[arg(long)]
    list: bool,
    /// Takes place in a network namespace of its own.
    #[arg(long)]
    netns: bool,
    /// Connections a second of all clients together; 0 for as fast as they can.
    #[arg(long, default_value_t = 0)]
    rate: usize,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    if let [_, child, id, role, rest @ ..] = args.as_slice()
        && child == "child"
    {
        return run_child(id, role, rest, cases::find_role); // before anything that takes time: some of them live 5 ms
    }
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("traffic: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    match cli.command {
        Command::List => {
            for case in cases::all() {
                for &family in case.families {
                    println!("{:28} {}", case.id(family), case.about);
                }
            }
            Ok(())
        }
        Command::Case(args) => run_cases(&args),
        Command::Demo => demo::run(&mut print),
        Command::Crowd { kind: Crowd::Open, count } => storm::crowd::open(count, &mut print),
        Command::Crowd { kind: Crowd::Spray, count } => storm::crowd::spray(count, &mut print),
        Command::Crowd { kind: Crowd::Greedy, count } => storm::crowd::greedy(count, &mut print),
        Command::Hello { to, rest: _ } => hello(to),
        Command::Visit(visit) => {
            println!("{}", serde_json::to_string(&visit.make()?)?);
            Ok(())
        }
        Command::Bulk { streams, seconds } => print_pace(&pace::bulk(streams, length(seconds)?)?),
        Command::Packets { seconds } => print_pace(&pace::packets(length(seconds)?)?),
        Command::Storm(args) => {
            let StormArgs { connections, processes, parallel, servers, bytes, list, netns, rate } = args;
            storm::run(
                &Storm { connections, processes, parallel, servers, bytes, list, netns, rate },
                &mut print,
            )
        }
    }
}

fn length(seconds: f64) -> Result<Duration> {
    Ok(Duration::try_from_secs_f64(seconds)?)
}

fn print_pace(pace: &pace::Pace) -> Result<()> {
    println!("{}", serde_json::to_string(pace)?);
    Ok(())
}

fn print(truth: Truth) -> Result<()> {
    println!("{}", serde_json::to_string(&truth)?);
    Ok(())
}

fn run_cases(args: &CaseArgs) -> Result<()> {
    let all = cases::all();
    let mut runs = Vec::new();
    for name in &args.names {
        let found = match name.as_str() {
            "all" => all.iter().flat_map(|case| case.families.iter().map(move |&f| (case, f))).collect(),
            name => cases::find(&all, name),
        };
        if found.is_empty() {
            bail!("no case {name}; see `traffic list`");
        }
        runs.extend(found);
    }
    let hold = match &args.hold_file {
        Some(path) => Hold::File(path.clone()),
        None if args.hold => Hold::Stdin,
        None => Hold::Never,
    };
    let mut failures = 0;
    for (case, family) in runs.iter().copied().cycle().take(runs.len() * args.repeat) {
        let mut truths = Vec::new();
        let mut publish = |truth: Truth| {
            if !args.check {
                print(truth.clone())?;
            }
            truths.push(truth);
            Ok(())
        };
        let mut problems = match case.play(family, &hold, &mut publish) {
            Ok(()) => Vec::new(),
            Err(error) => vec![format!("{error:#}")],
        };
        problems.extend(truths.into_iter().reduce(Truth::merge).iter().flat_map(disagreements));
        failures += problems.len();
        problems.iter().for_each(|problem| eprintln!("traffic: {}: {problem}", case.id(family)));
    }
    if failures > 0 { bail!("{failures} problems") } else { Ok(()) }
}

fn hello(to: std::net::SocketAddr) -> Result<()> {
    use std::io::{Read, Write};

    let mut stream = std::net::TcpStream::connect(to)?;
    stream.write_all(b"hello")?;
    stream.read_to_end(&mut Vec::new())?;
    Ok(())
}
