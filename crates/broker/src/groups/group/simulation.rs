//! Many clients that join, die, leave, stall and commit at random under a clock of their own, and a broker that now and
//! then forgets its members: the same seed, the same story. What must hold at any moment, and that it comes to rest.
//!
//! `POSTERN_SIMULATION_SEEDS` runs more seeds than the usual ones.

use std::collections::HashSet;

use super::*;

const PARTITIONS: u8 = 6;
const CLIENTS: usize = 5;
const STEPS: usize = 2_000;

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// What a client believes.
enum State {
    Out,
    Joining(oneshot::Receiver<Joined>),
    Syncing { id: StrBytes, generation: i32, answer: oneshot::Receiver<Synced> },
    Member { id: StrBytes, generation: i32 },
}

struct World {
    group: Group,
    now: Instant,
    random: Random,
    clients: Vec<State>,
    instances: Vec<Option<StrBytes>>,
    /// Who was given a partition, by life of the broker and generation.
    owners: HashMap<(u32, i32, u8), StrBytes>,
    life: u32,
    /// Memberships that a client has gone from, or was told to have lost.
    past: Vec<(StrBytes, i32)>,
    fenced: HashSet<(StrBytes, i32)>,
    rebalances: usize,
}

impl World {
    fn new(seed: u64) -> World {
        let instance = |n: usize| (n == 0).then(|| StrBytes::from_static_str("static"));
        World {
            group: Group::default(),
            now: Instant::now(),
            random: Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            clients: (0..CLIENTS).map(|_| State::Out).collect(),
            instances: (0..CLIENTS).map(instance).collect(),
            owners: HashMap::new(),
            life: 0,
            past: Vec::new(),
            fenced: HashSet::new(),
            rebalances: 0,
        }
    }

    fn join(&mut self, client: usize, id: StrBytes) {
        let (answer, answered) = oneshot::channel();
        let join = Join {
            member_id: id,
            instance: self.instances[client].clone(),
            client_id: StrBytes::from_static_str("c"),
            host: String::new(),
            session_timeout: Duration::from_secs(10),
            rebalance_timeout: Duration::from_secs(30),
            protocol_type: StrBytes::from_static_str("consumer"),
            protocols: vec![(StrBytes::from_static_str("range"), Bytes::from(vec![client as u8]))],
            takes_promises: client.is_multiple_of(2),
            may_skip_assignment: true,
        };
        self.group.join(join, self.now, answer);
        self.clients[client] = State::Joining(answered);
    }

    fn joined(&mut self, client: usize, joined: Joined) {
        match joined.error {
            Some(ResponseError::MemberIdRequired) => return self.join(client, joined.member_id),
            Some(_) => return self.clients[client] = State::Out,
            None => {}
        }
        let mut assignments: Vec<(StrBytes, Vec<u8>)> =
            joined.members.iter().map(|(id, ..)| (id.clone(), Vec::new())).collect();
        let count = assignments.len();
        for partition in (0..PARTITIONS).filter(|_| count > 0) {
            assignments[usize::from(partition) % count].1.push(partition);
        }
        self.rebalances += usize::from(count > 0);
        let (answer, answered) = oneshot::channel();
        let (id, generation) = (joined.member_id, joined.generation);
        let sync = Sync {
            member_id: id.clone(),
            instance: self.instances[client].clone(),
            generation,
            protocol_type: None,
            protocol: joined.protocol,
            assignments: assignments.into_iter().map(|(id, partitions)| (id, Bytes::from(partitions))).collect(),
        };
        self.group.sync(sync, self.now, answer);
        self.clients[client] = State::Syncing { id, generation, answer: answered };
    }

    fn synced(&mut self, client: usize, id: StrBytes, generation: i32, synced: Synced) {
        match synced.error {
            Some(ResponseError::RebalanceInProgress) => return self.join(client, id),
            Some(_) => return self.clients[client] = State::Out,
            None => {}
        }
        for partition in &synced.assignment {
            let owner = self.owners.entry((self.life, generation, *partition)).or_insert_with(|| id.clone());
            // A static member may have come back under another id, whose place this is.
            let is_static = [&*owner, &id].iter().all(|id| id.starts_with("static"));
            assert!(*owner == id || is_static, "partition {partition} has two owners in generation {generation}");
        }
        self.clients[client] = State::Member { id, generation };
    }

    /// Lets a client do what it would do next.
    fn act(&mut self, client: usize) {
        match std::mem::replace(&mut self.clients[client], State::Out) {
            State::Out => self.join(client, StrBytes::new()),
            State::Joining(mut answer) => match answer.try_recv() {
                Ok(joined) => self.joined(client, joined),
                Err(oneshot::error::TryRecvError::Empty) => self.clients[client] = State::Joining(answer),
                Err(oneshot::error::TryRecvError::Closed) => {}
            },
            State::Syncing { id, generation, mut answer } => match answer.try_recv() {
                Ok(synced) => self.synced(client, id, generation, synced),
                Err(oneshot::error::TryRecvError::Empty) => {
                    self.clients[client] = State::Syncing { id, generation, answer };
                }
                Err(oneshot::error::TryRecvError::Closed) => {}
            },
            State::Member { id, generation } => {
                let instance = self.instances[client].clone();
                match self.group.heartbeat(&id, instance.as_ref(), generation, self.now) {
                    Ok(()) => self.clients[client] = State::Member { id, generation },
                    Err(ResponseError::RebalanceInProgress) => self.join(client, id),
                    Err(_) => {
                        self.fenced.insert((id.clone(), generation));
                        self.past.push((id, generation));
                    }
                }
            }
        }
    }

    /// A client that thinks itself a member, or once did, commits.
    fn commit(&mut self, id: &StrBytes, generation: i32) {
        match self.group.may_commit(id, None, generation, self.now) {
            Ok(()) => {
                assert!(!self.fenced.contains(&(id.clone(), generation)), "a fenced member commits");
                assert_eq!(generation, self.group.generation);
            }
            Err(ResponseError::RebalanceInProgress) => {}
            Err(_) => drop(self.fenced.insert((id.clone(), generation))),
        }
    }

    fn disturb(&mut self) {
        let client = self.random.below(CLIENTS as u64) as usize;
        match self.random.below(100) {
            // It dies: what it waited for is dropped with it, nobody is told.
            0..4 => {
                if let State::Member { id, generation } = std::mem::replace(&mut self.clients[client], State::Out) {
                    self.past.push((id, generation));
                }
            }
            4..7 => {
                if let State::Member { id, generation } = std::mem::replace(&mut self.clients[client], State::Out) {
                    let instance = self.instances[client].clone();
                    let _ = self.group.leave(&id, instance.as_ref(), self.now);
                    self.past.push((id, generation));
                }
            }
            7..15 if !self.past.is_empty() => {
                let at = self.random.below(self.past.len() as u64) as usize;
                let (id, generation) = self.past[at].clone();
                self.commit(&id, generation);
            }
            15..25 => {
                if let State::Member { id, generation } = &self.clients[client] {
                    let (id, generation) = (id.clone(), *generation);
                    if self.instances[client].is_none() {
                        self.commit(&id, generation);
                    }
                }
            }
            25 => self.now += Duration::from_secs(self.random.below(40)),
            // The broker starts anew: members are not kept, clients see their connections die.
            26 if self.random.below(4) == 0 => {
                self.group = Group::default();
                self.life += 1;
                for client in &mut self.clients {
                    if matches!(client, State::Joining(_) | State::Syncing { .. }) {
                        *client = State::Out;
                    }
                }
            }
            _ => self.act(client),
        }
    }
}

fn live(seed: u64) {
    let mut world = World::new(seed);
    for _ in 0..STEPS {
        world.now += Duration::from_millis(world.random.below(1500));
        world.group.expire(world.now);
        world.disturb();
    }
    // Peace: nobody dies any more, and everybody acts every second.
    for _ in 0..120 {
        world.now += Duration::from_secs(1);
        world.group.expire(world.now);
        (0..CLIENTS).for_each(|client| world.act(client));
    }
    assert_eq!((world.group.phase, world.group.members.len()), (Phase::Stable, CLIENTS), "seed {seed}");
    let mut assigned: Vec<u8> = world.group.members.values().flat_map(|member| member.assignment.to_vec()).collect();
    assigned.sort_unstable();
    assert_eq!(assigned, (0..PARTITIONS).collect::<Vec<_>>(), "seed {seed}");
    for client in &world.clients {
        assert!(matches!(client, State::Member { generation, .. } if *generation == world.group.generation));
    }
    assert!(world.rebalances > 20, "seed {seed}: {} rebalances only", world.rebalances);
}

#[test]
fn partitions_have_one_owner_rebalances_end_and_the_fenced_never_commit() {
    let seeds = std::env::var("POSTERN_SIMULATION_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(60);
    (1..=seeds).for_each(live);
}
