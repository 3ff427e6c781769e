//! The `connmon` command: parse, dispatch, exit code.

use std::io::Write;
use std::process::ExitCode;

use connmon::cli;
use connmon::commands::{self, CommandError, Outcome};
use connmon::journal;
use connmon::pager::Pager;
use connmon::stderr::{self, Stderr};
use tracing_subscriber::filter::LevelFilter;

fn main() -> ExitCode {
    connmon_system::files::make_limits_errors();
    let cli = cli::parse();
    stderr::choose_colours(cli.color);
    let level = match cli.verbose {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    let log = tracing_subscriber::fmt().with_max_level(level).with_writer(|| Stderr);
    if journal::is_read() {
        log.with_ansi(false).event_format(journal::Lines).init();
    } else {
        log.with_ansi(stderr::has_colours()).without_time().init();
    }
    let pager = (cli.is_for_reading() && !cli.no_pager).then(Pager::start).flatten();
    let done = commands::run(cli);
    pager.into_iter().for_each(Pager::finish);
    let code = tell(done);
    stderr::finish();
    code
}

/// Says how it ended; a failure is one sentence.
fn tell(done: Result<Outcome, CommandError>) -> ExitCode {
    match done {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Altered) => ExitCode::from(1),
        Ok(Outcome::Nothing(words)) => {
            let _ = writeln!(Stderr, "connmon: {words}");
            ExitCode::from(1)
        }
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            let before = if journal::is_read() { journal::ERROR } else { "connmon: " };
            let _ = writeln!(Stderr, "{before}{}", connmon_record::display_safe(&error.to_string()));
            if let Some(picture) = error.picture() {
                let _ = writeln!(Stderr, "{picture}");
            }
            ExitCode::from(2)
        }
    }
}
