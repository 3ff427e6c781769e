//! A process, and the programs that it ran one after the other.

use serde::{Deserialize, Serialize};

use connmon_record::frame::Executable;
use connmon_record::{Process, ProcessId};

/// Images of one program that are remembered.
const MAX_VARIANTS: usize = 64;

/// One program that a process ran, as one user, under one name, in one cgroup.
#[derive(Serialize, Deserialize)]
pub struct Image {
    /// When it began; the same in all images of one program.
    pub since_ns: u64,
    /// When the next one began.
    pub until_ns: u64,
    /// The executable, where that was seen.
    pub file: Option<Executable>,
    /// The known facts.
    pub process: Process,
    /// Its row, if it has one.
    pub row: Option<i64>,
    /// Processes that were started in this time and are known; counted in the first image of a program.
    pub children: u32,
}

impl Image {
    /// The program that runs from now on.
    pub fn new(since_ns: u64, file: Option<Executable>, process: Process) -> Self {
        Self { since_ns, until_ns: u64::MAX, file, process, row: None, children: 0 }
    }
}

/// A process and the programs it ran, in order. Some may have been forgotten.
#[derive(Default, Serialize, Deserialize)]
pub struct ProcessHistory {
    /// The process that started this one, if known.
    pub parent: Option<ProcessId>,
    /// Open connections that it has a part in.
    pub connections: u32,
    /// It has ended, long enough ago.
    pub ended: bool,
    /// An image before the first one of `images` has been forgotten.
    pub lacks_first: bool,
    /// Never empty once the process is known.
    pub images: Vec<Image>,
}

impl ProcessHistory {
    /// Adds the program that runs from now on.
    pub fn push(&mut self, image: Image) {
        for last in self.images.iter_mut().rev().take_while(|it| it.until_ns == u64::MAX) {
            last.until_ns = image.since_ns;
        }
        self.images.push(image);
    }

    /// Where the last image of the program is that ran at `time_ns`; `None` where that one has been forgotten.
    pub fn position(&self, time_ns: u64) -> Option<usize> {
        match self.images.iter().rposition(|image| image.since_ns <= time_ns) {
            // A socket can be older than what has taken it over.
            None if self.lacks_first || self.images.is_empty() => None,
            None => Some(0),
            Some(at) => (time_ns <= self.images[at].until_ns || at + 1 == self.images.len()).then_some(at),
        }
    }

    /// The image of the program that ran at `time_ns` which keeps count of the processes that it started.
    pub fn parent_at(&mut self, time_ns: u64) -> Option<&mut Image> {
        let since_ns = self.images[self.position(time_ns)?].since_ns;
        self.images.iter_mut().find(|image| image.since_ns == since_ns)
    }

    /// Adds an image of a program that has one, and returns where it is. Where there are too many the oldest but the first leaves:
    /// a process can call itself something else for each connection.
    pub fn insert_variant(&mut self, image: Image) -> (usize, Option<Image>) {
        let is_same = |other: &Image| other.since_ns == image.since_ns;
        let first = self.images.iter().position(is_same).unwrap_or(0);
        let end = self.images.iter().rposition(is_same).map_or(0, |last| last + 1);
        self.images.insert(end, image);
        if end - first < MAX_VARIANTS {
            return (end, None);
        }
        let oldest = self.images.remove(first + 1);
        (end - 1, Some(oldest))
    }

    /// Drops the images of a program, unless it runs or something known was started by it; gives the rows of those that had one.
    pub fn drop_program(&mut self, since_ns: u64) -> Vec<i64> {
        let is_it = |image: &Image| image.since_ns == since_ns;
        let is_needed = |image: &Image| is_it(image) && (image.children > 0 || image.until_ns == u64::MAX);
        if self.images.iter().any(is_needed) {
            return Vec::new();
        }
        let dropped = self.images.iter().filter(|image| is_it(image)).filter_map(|image| image.row).collect();
        self.lacks_first |= self.images.first().is_some_and(is_it);
        self.images.retain(|image| !is_it(image));
        dropped
    }

    /// Whether nothing needs it any more.
    pub fn is_over(&self) -> bool {
        self.ended && self.connections == 0 && self.images.iter().all(|image| image.children == 0)
    }
}
