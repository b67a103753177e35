//! Responses on their way out: small ones gathered in one buffer, records passed on without a copy.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

use crate::byte_budget::Permit;

/// Below this a copy is cheaper than a chunk of its own.
const MIN_CHUNK_BYTES: usize = 16 * 1024;

#[derive(Debug, Default)]
pub(crate) struct Output {
    chunks: VecDeque<Bytes>,
    chunk_bytes: usize,
    /// Written after all chunks.
    pub(crate) gathered: BytesMut,
    /// The part of all this that was counted against the budget for responses.
    permit: Option<Permit>,
}

impl Output {
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes() == 0
    }

    pub(crate) fn bytes(&self) -> usize {
        self.chunk_bytes + self.gathered.len()
    }

    /// Holds `added` until [`Output::release`].
    pub(crate) fn hold(&mut self, added: Permit) {
        match &mut self.permit {
            Some(permit) => permit.merge(added),
            None => self.permit = Some(added),
        }
    }

    pub(crate) fn held_bytes(&self) -> usize {
        self.permit.as_ref().map_or(0, Permit::num_permits)
    }

    /// Returns the permit: the client has received everything.
    pub(crate) fn release(&mut self) {
        self.permit = None;
    }

    pub(crate) fn push(&mut self, chunk: Bytes) {
        if chunk.len() < MIN_CHUNK_BYTES {
            self.gathered.extend_from_slice(&chunk);
            return;
        }
        let before = self.gathered.split().freeze();
        for chunk in [before, chunk] {
            self.chunk_bytes += chunk.len();
            if !chunk.is_empty() {
                self.chunks.push_back(chunk);
            }
        }
    }
}

impl Buf for Output {
    fn remaining(&self) -> usize {
        self.bytes()
    }

    fn chunk(&self) -> &[u8] {
        self.chunks.front().map_or(&self.gathered, |chunk| chunk)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let all = self.chunks.iter().map(|chunk| &chunk[..]).chain([&self.gathered[..]]);
        let filled = slices.iter_mut().zip(all.filter(|chunk| !chunk.is_empty()));
        filled.map(|(slice, chunk)| *slice = IoSlice::new(chunk)).count()
    }

    fn advance(&mut self, mut count: usize) {
        while count > 0 {
            let Some(chunk) = self.chunks.front_mut() else { return self.gathered.advance(count) };
            let step = count.min(chunk.len());
            chunk.advance(step);
            if chunk.is_empty() {
                self.chunks.pop_front();
            }
            self.chunk_bytes -= step;
            count -= step;
        }
    }
}
