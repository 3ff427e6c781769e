//! Somebody else who uses this host at the same time: many connections a second, and a recorder of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::programs::traffic_truth;
use super::recorder::Recorder;

/// Connections that the neighbour makes a second, as far as the processors allow.
const RATE: u32 = 2_000;
/// Seconds of traffic that are ordered at a time, so that it ends soon after it is told to.
const LENGTH: u32 = 5;

/// A neighbour, until it is dropped.
pub struct Neighbour {
    over: Arc<AtomicBool>,
    traffic: Option<JoinHandle<Result<u64>>>,
    recorder: Option<Recorder>,
    _folder: TempDir,
}

impl Neighbour {
    /// Moves in.
    pub fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let recorder = Recorder::start(&folder.path().join("neighbour.db"), &[])?;
        let over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&over);
        let traffic = std::thread::spawn(move || {
            let (count, rate) = ((RATE * LENGTH).to_string(), RATE.to_string());
            let mut made = 0;
            while !told.load(Ordering::Relaxed) {
                traffic_truth(&["storm", "--connections", &count, "--processes", "4", "--rate", &rate])?;
                made += u64::from(RATE * LENGTH);
            }
            Ok(made)
        });
        Ok(Self { over, traffic: Some(traffic), recorder: Some(recorder), _folder: folder })
    }

    /// Moves out; the connections that it made.
    ///
    /// # Errors
    /// Its traffic or its recorder failed.
    pub fn stop(mut self) -> Result<u64> {
        self.over.store(true, Ordering::Relaxed);
        let traffic = self.traffic.take().context("stopped twice")?;
        let made = traffic.join().ok().context("the neighbour panicked")??;
        self.recorder.take().context("stopped twice")?.stop()?;
        Ok(made)
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}
