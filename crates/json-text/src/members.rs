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
}

impl Members {
    /// Begins an object. The result is for [`Members::close`].
    #[inline]
    pub fn open(&self) -> usize {
        self.0.len()
    }

    /// A member was written: its name stands at `name`, and its value ends at `end`.
    #[inline]
    pub fn push(&mut self, name: Range<usize>, end: usize) {
        self.0.push(Member { name, end });
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
            let earlier = |index: usize, one| members[..index].iter().any(|other| name(other) == name(one));
            return members.iter().enumerate().any(|(index, one)| earlier(index, one));
        }
        let mut seen = HashSet::with_capacity(members.len());
        !members.iter().all(|member| seen.insert(name(member)))
    }
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
