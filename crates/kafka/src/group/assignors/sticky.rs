//! The sticky assignors: balanced, and as much as possible stays where it is.
//!
//! What members say they own counts, unless others contradict it: of two claims of one partition that of the later generation wins,
//! two of the same generation void each other, and a claim of a generation that the group has left behind keeps nothing (it may have
//! been given to others since). Cooperatively, a partition is withheld from its new owner for as long as any member claims it: its
//! owner gives it up, joins again, and the next round gives it away (KIP-429).
//!
//! Source: KIP-54, KIP-341, KIP-429; the StickyAssignor and CooperativeStickyAssignor of Apache Kafka.

use std::collections::{BTreeMap, BTreeSet};

use super::GroupMember;
use crate::group::protocol::Partitions;

/// Topic and partition.
type Place<'a> = (&'a str, i32);

/// Shares out the partitions of all topics. `members` are in their order; `claims`: what each owns, and since which generation.
pub(super) fn assign(
    members: &[GroupMember],
    claims: &[(Partitions, i32)],
    counts: &BTreeMap<String, i32>,
    assigned: &mut [Partitions],
) {
    let mut shares: Vec<BTreeSet<Place<'_>>> = valid_claims(members, claims, counts);
    if members.windows(2).all(|pair| pair[0].topics == pair[1].topics) {
        equally(members, counts, &mut shares);
    } else {
        balance(members, counts, &mut shares);
    }
    for (share, assigned) in shares.into_iter().zip(assigned) {
        for (topic, partition) in share {
            assigned.entry(topic.to_owned()).or_default().push(partition);
        }
    }
}

/// Takes from every member what another one claims.
pub(super) fn withhold(claims: &[(Partitions, i32)], assigned: &mut [Partitions]) {
    let mut owners: BTreeMap<Place<'_>, Vec<usize>> = BTreeMap::new();
    for (member, (partitions, _)) in claims.iter().enumerate() {
        for place in places(partitions) {
            owners.entry(place).or_default().push(member);
        }
    }
    for (member, partitions) in assigned.iter_mut().enumerate() {
        for (topic, partitions) in partitions.iter_mut() {
            partitions.retain(|partition| {
                let owners = owners.get(&(topic.as_str(), *partition));
                owners.is_none_or(|owners| owners.iter().all(|owner| *owner == member))
            });
        }
        partitions.retain(|_, partitions| !partitions.is_empty());
    }
}

fn places(partitions: &Partitions) -> impl Iterator<Item = Place<'_>> {
    partitions.iter().flat_map(|(topic, partitions)| partitions.iter().map(|partition| (topic.as_str(), *partition)))
}

/// What each member may keep: claimed by it alone, in the last generation that any member names, and still to be had.
fn valid_claims<'a>(
    members: &[GroupMember],
    claims: &'a [(Partitions, i32)],
    counts: &'a BTreeMap<String, i32>,
) -> Vec<BTreeSet<Place<'a>>> {
    let last = claims.iter().map(|(_, generation)| *generation).max().unwrap_or(-1);
    let mut claimed: BTreeMap<Place<'_>, usize> = BTreeMap::new();
    let mut valid: Vec<BTreeSet<Place<'_>>> = vec![BTreeSet::new(); members.len()];
    for ((member, (partitions, generation)), valid) in members.iter().zip(claims).zip(&mut valid) {
        for (topic, partition) in places(partitions) {
            let exists = counts.get(topic).is_some_and(|count| (0..*count).contains(&partition));
            if *generation == last && exists && member.topics.contains(topic) && valid.insert((topic, partition)) {
                *claimed.entry((topic, partition)).or_default() += 1;
            }
        }
    }
    for valid in &mut valid {
        valid.retain(|place| claimed.get(place) == Some(&1));
    }
    valid
}

/// All members want the same topics: each gets as many as any other, or one more.
fn equally<'a>(members: &[GroupMember], counts: &'a BTreeMap<String, i32>, shares: &mut [BTreeSet<Place<'a>>]) {
    let wanted = |topic: &str| members.first().is_some_and(|member| member.topics.contains(topic));
    let all: Vec<Place<'_>> = counts
        .iter()
        .filter(|(topic, _)| wanted(topic))
        .flat_map(|(topic, count)| (0..*count).map(|partition| (topic.as_str(), partition)))
        .collect();
    if members.is_empty() {
        return;
    }
    let (least, mut with_one_more) = (all.len() / members.len(), all.len() % members.len());
    for share in &mut *shares {
        let mut kept: Vec<Place<'_>> = share.iter().copied().collect();
        kept.sort_by_key(|(topic, partition)| (*partition, *topic));
        let may_have_more = kept.len() > least && with_one_more > 0;
        with_one_more -= usize::from(may_have_more);
        kept.truncate(least + usize::from(may_have_more));
        *share = kept.into_iter().collect();
    }
    let kept: BTreeSet<Place<'_>> = shares.iter().flatten().copied().collect();
    let mut next = 0;
    for place in all.into_iter().filter(|place| !kept.contains(place)) {
        // Those who have fewer than everybody will have come first.
        let some_need = shares.iter().any(|share| share.len() < least);
        let quota = if some_need { least } else { least + 1 };
        while shares[next % shares.len()].len() >= quota {
            next += 1;
        }
        let at = next % shares.len();
        shares[at].insert(place);
        next += 1;
    }
}

/// Members want different topics: what only few want is given out first, then single partitions move as long as that evens out.
fn balance<'a>(members: &[GroupMember], counts: &'a BTreeMap<String, i32>, shares: &mut [BTreeSet<Place<'a>>]) {
    let subscribers = |topic: &str| -> Vec<usize> {
        (0..members.len()).filter(|member| members[*member].topics.contains(topic)).collect()
    };
    let mut topics: Vec<(Vec<usize>, &str, i32)> =
        counts.iter().map(|(topic, count)| (subscribers(topic), topic.as_str(), *count)).collect();
    topics.retain(|(subscribers, _, _)| !subscribers.is_empty());
    topics.sort_by_key(|(subscribers, topic, _)| (subscribers.len(), *topic));
    let kept: BTreeSet<Place<'_>> = shares.iter().flatten().copied().collect();
    for (subscribers, topic, count) in &topics {
        for partition in (0..*count).filter(|partition| !kept.contains(&(*topic, *partition))) {
            let least = subscribers.iter().copied().min_by_key(|member| shares[*member].len());
            if let Some(member) = least {
                shares[member].insert((*topic, partition));
            }
        }
    }
    // Every move lowers the sum of the squares of the shares, so this ends.
    loop {
        let mut moved = false;
        for (subscribers, topic, count) in &topics {
            for partition in 0..*count {
                let place = (*topic, partition);
                let owner = subscribers.iter().copied().find(|member| shares[*member].contains(&place));
                let least = subscribers.iter().copied().min_by_key(|member| shares[*member].len());
                if let (Some(owner), Some(least)) = (owner, least)
                    && shares[owner].len() > shares[least].len() + 1
                {
                    shares[owner].remove(&place);
                    shares[least].insert(place);
                    moved = true;
                }
            }
        }
        if !moved {
            return;
        }
    }
}
