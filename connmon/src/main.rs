//! The `connmon` command: parse, dispatch, exit code.

use std::process::ExitCode;

use connmon::commands::{self, Outcome};
use connmon::{cli, model};
use tracing_subscriber::filter::LevelFilter;

fn main() -> ExitCode {
    let cli = cli::parse();
    let level = match cli.verbose {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).without_time().init();
    match commands::run(cli) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Altered) => ExitCode::from(1),
        Ok(Outcome::Nothing(words)) => {
            eprintln!("connmon: {words}");
            ExitCode::from(1)
        }
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("connmon: {}", model::display_safe(&error.to_string()));
            if let Some(picture) = error.picture() {
                eprintln!("{picture}");
            }
            ExitCode::from(2)
        }
    }
}
