//! The members of an object that is being written: of a repeated name the last value counts, in the place of the first, as where Jackson
//! reads an object into a tree.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// With more members than these, a hash set finds duplicates faster than comparing all pairs.
const FEW_MEMBERS: usize = 12;

/// A stack of the members of objects within one another, as ranges of the output.
#[derive(Debug, Default)]
pub struct Members(Vec<Member>);

#[derive(Debug)]
struct Member {
    name: Range<usize>,
    end: usize,
    /// Another number means another name.
    mark: u64,
}

impl Members {
    /// Begins an object. The result is for [`Members::close`].
    #[inline]
    pub fn open(&self) -> usize {
        self.0.len()
    }

    /// A member was written to `out`: its name stands at `name`, and its value at the end.
    #[inline]
    pub fn push(&mut self, name: Range<usize>, out: &[u8]) {
        if self.0.capacity() == 0 {
            self.0.reserve(FEW_MEMBERS);
        }
        let mark = mark(&out[name.clone()]);
        self.0.push(Member { name, end: out.len(), mark });
    }

    /// Ends the object that `base` was the beginning of, and removes from `out` what counts no more. The names must be written in one way:
    /// equal ones in equal bytes.
    #[inline]
    pub fn close(&mut self, base: usize, out: &mut Vec<u8>) {
        if self.0.len() > base + 1 && self.has_duplicates(base, out) {
            keep_last_of_each(&self.0[base..], out);
        }
        self.0.truncate(base);
    }

    fn has_duplicates(&self, base: usize, out: &[u8]) -> bool {
        let members = &self.0[base..];
        let name = |member: &Member| &out[member.name.clone()];
        if members.len() <= FEW_MEMBERS {
            let is_same = |one: &Member, other: &Member| one.mark == other.mark && name(one) == name(other);
            let earlier = |index: usize, one| members[..index].iter().any(|other| is_same(one, other));
            return members.iter().enumerate().any(|(index, one)| earlier(index, one));
        }
        let mut seen = HashSet::with_capacity(members.len());
        !members.iter().all(|member| seen.insert(name(member)))
    }
}

/// The length of a name and its first and last bytes, mixed: names that go together mostly differ in these.
#[inline]
fn mark(name: &[u8]) -> u64 {
    let word = |bytes: Option<&[u8; 8]>| bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let ends = match name.len() {
        8.. => word(name.first_chunk()) ^ word(name.last_chunk()).rotate_left(31),
        _ => name.iter().fold(0, |mark, byte| mark << 8 | u64::from(*byte)),
    };
    ends ^ (name.len() as u64) << 56
}

/// Writes the members anew, each name once: where it first stood, with what it was given last.
#[cold]
fn keep_last_of_each(members: &[Member], out: &mut Vec<u8>) {
    let Some(first) = members.first() else { return };
    let start = first.name.start;
    let mut places = HashMap::with_capacity(members.len());
    let mut kept = Vec::<&Member>::with_capacity(members.len());
    for member in members {
        let place = *places.entry(&out[member.name.clone()]).or_insert(kept.len());
        match kept.get_mut(place) {
            Some(earlier) => *earlier = member,
            None => kept.push(member),
        }
    }
    let texts = kept.iter().map(|member| &out[member.name.start..member.end]).collect::<Vec<_>>();
    let packed = texts.join(&b',');
    out.truncate(start);
    out.extend_from_slice(&packed);
}
