//! What the topic of consumer instances says, record by record: who has which instance. Computes only.
//!
//! The order of the log decides: of two claims with the same incarnation the first holds, and a higher incarnation supersedes. A claim that
//! comes too late changes nothing; compaction would keep it all the same, so that the holder repeats its own ([`Applied::TooLate`]).

use std::collections::HashMap;

use tokio::time::Instant;
use uuid::Uuid;

use super::super::InstanceName;
use super::record::{Claim, Key, Presence, Unreadable, value};

/// All instances and replicas that the topic knows.
#[derive(Debug, Default)]
pub(super) struct Fold {
    /// With the time when the claim arrived.
    claims: HashMap<InstanceName, (Claim, Instant)>,
    replicas: HashMap<Uuid, Seen>,
}

/// A replica, and when it was heard of last.
#[derive(Clone, Debug)]
struct Seen {
    address: String,
    at: Instant,
}

/// What a record has changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Applied {
    /// The instance is this replica's now, where it was nobody's, another's, or its own before.
    Holds(InstanceName, Uuid),
    /// There is no such instance any more.
    Gone(InstanceName),
    /// The claim has no effect: this replica holds the instance.
    TooLate(InstanceName, Uuid),
    /// A replica was heard of, or has gone.
    Presence,
}

impl Fold {
    /// Applies a record, which arrived at `now`.
    ///
    /// # Errors
    /// It says nothing, and changes nothing.
    pub(super) fn apply(
        &mut self,
        key: Option<&[u8]>,
        text: Option<&[u8]>,
        now: Instant,
    ) -> Result<Applied, Unreadable> {
        match (Key::decode(key)?, text) {
            (Key::Instance(at), None) => {
                self.claims.remove(&at);
                Ok(Applied::Gone(at))
            }
            (Key::Instance(at), Some(text)) => {
                let claim: Claim = value(text)?;
                if let Some((held, _)) = self.claims.get(&at)
                    && (held.incarnation > claim.incarnation
                        || (held.incarnation == claim.incarnation && held.replica != claim.replica))
                {
                    return Ok(Applied::TooLate(at, held.replica));
                }
                let replica = claim.replica;
                if !claim.released {
                    self.replicas.insert(replica, Seen { address: claim.address.clone(), at: now });
                }
                self.claims.insert(at.clone(), (claim, now));
                Ok(Applied::Holds(at, replica))
            }
            (Key::Replica(replica), None) => {
                self.replicas.remove(&replica);
                Ok(Applied::Presence)
            }
            (Key::Replica(replica), Some(text)) => {
                let Presence { address } = value(text)?;
                self.replicas.insert(replica, Seen { address, at: now });
                Ok(Applied::Presence)
            }
        }
    }

    pub(super) fn claim(&self, at: &InstanceName) -> Option<&Claim> {
        self.claims.get(at).map(|(claim, _)| claim)
    }

    pub(super) fn count(&self) -> usize {
        self.claims.len()
    }

    /// The instances that `replica` holds and has not released, by claims that arrived before `until`.
    pub(super) fn held_by(&self, replica: Uuid, until: Instant) -> Vec<(InstanceName, Claim)> {
        let is_held = |claim: &Claim| claim.replica == replica && !claim.released;
        let held = self.claims.iter().filter(|(_, (claim, at))| is_held(claim) && *at < until);
        held.map(|(at, (claim, _))| (at.clone(), claim.clone())).collect()
    }

    /// Whether `replica` was heard of since `since`.
    pub(super) fn is_there(&self, replica: Uuid, since: Instant) -> bool {
        self.replicas.get(&replica).is_some_and(|seen| seen.at >= since)
    }

    /// The addresses of replicas other than `own` that were heard of since `since`, those first that were heard of last.
    pub(super) fn others(&self, own: Uuid, since: Instant) -> Vec<String> {
        let mut others: Vec<_> =
            self.replicas.iter().filter(|(replica, seen)| **replica != own && seen.at >= since).collect();
        others.sort_by_key(|(_, seen)| std::cmp::Reverse(seen.at));
        others.into_iter().map(|(_, seen)| seen.address.clone()).collect()
    }

    /// Nobody answers at this address.
    pub(super) fn forget(&mut self, address: &str) {
        self.replicas.retain(|_, seen| seen.address != address);
    }

    /// What nobody looks after: replicas that were not heard of since `since`, and the instances of those that are not there and that nobody
    /// has claimed since.
    pub(super) fn abandoned(&self, since: Instant) -> Vec<Key> {
        let gone = self.replicas.iter().filter(|(_, seen)| seen.at < since);
        let orphans = self.claims.iter().filter(|(_, (claim, at))| *at < since && !self.is_there(claim.replica, since));
        let orphans = orphans.map(|(at, _)| Key::Instance(at.clone()));
        gone.map(|(replica, _)| Key::Replica(*replica)).chain(orphans).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::record::{StoredReads, StoredSettings};
    use super::*;
    use crate::Format;
    use crate::consumers::settings::{InstanceSettings, ReadFormats};

    const A: Uuid = Uuid::from_u128(1);
    const B: Uuid = Uuid::from_u128(2);

    fn at() -> InstanceName {
        InstanceName { group: "g".to_owned(), name: "c".to_owned(), owner: None }
    }

    fn claim(replica: Uuid, incarnation: u64) -> Claim {
        let settings = InstanceSettings {
            name: None,
            formats: ReadFormats { key: Format::Binary, value: Format::Binary },
            auto_offset_reset: None,
            auto_commit: None,
            min_bytes: None,
            wait_ms: None,
        };
        Claim {
            replica,
            address: format!("{replica}:1"),
            incarnation,
            released: false,
            member: "m".to_owned(),
            settings: StoredSettings::new(&settings),
            reads: StoredReads::Nothing,
        }
    }

    impl Fold {
        fn take(&mut self, claim: Option<&Claim>, now: Instant) -> Applied {
            let record = Key::Instance(at()).record(claim);
            self.apply(record.key.as_deref(), record.value.as_deref(), now).expect("one of ours")
        }

        fn hear(&mut self, replica: Uuid, now: Instant) {
            let presence = Presence { address: format!("{replica}:1") };
            let record = Key::Replica(replica).record(Some(&presence));
            self.apply(record.key.as_deref(), record.value.as_deref(), now).expect("one of ours");
        }
    }

    #[test]
    fn the_first_claim_holds_until_a_higher_incarnation_supersedes_it() {
        let (mut fold, now) = (Fold::default(), Instant::now());
        let later = now + Duration::from_secs(1);
        assert_eq!(fold.take(Some(&claim(A, 1)), now), Applied::Holds(at(), A));
        assert_eq!(fold.take(Some(&claim(B, 1)), now), Applied::TooLate(at(), A));
        let subscribed = Claim { reads: StoredReads::Pattern("x.*".to_owned()), ..claim(A, 1) };
        assert_eq!(fold.take(Some(&subscribed), now), Applied::Holds(at(), A));
        assert_eq!(fold.claim(&at()), Some(&subscribed));
        assert_eq!(fold.take(Some(&claim(B, 2)), now), Applied::Holds(at(), B));
        // What the earlier holder says afterwards has no effect, and neither has its release.
        assert_eq!(fold.take(Some(&Claim { released: true, ..subscribed }), now), Applied::TooLate(at(), B));
        assert_eq!(fold.take(Some(&claim(A, 2)), now), Applied::TooLate(at(), B));
        assert_eq!(fold.claim(&at()), Some(&claim(B, 2)));
        assert_eq!((fold.held_by(A, later).len(), fold.held_by(B, later).len(), fold.held_by(B, now).len()), (0, 1, 0));
    }

    #[test]
    fn a_released_instance_is_nobodys_until_it_is_claimed_and_a_deleted_one_is_gone() {
        let (mut fold, now) = (Fold::default(), Instant::now());
        fold.take(Some(&claim(A, 1)), now);
        assert_eq!(fold.take(Some(&Claim { released: true, ..claim(A, 1) }), now), Applied::Holds(at(), A));
        assert!(
            fold.held_by(A, now + Duration::from_secs(1)).is_empty()
                && fold.claim(&at()).is_some_and(|claim| claim.released)
        );
        assert_eq!(fold.take(Some(&claim(B, 2)), now), Applied::Holds(at(), B));
        assert_eq!(fold.take(None, now), Applied::Gone(at()));
        assert_eq!((fold.claim(&at()), fold.count()), (None, 0));
        assert_eq!(fold.take(Some(&claim(A, 1)), now), Applied::Holds(at(), A));
    }

    /// Compaction keeps the last record of a key, which may be one that came too late: the fold of what is left says something else than
    /// before, until the holder has repeated its claim.
    #[test]
    fn the_repeated_claim_of_the_holder_wins_after_compaction() {
        let (mut fold, now) = (Fold::default(), Instant::now());
        // What a replica finds that begins to read the topic then.
        let holder_after_compaction = |log: &[Claim]| {
            let mut compacted = Fold::default();
            compacted.take(log.last(), now);
            compacted.claim(&at()).map(|held| held.replica)
        };
        let mut log = vec![claim(B, 1), claim(A, 1)];
        assert_eq!(fold.take(Some(&log[0]), now), Applied::Holds(at(), B));
        assert_eq!(fold.take(Some(&log[1]), now), Applied::TooLate(at(), B), "its holder repeats its claim");
        assert_eq!(holder_after_compaction(&log), Some(A), "which is not what those have who read all of it");
        let repeated = fold.held_by(B, now + Duration::from_secs(1)).remove(0).1;
        assert_eq!(
            fold.take(Some(&repeated), now),
            Applied::Holds(at(), B),
            "it changes nothing where it was read before"
        );
        log.push(repeated);
        assert_eq!(holder_after_compaction(&log), Some(B));
    }

    #[test]
    fn what_nobody_was_heard_of_for_long_is_abandoned() {
        let (mut fold, start) = (Fold::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        fold.take(Some(&claim(A, 1)), start);
        fold.hear(A, after(10));
        fold.hear(B, after(20));
        assert!(fold.abandoned(after(10)).is_empty());
        assert_eq!(fold.others(A, after(15)), [format!("{B}:1")]);
        assert_eq!(fold.others(B, after(15)), <[String; 0]>::default());
        let mut forgetful = Fold { replicas: fold.replicas.clone(), ..Fold::default() };
        forgetful.forget(&format!("{B}:1"));
        assert_eq!(forgetful.others(A, start), <[String; 0]>::default());
        assert_eq!(fold.abandoned(after(11)), [Key::Replica(A), Key::Instance(at())]);
        // A replica that ends says so; its instances are kept for as long as if somebody used them.
        fold.take(Some(&Claim { released: true, ..claim(A, 1) }), after(30));
        let record = Key::Replica(A).record(None::<&Presence>);
        fold.apply(record.key.as_deref(), None, after(30)).expect("one of ours");
        assert_eq!(fold.abandoned(after(11)), []);
        assert_eq!(fold.abandoned(after(31)), [Key::Replica(B), Key::Instance(at())]);
    }

    #[test]
    fn a_record_that_says_nothing_changes_nothing() {
        let (mut fold, now) = (Fold::default(), Instant::now());
        fold.take(Some(&claim(A, 1)), now);
        let key = Key::Instance(at()).record(None::<&Presence>).key;
        assert!(fold.apply(key.as_deref(), Some(b"{}"), now).is_err());
        assert!(fold.apply(None, None, now).is_err());
        assert_eq!(fold.claim(&at()), Some(&claim(A, 1)));
    }
}
