//! Lines for journald: the priority of each before it, as sd-daemon(3) has it, and nothing that journald knows anyway.

use std::fmt;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Before a line that tells of an error that ends the program: syslog(3), LOG_ERR.
pub const ERROR: &str = "<3>";

/// Whether standard error goes to journald: `JOURNAL_STREAM` names its device and inode (systemd.exec(5)).
pub fn is_read() -> bool {
    let named = std::env::var("JOURNAL_STREAM").unwrap_or_default();
    let own = || io::stderr().as_fd().try_clone_to_owned().map(std::fs::File::from)?.metadata();
    own().is_ok_and(|file| named == format!("{}:{}", file.dev(), file.ino()))
}

/// How events are written for journald.
#[derive(Clone, Copy, Debug)]
pub struct Lines;

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        out.write_str(priority(*event.metadata().level()))?;
        context.field_format().format_fields(out.by_ref(), event)?;
        writeln!(out)
    }
}

/// The priority of syslog(3) that says the same.
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => ERROR,
        Level::WARN => "<4>",
        Level::INFO => "<6>",
        _ => "<7>",
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Said(Arc<Mutex<Vec<u8>>>);

    impl Write for Said {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_has_its_priority_and_its_words() {
        let said = Said::default();
        let writer = said.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).event_format(Lines);
        let subscriber = subscriber.with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!("the store is {}", "slow");
            tracing::error!("it is gone");
        });
        let said = said.0.lock().unwrap().clone();
        assert_eq!(String::from_utf8(said).unwrap(), "<4>the store is slow\n<3>it is gone\n");
    }
}
