//! Which member reads which partition: decided by the member that leads the group, as Java's assignors decide.
//!
//! Members are ordered as Java orders them: static ones by their instance, then the others by their id. Racks (KIP-881) are not
//! looked at. Source: the RangeAssignor and RoundRobinAssignor of Apache Kafka.

use std::collections::{BTreeMap, BTreeSet};

use super::protocol::Partitions;
use crate::consumer::Assignor;

/// A member, as the leader of its group sees it.
#[derive(Clone, Debug)]
pub(super) struct GroupMember {
    pub(super) id: String,
    pub(super) instance: Option<String>,
    pub(super) topics: BTreeSet<String>,
}

/// Kafka's name of an assignor.
pub(super) fn name(assignor: Assignor) -> &'static str {
    match assignor {
        Assignor::Range => "range",
        Assignor::RoundRobin => "roundrobin",
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
        GroupMember { id: id.to_owned(), instance: None, topics }
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
                    }
                })
                .collect();
            for assignor in [Assignor::Range, Assignor::RoundRobin] {
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
