//! Sorts more records than fit into memory: what is over the limit lies in temporary files, each sorted, which are
//! merged as they are read.
//!
//! Records are bytes and are ordered as bytes: keys are written big-endian at their front. The files have no name,
//! so that nothing is left of them however the process ends.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek as _, Write as _};

use anyhow::{Context as _, Result};

/// Files that are merged at once: their buffers together stay small, and a second round is rare.
const MAX_RUNS: usize = 32;

/// Bytes read from a file at once while merging.
const READ_BYTES: usize = 32 * 1024;

/// What a record costs in memory beside its bytes.
const PLACE_BYTES: usize = size_of::<(u32, u32)>();

/// Records, to be read in order.
pub(crate) struct Sorter {
    bytes: Vec<u8>,
    /// Start and length of each record in `bytes`.
    places: Vec<(u32, u32)>,
    limit: usize,
    runs: Vec<File>,
}

impl Sorter {
    /// Makes an empty one that keeps about `limit` bytes in memory.
    pub fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), places: Vec::new(), limit, runs: Vec::new() }
    }

    /// Takes in a record.
    pub fn push(&mut self, record: &[u8]) -> Result<()> {
        let held = self.bytes.len() + self.places.len() * PLACE_BYTES;
        if held + record.len() + PLACE_BYTES > self.limit && !self.places.is_empty() {
            self.spill()?;
        }
        let place = |number: usize| u32::try_from(number).expect("the limit and a record are below 4 GiB");
        self.places.push((place(self.bytes.len()), place(record.len())));
        self.bytes.extend_from_slice(record);
        Ok(())
    }

    /// Returns the records in order; may be called again, also after more were taken in.
    pub fn sorted(&mut self) -> Result<Sorted<'_>> {
        self.sort();
        Sorted::new(&self.runs, &self.bytes, &self.places)
    }

    fn sort(&mut self) {
        let bytes = &self.bytes;
        self.places.sort_unstable_by(|a, b| slice(bytes, *a).cmp(slice(bytes, *b)));
    }

    /// Moves what is in memory to a file.
    fn spill(&mut self) -> Result<()> {
        if self.runs.len() >= MAX_RUNS {
            let merged = write_run(Sorted::new(&self.runs, &[], &[])?)?;
            self.runs.clear();
            self.runs.push(merged);
        }
        self.sort();
        let run = write_run(Sorted::new(&[], &self.bytes, &self.places)?)?;
        self.runs.push(run);
        self.bytes.clear();
        self.places.clear();
        Ok(())
    }
}

fn slice(bytes: &[u8], (start, length): (u32, u32)) -> &[u8] {
    &bytes[start as usize..start as usize + length as usize]
}

fn write_run(mut records: Sorted<'_>) -> Result<File> {
    let folder = std::env::temp_dir();
    let full = || format!("no temporary file in {}: set TMPDIR to a folder with more room", folder.display());
    let mut file = BufWriter::new(tempfile::tempfile().with_context(full)?);
    while let Some(record) = records.next()? {
        let length = u32::try_from(record.len()).expect("a record is below 4 GiB");
        file.write_all(&length.to_le_bytes()).and_then(|()| file.write_all(record)).with_context(full)?;
    }
    file.into_inner().map_err(std::io::IntoInnerError::into_error).with_context(full)
}

/// Records in order.
pub(crate) struct Sorted<'a> {
    sources: Vec<Source<'a>>,
    heads: BinaryHeap<Head>,
    current: Vec<u8>,
}

enum Source<'a> {
    Memory { bytes: &'a [u8], places: std::slice::Iter<'a, (u32, u32)> },
    Run(BufReader<&'a File>),
}

impl Source<'_> {
    /// Reads the next record into `record`; tells whether there was one.
    fn next(&mut self, record: &mut Vec<u8>) -> Result<bool> {
        match self {
            Self::Memory { bytes, places } => {
                let Some(place) = places.next() else { return Ok(false) };
                record.clear();
                record.extend_from_slice(slice(bytes, *place));
            }
            Self::Run(file) => {
                let mut length = [0; 4];
                match file.read_exact(&mut length) {
                    Ok(()) => {}
                    Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(false),
                    Err(error) => return Err(error).context("a temporary file cannot be read"),
                }
                record.resize(u32::from_le_bytes(length) as usize, 0);
                file.read_exact(record).context("a temporary file cannot be read")?;
            }
        }
        Ok(true)
    }
}

/// The next record of a source.
struct Head {
    record: Vec<u8>,
    source: usize,
}

impl Ord for Head {
    /// The smallest is the greatest: a heap gives its greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        (&other.record, other.source).cmp(&(&self.record, self.source))
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Head {}

impl<'a> Sorted<'a> {
    fn new(runs: &'a [File], bytes: &'a [u8], places: &'a [(u32, u32)]) -> Result<Self> {
        let mut sources = Vec::with_capacity(runs.len() + 1);
        for mut run in runs {
            run.rewind().context("a temporary file cannot be read")?;
            sources.push(Source::Run(BufReader::with_capacity(READ_BYTES, run)));
        }
        sources.push(Source::Memory { bytes, places: places.iter() });
        let mut heads = BinaryHeap::with_capacity(sources.len());
        for (number, source) in sources.iter_mut().enumerate() {
            let mut record = Vec::new();
            if source.next(&mut record)? {
                heads.push(Head { record, source: number });
            }
        }
        Ok(Self { sources, heads, current: Vec::new() })
    }

    /// Returns the next record.
    pub fn next(&mut self) -> Result<Option<&[u8]>> {
        let Some(mut head) = self.heads.peek_mut() else { return Ok(None) };
        std::mem::swap(&mut self.current, &mut head.record);
        let source = head.source;
        if !self.sources[source].next(&mut head.record)? {
            PeekMut::pop(head);
        }
        Ok(Some(&self.current))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(sorter: &mut Sorter) -> Vec<Vec<u8>> {
        let mut sorted = sorter.sorted().unwrap();
        let mut found = Vec::new();
        while let Some(record) = sorted.next().unwrap() {
            found.push(record.to_vec());
        }
        found
    }

    #[test]
    fn records_come_in_order_whether_they_fit_or_not() {
        // 64 bytes hold a few records, so that files are merged into files too.
        for limit in [1 << 20, 64, 1] {
            let mut sorter = Sorter::new(limit);
            let mut expected: Vec<Vec<u8>> = (0..2_000_u32)
                .map(|n| {
                    let length = n as usize % 7;
                    [&n.wrapping_mul(0x9e37_79b9).to_be_bytes()[..], &[b'x'; 7][..length]].concat()
                })
                .collect();
            for record in &expected {
                sorter.push(record).unwrap();
            }
            expected.sort();
            assert_eq!(all(&mut sorter), expected, "limit {limit}");
            sorter.push(&[0]).unwrap();
            expected.insert(0, vec![0]);
            expected.sort();
            assert_eq!(all(&mut sorter), expected, "once more, limit {limit}");
        }
    }

    #[test]
    fn equal_records_are_all_there() {
        let mut sorter = Sorter::new(20);
        for _ in 0..50 {
            sorter.push(b"same").unwrap();
        }
        assert_eq!(all(&mut sorter).len(), 50);
        assert!(all(&mut Sorter::new(10)).is_empty());
    }
}
