//! Developer commands: `cargo xtask <command>`, one file a command.
//!
//! Everything that a fresh machine needs beyond Rust itself is brought by [`setup`]; the other commands call it.

mod apt;
mod bench;
mod build;
mod cargo;
mod coverage;
mod data;
mod demo;
mod dist;
mod e2e;
mod linker;
mod machine;
mod npm;
mod portable;
mod programs;
mod reader;
mod readers;
mod run;
mod scripts;
mod setup;
mod sh;
mod table;
mod test;
mod tidy;
mod timing;
mod vm;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Developer commands of connmon.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Bring what building for eBPF needs: a compiler with a `core` for BPF, and bpf-linker
    Setup,
    /// Build connmon
    Build(build::Args),
    /// Record real traffic for some seconds, then print the audit and say where the report lies
    Run(run::Args),
    /// Make a report of a made-up day, without root
    Demo,
    /// Run every test: tidy, reader, unit, scripts, readers, e2e, vm, systemd, coverage, browser
    Test(test::Args),
    /// Run the end-to-end test on the kernel matrix in QEMU
    Vm(vm::Args),
    /// Measure what recording costs (takes some minutes; as root)
    Bench(bench::Args),
    /// Play all cases of the traffic zoo many times: each time must end alike
    Zoo(e2e::Zoo),
    /// Compare docs/coverage.md with what was run last
    Coverage(coverage::Args),
    /// Check formatting, lints, licences and this project's own rules
    Tidy,
    /// Generate the data embedded in connmon
    Data,
    /// Make what is handed out: a .deb, a tarball, an SBOM and their digests, in target/dist
    Dist(dist::Args),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Setup => setup::run(),
        Command::Build(args) => build::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Demo => demo::run(),
        Command::Test(args) => test::run(&args),
        Command::Vm(args) => vm::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Zoo(args) => e2e::zoo(&args),
        Command::Coverage(args) => coverage::run(&args),
        Command::Tidy => tidy::run(),
        Command::Data => data::run(),
        Command::Dist(args) => dist::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
