//! Reads a segment from front to back, a batch at a time.

use std::io;
use std::sync::Arc;

use crate::batch::{HEADER_BYTES, Header};
use crate::fs::File;

const BUFFER_BYTES: usize = 256 * 1024;

/// What comes next in a file.
#[derive(Debug)]
pub(crate) enum Next<'a> {
    /// A header and all bytes of its batch. The checksum is not looked at.
    Batch(Header, &'a [u8]),
    /// The file, or the part of it that is read, ends here.
    End,
    /// What comes is not the beginning of a whole batch.
    Damaged,
}

/// Reads batches through a buffer that grows to the largest of them.
#[derive(Debug)]
pub(crate) struct BatchReader {
    file: Arc<dyn File>,
    /// Where the next batch begins in the file, and in `buffer`.
    position: u64,
    start: usize,
    end: u64,
    buffer: Vec<u8>,
}

impl BatchReader {
    /// Reads from `position` up to `end`.
    pub(crate) fn new(file: Arc<dyn File>, position: u64, end: u64) -> BatchReader {
        BatchReader { file, position, start: 0, end, buffer: Vec::new() }
    }

    /// Where the batch that comes next begins.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    pub(crate) fn next(&mut self) -> io::Result<Next<'_>> {
        let left = self.end - self.position;
        if left == 0 {
            return Ok(Next::End);
        }
        if left < HEADER_BYTES as u64 {
            return Ok(Next::Damaged);
        }
        self.fill(HEADER_BYTES)?;
        let Ok(header) = Header::read(&self.buffer[self.start..]) else { return Ok(Next::Damaged) };
        if header.bytes as u64 > left {
            return Ok(Next::Damaged);
        }
        self.fill(header.bytes)?;
        let batch = self.start..self.start + header.bytes;
        self.position += header.bytes as u64;
        self.start = batch.end;
        Ok(Next::Batch(header, &self.buffer[batch]))
    }

    /// Has at least `count` bytes in the buffer, which the file has.
    fn fill(&mut self, count: usize) -> io::Result<()> {
        if self.buffer.len() - self.start >= count {
            return Ok(());
        }
        self.buffer.drain(..self.start);
        self.start = 0;
        let known = self.buffer.len();
        let left = self.end - self.position - known as u64;
        let more = (count.max(BUFFER_BYTES) - known).min(left as usize);
        self.buffer.resize(known + more, 0);
        self.file.read_exact_at(&mut self.buffer[known..], self.position + known as u64)
    }
}
