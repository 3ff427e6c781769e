//! Signals: what ends a recording in order, and what must not end it.

use std::future::poll_fn;
use std::io;
use std::task::Poll;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// These end a recording in order: Ctrl-C, a service that is stopped, a terminal that has gone, Ctrl-\, a power supply that
/// fails, and a limit of processor time.
const ENDING: [i32; 6] =
    [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT, libc::SIGPWR, libc::SIGXCPU];
/// Would kill a program that has no use for them. A file that grows beyond its limit is an error of writing.
const IGNORED: [i32; 7] =
    [libc::SIGUSR1, libc::SIGUSR2, libc::SIGALRM, libc::SIGVTALRM, libc::SIGPROF, libc::SIGIO, libc::SIGXFSZ];

/// What ends a recording. Afterwards the same signals end the program, as they do any other.
pub(super) struct Signals(Vec<(i32, Signal)>);

impl Signals {
    /// From here on these signals end the recording in order. To be called within a runtime.
    pub(super) fn new() -> io::Result<Self> {
        for number in IGNORED {
            // SAFETY: no handler, so nothing of ours runs within a signal.
            unsafe { libc::signal(number, libc::SIG_IGN) };
        }
        let wanted = ENDING.into_iter().filter(|number| *number != libc::SIGHUP || !is_ignored(*number));
        let each = wanted.map(|number| Ok((number, signal(SignalKind::from_raw(number))?)));
        each.collect::<io::Result<_>>().map(Self)
    }

    /// Waits for one of them.
    pub(super) async fn recv(&mut self) {
        poll_fn(|context| {
            let mut came = false;
            for (_, signal) in &mut self.0 {
                came |= signal.poll_recv(context).is_ready();
            }
            if came { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for (number, _) in &self.0 {
            // SAFETY: no handler, so nothing of ours runs within a signal.
            unsafe { libc::signal(*number, libc::SIG_DFL) };
        }
    }
}

/// Whether whoever started us wants a signal to be ignored, as nohup(1) does.
fn is_ignored(number: i32) -> bool {
    action(number) == Some(libc::SIG_IGN)
}

/// What a signal does.
fn action(number: i32) -> Option<libc::sighandler_t> {
    // SAFETY: all zero is a valid value, which the call fills in.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: without a new action it only writes the current one.
    let known = unsafe { libc::sigaction(number, std::ptr::null(), &raw mut action) } == 0;
    known.then_some(action.sa_sigaction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_end_the_program_again_when_the_recording_is_over() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _guard = runtime.enter();
        let signals = Signals::new().unwrap();
        assert_ne!(action(libc::SIGTERM), Some(libc::SIG_DFL));
        drop(signals);
        assert_eq!(action(libc::SIGTERM), Some(libc::SIG_DFL));
    }
}
