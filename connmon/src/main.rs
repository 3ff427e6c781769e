//! The `connmon` command: parse, dispatch, exit code.

use std::io::Write;
use std::process::ExitCode;

use connmon::cli;
use connmon::commands::{self, Outcome};
use connmon::stderr::{self, Stderr};
use tracing_subscriber::filter::LevelFilter;

fn main() -> ExitCode {
    let cli = cli::parse();
    let level = match cli.verbose {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(|| Stderr)
        .with_ansi(stderr::has_colours())
        .without_time()
        .init();
    let code = run(cli);
    stderr::finish();
    code
}

/// Does what was asked for; a failure is one sentence.
fn run(cli: cli::Cli) -> ExitCode {
    match commands::run(cli) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Altered) => ExitCode::from(1),
        Ok(Outcome::Nothing(words)) => {
            let _ = writeln!(Stderr, "connmon: {words}");
            ExitCode::from(1)
        }
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(Stderr, "connmon: {}", connmon_record::display_safe(&error.to_string()));
            if let Some(picture) = error.picture() {
                let _ = writeln!(Stderr, "{picture}");
            }
            ExitCode::from(2)
        }
    }
}
