//! A CSV line by line, so that a bad one can be named. A line is a row: quotes do not span several.

use std::io::{self, BufRead, BufReader, Read};

/// Bytes that a line may have.
const LONGEST: usize = 1 << 16;
/// Cells that a row may have.
const MOST_CELLS: usize = 64;

/// Why a CSV cannot be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A row cannot be understood.
    #[error("line {line}: {what}")]
    Row {
        /// The number of the line, from 1.
        line: u64,
        /// The fault of the line.
        what: String,
    },
    /// The file cannot be read.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// There is no row.
    #[error("it has no rows")]
    Empty,
    /// Offsets have 32 bits.
    #[error("it is too large")]
    TooLarge,
}

/// The lines of a CSV.
pub(super) struct Lines<R> {
    from: BufReader<R>,
    parser: csv_core::Reader,
    number: u64,
    line: Vec<u8>,
    text: Vec<u8>,
    ends: [usize; MOST_CELLS],
}

/// The cells of a line.
pub(super) struct CsvRow<'a> {
    text: &'a [u8],
    ends: &'a [usize],
}

impl<R: Read> Lines<R> {
    /// The cells are separated by commas, or by what else the beginning of the first line has.
    pub(super) fn new(from: R) -> Result<Self, ImportError> {
        let mut from = BufReader::new(from);
        let start = from.fill_buf()?;
        let mark = usize::from(start.starts_with(b"\xef\xbb\xbf")) * 3;
        let line = start.split(|c| *c == b'\n').next().unwrap_or_default();
        let delimiter = [b',', b'\t', b';', b'|'].into_iter().find(|c| line.contains(c)).unwrap_or(b',');
        from.consume(mark);
        let parser = csv_core::ReaderBuilder::new().delimiter(delimiter).build();
        Ok(Self { from, parser, number: 0, line: Vec::new(), text: Vec::new(), ends: [0; MOST_CELLS] })
    }

    /// The next line that is not empty, with its number, from 1.
    pub(super) fn next(&mut self) -> Result<Option<(u64, CsvRow<'_>)>, ImportError> {
        loop {
            self.line.clear();
            self.number += 1;
            let mut some = (&mut self.from).take(LONGEST as u64 + 1);
            if some.read_until(b'\n', &mut self.line)? == 0 {
                return Ok(None);
            }
            let line = self.number;
            let wrong = |what: &str| ImportError::Row { line, what: what.to_owned() };
            if self.line.len() > LONGEST {
                return Err(wrong("it is longer than any row of a geo table"));
            }
            if !self.line.trim_ascii().is_empty() && !self.line.starts_with(b"#") {
                let cells = self.cells().ok_or_else(|| wrong("it has more columns than any geo table"))?;
                let row = CsvRow { text: &self.text, ends: &self.ends[..cells] };
                return Ok(Some((self.number, row)));
            }
        }
    }

    /// Takes the line apart and gives the number of its cells; `None` if there are too many.
    fn cells(&mut self) -> Option<usize> {
        use csv_core::ReadRecordResult::{End, InputEmpty, OutputEndsFull, OutputFull, Record};
        self.parser.reset();
        // Cells are never longer than what they are made from.
        self.text.resize(self.line.len() + 1, 0);
        let (mut read, mut written, mut cells) = (0, 0, 0);
        loop {
            let (text, ends) = (&mut self.text[written..], &mut self.ends[cells..]);
            let (result, more_read, more_written, more_cells) =
                self.parser.read_record(&self.line[read..], text, ends);
            (read, written, cells) = (read + more_read, written + more_written, cells + more_cells);
            match result {
                // The line has been read; the next call, with nothing, says that this was all.
                InputEmpty => {}
                Record | End => return Some(cells),
                OutputFull | OutputEndsFull => return None,
            }
        }
    }
}

impl<'a> CsvRow<'a> {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn get(&self, nth: usize) -> Option<&'a [u8]> {
        let from = nth.checked_sub(1).map_or(0, |before| self.ends.get(before).copied().unwrap_or(0));
        self.text.get(from..*self.ends.get(nth)?)
    }
}
