//! The configuration is read again while a recording goes on: on a thread, because lists and databases may be large.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;

use connmon_enrich::geo::Geo;
use connmon_filter::ioc::Lists;
use connmon_filter::rules::Rules;
use connmon_record::HostLocation;
use connmon_record::secrets::Secrets;
use connmon_store::Policy;

/// What takes effect without a restart.
pub struct Reloaded {
    /// What is redacted from command lines.
    pub secrets: Secrets,
    /// By what connections are judged and completed.
    pub judgement: Judgement,
    /// What was read, and what needs a restart.
    pub words: String,
}

/// By what connections are judged and completed.
pub struct Judgement {
    /// What labels them.
    pub rules: Rules,
    /// What they are compared with.
    pub lists: Lists,
    /// Where addresses are.
    pub geo: Geo,
    /// Where this host stands, if it was told.
    pub location: Option<HostLocation>,
    /// How long what is kept.
    pub retention: Policy,
    /// The user's own rules, of which alerts tell.
    pub policies: Vec<connmon_detect::Policy>,
}

/// Reads everything again; the error is a sentence.
pub type ReadAgain = Arc<dyn Fn() -> Result<Reloaded, String> + Send + Sync>;

/// Reading again, one at a time.
pub(super) struct Reloads {
    read: ReadAgain,
    under_way: Option<Receiver<Result<Reloaded, String>>>,
    /// It was asked for once more meanwhile.
    again: bool,
}

impl Reloads {
    pub(super) fn new(read: ReadAgain) -> Self {
        Self { read, under_way: None, again: false }
    }

    /// Begins to read, or does so once more when the reading that goes on is over.
    pub(super) fn begin(&mut self) {
        if self.under_way.is_some() {
            self.again = true;
            return;
        }
        let (sender, receiver) = mpsc::channel();
        let read = self.read.clone();
        let begun = thread::Builder::new().name("reload".into()).spawn(move || {
            let _ = sender.send(read());
        });
        // Without a thread the sender has gone, which `take` tells.
        self.under_way = Some(receiver);
        if let Err(error) = begun {
            tracing::warn!("the thread that reads the configuration cannot be started: {error}");
        }
    }

    /// What was read, once it is.
    pub(super) fn take(&mut self) -> Option<Result<Reloaded, String>> {
        let read = match self.under_way.as_ref()?.try_recv() {
            Ok(read) => read,
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => {
                Err(io::Error::other("the thread that read it ended").to_string())
            }
        };
        self.under_way = None;
        if std::mem::take(&mut self.again) {
            self.begin();
        }
        Some(read)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Waits for what is read.
    fn next(reloads: &mut Reloads) -> Option<Result<Reloaded, String>> {
        while reloads.under_way.is_some() {
            if let Some(read) = reloads.take() {
                return Some(read);
            }
            thread::yield_now();
        }
        None
    }

    #[test]
    fn a_reading_is_never_lost_and_none_breaks_the_next() {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = count.clone();
        let mut reloads = Reloads::new(Arc::new(move || match counted.fetch_add(1, Ordering::Relaxed) {
            0 => panic!("a list that nobody thought of"),
            n => Err(format!("line {n}")),
        }));
        assert!(reloads.take().is_none());
        reloads.begin();
        reloads.begin();
        reloads.begin();
        assert_eq!(next(&mut reloads).unwrap().err().unwrap(), "the thread that read it ended");
        assert_eq!(next(&mut reloads).unwrap().err().unwrap(), "line 1");
        assert!(next(&mut reloads).is_none());
        assert_eq!(count.load(Ordering::Relaxed), 2, "the three were asked for during the first");
    }
}
