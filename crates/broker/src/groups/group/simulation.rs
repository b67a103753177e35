//! A seeded simulation: clients that join, crash, leave, stall and commit at random on a virtual clock, and a broker that
//! sometimes restarts. Checks invariants after each step, and that the group becomes stable in the end.
//!
//! `POSTERN_SIMULATION_SEEDS` runs more seeds than the usual ones.

use std::collections::HashSet;

use super::*;

const PARTITIONS: u8 = 6;
const CLIENTS: usize = 5;
const STEPS: usize = 2_000;

/// The state of a client as it knows it.
enum ClientState {
    Out,
    Joining(oneshot::Receiver<JoinResponse>),
    Syncing { id: StrBytes, generation: i32, answer: oneshot::Receiver<SyncResponse> },
    Member { id: StrBytes, generation: i32 },
}

struct World {
    group: Group,
    now: Instant,
    random: fastrand::Rng,
    clients: Vec<ClientState>,
    instances: Vec<Option<StrBytes>>,
    /// The member that a partition was assigned to, by incarnation of the broker and generation.
    owners: HashMap<(u32, i32, u8), StrBytes>,
    incarnation: u32,
    /// Memberships that a client gave up or lost.
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
            random: fastrand::Rng::with_seed(seed),
            clients: (0..CLIENTS).map(|_| ClientState::Out).collect(),
            instances: (0..CLIENTS).map(instance).collect(),
            owners: HashMap::new(),
            incarnation: 0,
            past: Vec::new(),
            fenced: HashSet::new(),
            rebalances: 0,
        }
    }

    fn join(&mut self, client: usize, id: StrBytes) {
        let (answer, answered) = oneshot::channel();
        let join = JoinRequest {
            member_id: id,
            instance: self.instances[client].clone(),
            client_id: StrBytes::from_static_str("c"),
            host: String::new(),
            session_timeout: Duration::from_secs(10),
            rebalance_timeout: Duration::from_secs(30),
            protocol_type: StrBytes::from_static_str("consumer"),
            protocols: vec![(StrBytes::from_static_str("range"), Bytes::from(vec![client as u8]))],
            requires_known_member_id: client.is_multiple_of(2),
            may_skip_assignment: true,
        };
        self.group.join(join, self.now, answer);
        self.clients[client] = ClientState::Joining(answered);
    }

    fn joined(&mut self, client: usize, joined: JoinResponse) {
        match joined.error {
            Some(ResponseError::MemberIdRequired) => return self.join(client, joined.member_id),
            Some(_) => return self.clients[client] = ClientState::Out,
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
        let sync = SyncRequest {
            member_id: id.clone(),
            instance: self.instances[client].clone(),
            generation,
            protocol_type: None,
            protocol: joined.protocol,
            assignments: assignments.into_iter().map(|(id, partitions)| (id, Bytes::from(partitions))).collect(),
        };
        self.group.sync(sync, self.now, answer);
        self.clients[client] = ClientState::Syncing { id, generation, answer: answered };
    }

    fn synced(&mut self, client: usize, id: StrBytes, generation: i32, synced: SyncResponse) {
        match synced.error {
            Some(ResponseError::RebalanceInProgress) => return self.join(client, id),
            Some(_) => return self.clients[client] = ClientState::Out,
            None => {}
        }
        for partition in &synced.assignment {
            let owner = self.owners.entry((self.incarnation, generation, *partition)).or_insert_with(|| id.clone());
            // A static member may have returned under another id.
            let is_static = [&*owner, &id].iter().all(|id| id.starts_with("static"));
            assert!(*owner == id || is_static, "partition {partition} has two owners in generation {generation}");
        }
        self.clients[client] = ClientState::Member { id, generation };
    }

    /// Does what the client would do next.
    fn act(&mut self, client: usize) {
        match std::mem::replace(&mut self.clients[client], ClientState::Out) {
            ClientState::Out => self.join(client, StrBytes::new()),
            ClientState::Joining(mut answer) => match answer.try_recv() {
                Ok(joined) => self.joined(client, joined),
                Err(oneshot::error::TryRecvError::Empty) => self.clients[client] = ClientState::Joining(answer),
                Err(oneshot::error::TryRecvError::Closed) => {}
            },
            ClientState::Syncing { id, generation, mut answer } => match answer.try_recv() {
                Ok(synced) => self.synced(client, id, generation, synced),
                Err(oneshot::error::TryRecvError::Empty) => {
                    self.clients[client] = ClientState::Syncing { id, generation, answer };
                }
                Err(oneshot::error::TryRecvError::Closed) => {}
            },
            ClientState::Member { id, generation } => {
                let instance = self.instances[client].clone();
                match self.group.heartbeat(&id, instance.as_ref(), generation, self.now) {
                    Ok(()) => self.clients[client] = ClientState::Member { id, generation },
                    Err(ResponseError::RebalanceInProgress) => self.join(client, id),
                    Err(_) => {
                        self.fenced.insert((id.clone(), generation));
                        self.past.push((id, generation));
                    }
                }
            }
        }
    }

    /// A client that is, or once was, a member commits.
    fn commit(&mut self, id: &StrBytes, generation: i32) {
        match self.group.check_commit(id, None, generation, self.now) {
            Ok(()) => {
                assert!(!self.fenced.contains(&(id.clone(), generation)), "a fenced member commits");
                assert_eq!(generation, self.group.generation);
            }
            Err(ResponseError::RebalanceInProgress) => {}
            Err(_) => drop(self.fenced.insert((id.clone(), generation))),
        }
    }

    fn disturb(&mut self) {
        let client = self.random.usize(..CLIENTS);
        match self.random.u64(..100) {
            // It crashes: the response it waited for is dropped.
            0..4 => {
                if let ClientState::Member { id, generation } =
                    std::mem::replace(&mut self.clients[client], ClientState::Out)
                {
                    self.past.push((id, generation));
                }
            }
            4..7 => {
                if let ClientState::Member { id, generation } =
                    std::mem::replace(&mut self.clients[client], ClientState::Out)
                {
                    let instance = self.instances[client].clone();
                    let _ = self.group.leave(&id, instance.as_ref(), self.now);
                    self.past.push((id, generation));
                }
            }
            7..15 if !self.past.is_empty() => {
                let at = self.random.usize(..self.past.len());
                let (id, generation) = self.past[at].clone();
                self.commit(&id, generation);
            }
            15..25 => {
                if let ClientState::Member { id, generation } = &self.clients[client] {
                    let (id, generation) = (id.clone(), *generation);
                    if self.instances[client].is_none() {
                        self.commit(&id, generation);
                    }
                }
            }
            25 => self.now += Duration::from_secs(self.random.u64(..40)),
            // The broker restarts: members are not kept, and connections are closed.
            26 if self.random.u64(..4) == 0 => {
                self.group = Group::default();
                self.incarnation += 1;
                for client in &mut self.clients {
                    if matches!(client, ClientState::Joining(_) | ClientState::Syncing { .. }) {
                        *client = ClientState::Out;
                    }
                }
            }
            _ => self.act(client),
        }
    }
}

fn simulate(seed: u64) {
    let mut world = World::new(seed);
    for _ in 0..STEPS {
        world.now += Duration::from_millis(world.random.u64(..1500));
        world.group.expire(world.now);
        world.disturb();
    }
    // No more disturbances: every client acts every second.
    for _ in 0..120 {
        world.now += Duration::from_secs(1);
        world.group.expire(world.now);
        (0..CLIENTS).for_each(|client| world.act(client));
    }
    assert_eq!((world.group.state, world.group.members.len()), (GroupState::Stable, CLIENTS), "seed {seed}");
    let mut assigned: Vec<u8> = world.group.members.values().flat_map(|member| member.assignment.to_vec()).collect();
    assigned.sort_unstable();
    assert_eq!(assigned, (0..PARTITIONS).collect::<Vec<_>>(), "seed {seed}");
    for client in &world.clients {
        assert!(matches!(client, ClientState::Member { generation, .. } if *generation == world.group.generation));
    }
    assert!(world.rebalances > 20, "seed {seed}: {} rebalances only", world.rebalances);
}

#[test]
fn partitions_have_one_owner_rebalances_end_and_fenced_members_never_commit() {
    let seeds = std::env::var("POSTERN_SIMULATION_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(60);
    (1..=seeds).for_each(simulate);
}
