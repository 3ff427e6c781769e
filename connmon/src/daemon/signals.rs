//! Signals: what ends a recording in order, what has it read its configuration again, and what must not end it.

use std::future::poll_fn;
use std::io;
use std::task::Poll;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// These end a recording in order: Ctrl-C, a service that is stopped, a terminal that has gone, Ctrl-\, a power supply that
/// fails, and a limit of processor time.
const ENDING: [i32; 6] =
    [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT, libc::SIGPWR, libc::SIGXCPU];
/// Would kill a program that has no use for them.
const IGNORED: [i32; 5] = [libc::SIGUSR2, libc::SIGALRM, libc::SIGVTALRM, libc::SIGPROF, libc::SIGIO];

/// Has the configuration read again, whoever started the recording: `connmon reload` sends it.
pub const RELOAD: i32 = libc::SIGUSR1;

/// Has signals do nothing.
fn ignore(numbers: impl IntoIterator<Item = i32>) {
    for number in numbers {
        // SAFETY: no handler, so nothing of ours runs within a signal.
        unsafe { libc::signal(number, libc::SIG_IGN) };
    }
}

/// Leaves all of them to another process of the recording, and those by which a terminal stops one.
pub(super) fn ignore_all() {
    ignore(ENDING.into_iter().chain(IGNORED).chain([RELOAD, libc::SIGTSTP]));
}

/// What a signal wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// That the recording ends in order.
    End,
    /// That the configuration is read again.
    Reload,
}

/// What signals want of a recording. Afterwards the same signals end the program, as they do any other.
pub(super) struct Signals(Vec<(i32, Request, Signal)>);

impl Signals {
    /// From here on these signals are requests to the recording. SIGHUP says that a terminal has gone, but to a service that its
    /// configuration has changed. To be called within a runtime.
    pub(super) fn new(service: bool) -> io::Result<Self> {
        ignore(IGNORED);
        let ending =
            ENDING.into_iter().filter(|number| *number != libc::SIGHUP || service || !is_ignored(*number));
        let request = |number| match number {
            libc::SIGHUP if service => Request::Reload,
            _ => Request::End,
        };
        let wanted = ending.map(|number| (number, request(number))).chain([(RELOAD, Request::Reload)]);
        let each =
            wanted.map(|(number, request)| Ok((number, request, signal(SignalKind::from_raw(number))?)));
        each.collect::<io::Result<_>>().map(Self)
    }

    /// Waits for one of them.
    pub(super) async fn recv(&mut self) -> Request {
        poll_fn(|context| {
            let mut came = None;
            for (_, request, signal) in &mut self.0 {
                if signal.poll_recv(context).is_ready() && came != Some(Request::End) {
                    came = Some(*request);
                }
            }
            came.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for (number, ..) in &self.0 {
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
        let signals = Signals::new(false).unwrap();
        assert_ne!(action(libc::SIGTERM), Some(libc::SIG_DFL));
        drop(signals);
        assert_eq!(action(libc::SIGTERM), Some(libc::SIG_DFL));
    }
}
