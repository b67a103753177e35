//! Answers on their way out: small pieces gathered in one buffer, records passed on without a copy.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

use crate::room::Taken;

/// Below this a copy is cheaper than a piece of its own.
const OWN_PIECE_BYTES: usize = 16 * 1024;

#[derive(Debug, Default)]
pub(crate) struct Output {
    pieces: VecDeque<Bytes>,
    piece_bytes: usize,
    /// What comes after all pieces.
    pub(crate) gathered: BytesMut,
    /// The room that all this takes, as far as it was counted.
    room: Option<Taken>,
}

impl Output {
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes() == 0
    }

    pub(crate) fn bytes(&self) -> usize {
        self.piece_bytes + self.gathered.len()
    }

    /// Counted until [`Output::release`].
    pub(crate) fn hold(&mut self, taken: Taken) {
        match &mut self.room {
            Some(room) => room.merge(taken),
            None => self.room = Some(taken),
        }
    }

    pub(crate) fn held(&self) -> usize {
        self.room.as_ref().map_or(0, Taken::num_permits)
    }

    /// Everything is with the client.
    pub(crate) fn release(&mut self) {
        self.room = None;
    }

    pub(crate) fn push(&mut self, piece: Bytes) {
        if piece.len() < OWN_PIECE_BYTES {
            self.gathered.extend_from_slice(&piece);
            return;
        }
        let before = self.gathered.split().freeze();
        for piece in [before, piece] {
            self.piece_bytes += piece.len();
            if !piece.is_empty() {
                self.pieces.push_back(piece);
            }
        }
    }
}

impl Buf for Output {
    fn remaining(&self) -> usize {
        self.bytes()
    }

    fn chunk(&self) -> &[u8] {
        self.pieces.front().map_or(&self.gathered, |piece| piece)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let all = self.pieces.iter().map(|piece| &piece[..]).chain([&self.gathered[..]]);
        let filled = slices.iter_mut().zip(all.filter(|piece| !piece.is_empty()));
        filled.map(|(slice, piece)| *slice = IoSlice::new(piece)).count()
    }

    fn advance(&mut self, mut count: usize) {
        while count > 0 {
            let Some(piece) = self.pieces.front_mut() else { return self.gathered.advance(count) };
            let step = count.min(piece.len());
            piece.advance(step);
            if piece.is_empty() {
                self.pieces.pop_front();
            }
            self.piece_bytes -= step;
            count -= step;
        }
    }
}
