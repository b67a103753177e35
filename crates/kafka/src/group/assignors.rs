//! Which member reads which partition: decided by the member that leads the group, as Java's assignors decide.
//!
//! Members are ordered as Java orders them: static ones by their instance, then the others by their id. Racks (KIP-881) are not
//! looked at. What stays where it is: `sticky`. Source: the RangeAssignor and RoundRobinAssignor of Apache Kafka.

mod sticky;

use std::collections::{BTreeMap, BTreeSet};

use super::protocol::{self, Partitions, Subscription};
use crate::consumer::Assignor;

/// A member, as the leader of its group sees it.
#[derive(Clone, Debug)]
pub(super) struct GroupMember {
    pub(super) id: String,
    pub(super) instance: Option<String>,
    pub(super) topics: BTreeSet<String>,
    /// What else it has said.
    pub(super) subscription: Subscription,
}

/// Kafka's name of an assignor.
pub(super) fn name(assignor: Assignor) -> &'static str {
    match assignor {
        Assignor::Range => "range",
        Assignor::RoundRobin => "roundrobin",
        Assignor::Sticky => "sticky",
        Assignor::CooperativeSticky => "cooperative-sticky",
    }
}

/// What a member owns by its own words, and since which generation.
fn claim(assignor: Assignor, subscription: &Subscription) -> (Partitions, i32) {
    match assignor {
        Assignor::Range | Assignor::RoundRobin => (Partitions::new(), -1),
        // Such a member has given everything up before it joined, so only here it says what it had.
        Assignor::Sticky => protocol::decode_sticky(subscription.user_data.as_deref().unwrap_or_default())
            .unwrap_or((Partitions::new(), -1)),
        Assignor::CooperativeSticky => {
            let told = subscription.user_data.as_deref().and_then(|bytes| bytes.first_chunk());
            let generation = subscription.generation.or(told.map(|bytes| i32::from_be_bytes(*bytes)));
            (subscription.owned.clone(), generation.unwrap_or(-1))
        }
    }
}

/// The partitions of each member, by its id. `counts`: how many partitions the topics have; others do not exist.
pub(super) fn assign(
    assignor: Assignor,
    mut members: Vec<GroupMember>,
    counts: &BTreeMap<String, i32>,
) -> BTreeMap<String, Partitions> {
    members.sort_by(|a, b| order(a).cmp(&order(b)));
    let mut assigned = vec![Partitions::new(); members.len()];
    match assignor {
        Assignor::Range => range(&members, counts, &mut assigned),
        Assignor::RoundRobin => round_robin(&members, counts, &mut assigned),
        Assignor::Sticky | Assignor::CooperativeSticky => {
            let claims: Vec<_> = members.iter().map(|member| claim(assignor, &member.subscription)).collect();
            sticky::assign(&members, &claims, counts, &mut assigned);
            if assignor == Assignor::CooperativeSticky {
                sticky::withhold(&claims, &mut assigned);
            }
        }
    }
    members.into_iter().map(|member| member.id).zip(assigned).collect()
}

fn order(member: &GroupMember) -> (bool, &Option<String>, &String) {
    (member.instance.is_none(), &member.instance, &member.id)
}

/// By topic: consecutive partitions, the first members one more where the count does not divide.
fn range(members: &[GroupMember], counts: &BTreeMap<String, i32>, assigned: &mut [Partitions]) {
    for (topic, &count) in counts {
        let subscribers: Vec<usize> = (0..members.len()).filter(|&at| members[at].topics.contains(topic)).collect();
        let mut partitions = 0..count.max(0);
        for (at, &member) in subscribers.iter().enumerate() {
            let (each, more) =
                (partitions.end as usize / subscribers.len(), partitions.end as usize % subscribers.len());
            let quota = each + usize::from(at < more);
            let share: Vec<i32> = partitions.by_ref().take(quota).collect();
            if !share.is_empty() {
                assigned[member].insert(topic.clone(), share);
            }
        }
    }
}

/// The partitions of all topics in turn around the members, without those that are not subscribed.
fn round_robin(members: &[GroupMember], counts: &BTreeMap<String, i32>, assigned: &mut [Partitions]) {
    let mut next = 0;
    for (topic, &count) in counts {
        if !members.iter().any(|member| member.topics.contains(topic)) {
            continue;
        }
        for partition in 0..count {
            while !members[next % members.len()].topics.contains(topic) {
                next += 1;
            }
            assigned[next % members.len()].entry(topic.clone()).or_default().push(partition);
            next += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: &str, topics: &[&str]) -> GroupMember {
        let topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
        GroupMember { id: id.to_owned(), instance: None, topics, subscription: Subscription::default() }
    }

    /// The members, with what they own by an earlier assignment.
    fn owning(
        members: &[GroupMember],
        assigned: &BTreeMap<String, Partitions>,
        assignor: Assignor,
        generation: i32,
    ) -> Vec<GroupMember> {
        let owning = |member: &GroupMember| {
            let owned = assigned.get(&member.id).cloned().unwrap_or_default();
            let subscription = match assignor {
                Assignor::Sticky => Subscription {
                    user_data: Some(protocol::encode_sticky(&owned, generation)),
                    ..Subscription::default()
                },
                _ => Subscription { owned, generation: Some(generation), ..Subscription::default() },
            };
            GroupMember { subscription, ..member.clone() }
        };
        members.iter().map(owning).collect()
    }

    fn counts(topics: &[(&str, i32)]) -> BTreeMap<String, i32> {
        topics.iter().map(|(topic, count)| ((*topic).to_owned(), *count)).collect()
    }

    /// `a: t0-0 t1-0 t1-1; b: …`, by member.
    fn text(assigned: &BTreeMap<String, Partitions>) -> String {
        let member = |(id, partitions): (&String, &Partitions)| {
            let all = partitions
                .iter()
                .flat_map(|(topic, partitions)| partitions.iter().map(move |p| format!(" {topic}-{p}")));
            format!("{id}:{}", all.collect::<String>())
        };
        assigned.iter().map(member).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn partitions_go_where_java_puts_them() {
        let equal = [member("c", &["t0", "t1"]), member("a", &["t0", "t1"]), member("b", &["t0", "t1"])];
        let topics = counts(&[("t0", 3), ("t1", 4)]);
        let range = assign(Assignor::Range, equal.to_vec(), &topics);
        assert_eq!(text(&range), "a: t0-0 t1-0 t1-1; b: t0-1 t1-2; c: t0-2 t1-3");
        let round_robin = assign(Assignor::RoundRobin, equal.to_vec(), &topics);
        assert_eq!(text(&round_robin), "a: t0-0 t1-0 t1-3; b: t0-1 t1-1; c: t0-2 t1-2");

        let unequal = [member("a", &["t0"]), member("b", &["t0", "t1"]), member("c", &["t0", "t1", "t2"])];
        let topics = counts(&[("t0", 1), ("t1", 2), ("t2", 3)]);
        for assignor in [Assignor::Range, Assignor::RoundRobin] {
            let assigned = assign(assignor, unequal.to_vec(), &topics);
            assert_eq!(text(&assigned), "a: t0-0; b: t1-0; c: t1-1 t2-0 t2-1 t2-2", "{assignor:?}");
        }
        for assignor in [Assignor::Sticky, Assignor::CooperativeSticky] {
            let assigned = assign(assignor, unequal.to_vec(), &topics);
            assert_eq!(text(&assigned), "a: t0-0; b: t1-0 t1-1; c: t2-0 t2-1 t2-2", "{assignor:?}");
        }
    }

    #[test]
    fn sticky_assignors_move_no_more_than_balance_needs() {
        let all = ["a", "b", "c", "d"].map(|id| member(id, &["t0", "t1"]));
        let topics = counts(&[("t0", 3), ("t1", 4)]);
        for assignor in [Assignor::Sticky, Assignor::CooperativeSticky] {
            let first = assign(assignor, all[..3].to_vec(), &topics);
            assert_eq!(text(&first), "a: t0-0 t1-0 t1-3; b: t0-1 t1-1; c: t0-2 t1-2", "{assignor:?}");
            let same = assign(assignor, owning(&all[..3], &first, assignor, 4), &topics);
            assert_eq!(same, first, "{assignor:?}");
            // d comes: a gives up one; cooperatively d gets it only when a has given it up.
            let second = assign(assignor, owning(&all, &first, assignor, 4), &topics);
            if assignor == Assignor::Sticky {
                assert_eq!(text(&second), "a: t0-0 t1-0; b: t0-1 t1-1; c: t0-2 t1-2; d: t1-3");
            } else {
                assert_eq!(text(&second), "a: t0-0 t1-0; b: t0-1 t1-1; c: t0-2 t1-2; d:");
                let third = assign(assignor, owning(&all, &second, assignor, 5), &topics);
                assert_eq!(text(&third), "a: t0-0 t1-0; b: t0-1 t1-1; c: t0-2 t1-2; d: t1-3");
            }
        }
    }

    #[test]
    fn contradicting_claims_keep_nothing() {
        let members = [member("a", &["t"]), member("b", &["t"])];
        let topics = counts(&[("t", 4)]);
        let claims = |partitions: &[i32]| Partitions::from([("t".to_owned(), partitions.to_vec())]);
        let mut claiming = owning(&members, &BTreeMap::new(), Assignor::Sticky, 0);
        let claim = |partitions: &[i32], generation| Some(protocol::encode_sticky(&claims(partitions), generation));
        // The same generation: 1 is nobody's, and goes where one is missing. An older one: b keeps nothing by it.
        claiming[0].subscription.user_data = claim(&[1, 2], 7);
        claiming[1].subscription.user_data = claim(&[1, 3], 7);
        let assigned = assign(Assignor::Sticky, claiming.clone(), &topics);
        assert_eq!(text(&assigned), "a: t-0 t-2; b: t-1 t-3");
        claiming[1].subscription.user_data = claim(&[0, 1], 6);
        let assigned = assign(Assignor::Sticky, claiming.clone(), &topics);
        assert_eq!(text(&assigned), "a: t-1 t-2; b: t-0 t-3");
        // Garbage is no claim.
        claiming[0].subscription.user_data = Some(bytes::Bytes::from_static(b"\x7f\xff\xff\xff"));
        claiming[1].subscription.user_data = None;
        assert_eq!(text(&assign(Assignor::Sticky, claiming, &topics)), "a: t-0 t-2; b: t-1 t-3");
    }

    /// Members come, go and change what they want: nothing has two owners, and what moves has been given up before.
    #[test]
    fn cooperative_rounds_come_to_an_end_and_never_give_a_partition_twice() {
        let mut random = fastrand::Rng::with_seed(9);
        for _ in 0..200 {
            let topics: BTreeMap<String, i32> =
                (0..random.usize(1..4)).map(|t| (format!("t{t}"), random.i32(1..7))).collect();
            let equal = random.bool();
            let mut owned: BTreeMap<String, Partitions> = BTreeMap::new();
            for generation in 0..6 {
                let members: Vec<GroupMember> = (0..random.usize(1..6))
                    .map(|at| {
                        let names: Vec<&str> =
                            topics.keys().map(String::as_str).filter(|_| equal || random.bool()).collect();
                        member(&format!("m{at}"), &names)
                    })
                    .collect();
                owned.retain(|id, _| members.iter().any(|member| member.id == *id));
                let mut rounds = 0;
                loop {
                    let claiming = owning(&members, &owned, Assignor::CooperativeSticky, generation);
                    let assigned = assign(Assignor::CooperativeSticky, claiming, &topics);
                    let all = |shares: &BTreeMap<String, Partitions>| -> Vec<(String, i32)> {
                        let places = shares.values().flatten();
                        places.flat_map(|(topic, ps)| ps.iter().map(move |p| (topic.clone(), *p))).collect()
                    };
                    let (given, distinct) = (all(&assigned), all(&assigned).into_iter().collect::<BTreeSet<_>>());
                    assert_eq!(given.len(), distinct.len(), "two owners");
                    let moved = owned.iter().flat_map(|(id, partitions)| {
                        partitions.iter().flat_map(move |(topic, ps)| ps.iter().map(move |p| (id, topic, *p)))
                    });
                    for (id, topic, partition) in moved {
                        let others = assigned.iter().filter(|(other, _)| *other != id);
                        for (_, shares) in others {
                            assert!(!shares.get(topic).is_some_and(|ps| ps.contains(&partition)), "not given up yet");
                        }
                    }
                    let wanted: usize = topics
                        .iter()
                        .filter(|(topic, _)| members.iter().any(|member| member.topics.contains(*topic)))
                        .map(|(_, count)| *count as usize)
                        .sum();
                    owned = assigned;
                    rounds += 1;
                    if distinct.len() == wanted {
                        break;
                    }
                    assert!(rounds < 10, "it comes to an end");
                }
            }
        }
    }

    #[test]
    fn static_members_come_first_by_their_instance() {
        let topics = counts(&[("t", 3)]);
        let instance =
            |id: &str, instance: &str| GroupMember { instance: Some(instance.to_owned()), ..member(id, &["t"]) };
        let members = vec![member("a", &["t"]), instance("z", "1"), instance("y", "2")];
        let assigned = assign(Assignor::Range, members, &topics);
        assert_eq!(text(&assigned), "a: t-2; y: t-1; z: t-0");
    }

    #[test]
    fn every_partition_has_one_owner_who_subscribed_to_it() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..500 {
            let topics: BTreeMap<String, i32> =
                (0..random.usize(0..5)).map(|t| (format!("t{t}"), random.i32(0..7))).collect();
            let members: Vec<GroupMember> = (0..random.usize(1..6))
                .map(|at| {
                    let chosen = (0..6).filter(|_| random.bool()).map(|t| format!("t{t}")).collect();
                    GroupMember {
                        id: format!("m{at}"),
                        instance: random.bool().then(|| format!("i{at}")),
                        topics: chosen,
                        subscription: Subscription::default(),
                    }
                })
                .collect();
            for assignor in [Assignor::Range, Assignor::RoundRobin, Assignor::Sticky, Assignor::CooperativeSticky] {
                let assigned = assign(assignor, members.clone(), &topics);
                let mut owners = BTreeMap::new();
                for member in &members {
                    for (topic, partitions) in &assigned[&member.id] {
                        assert!(member.topics.contains(topic));
                        for partition in partitions {
                            assert_eq!(owners.insert((topic.clone(), *partition), &member.id), None, "two owners");
                        }
                    }
                }
                let wanted = topics.iter().filter(|(topic, _)| members.iter().any(|m| m.topics.contains(*topic)));
                assert_eq!(owners.len(), wanted.map(|(_, count)| *count as usize).sum::<usize>(), "{assignor:?}");
            }
        }
    }
}
