//! The task of a consumer's membership: it joins, gives up and takes partitions, sends heartbeats, commits and leaves, whether the
//! consumer is polled or not.

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
    time::{Instant, sleep, sleep_until, timeout_at},
};

use super::{
    assignment::Assignment,
    join::{self, Joined, Joining, Refused},
    link::{GroupLink, Identity},
    protocol::Partitions,
};
use crate::{
    Error, PartitionId, TopicName, TopicPartition,
    connection::{Backoff, far_future},
    consumer::{CommitOffset, ConsumerSettings, Subscription},
    error::ErrorCode,
    metadata::Metadata,
};

/// A commit before partitions are given up takes no longer, so that the others of the group need not wait.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(5);
/// Leaving takes no longer; the session ends by itself then.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);
/// A subscribed topic that is missing is looked up so often.
const MISSING_LOOK_UP: Duration = Duration::from_secs(1);
/// A refusal that joining again would not cure is tried again after this, if the consumer is still polled.
const REFUSED_PAUSE: Duration = Duration::from_secs(1);

/// What the consumer wants of its task.
#[derive(Clone, Debug)]
enum Wanted {
    /// No group: nothing is read, or what the caller has named.
    Alone,
    Group {
        epoch: u64,
        subscription: Subscription,
    },
    /// `for_good`: a static member leaves, too.
    Closed {
        for_good: bool,
    },
}

/// Whether the consumer is a member now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Membership {
    /// It is in no group, and needs none.
    None,
    Joining,
    Stable(Identity),
}

/// A consumer's hold on its task. When it goes, the task commits, leaves and ends.
pub(crate) struct Member {
    wanted: watch::Sender<Wanted>,
    membership: watch::Receiver<Membership>,
    /// Asks for a heartbeat now, or for another attempt to join.
    wake: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Member {
    /// Must be called inside a runtime.
    pub(crate) fn start(
        settings: Arc<ConsumerSettings>,
        link: Arc<GroupLink>,
        metadata: Arc<Metadata>,
        assignment: Arc<Assignment>,
    ) -> Member {
        let (wanted, orders) = watch::channel(Wanted::Alone);
        let (reported, membership) = watch::channel(Membership::None);
        let wake = Arc::new(Notify::new());
        let task = MemberTask {
            settings,
            link,
            metadata,
            assignment,
            orders,
            reported,
            wake: wake.clone(),
            member_id: String::new(),
            generation: -1,
            last: Partitions::new(),
        };
        Member { wanted, membership, wake, task: tokio::spawn(task.run()) }
    }

    pub(crate) fn subscribe(&self, epoch: u64, subscription: Subscription) {
        self.wanted.send_replace(Wanted::Group { epoch, subscription });
    }

    pub(crate) fn alone(&self) {
        self.wanted.send_replace(Wanted::Alone);
    }

    /// Learns sooner what the coordinator has to say.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Who commits: the member of the group, waited for while it joins; nobody in particular where there is no subscription.
    ///
    /// # Errors
    /// It is no member by `deadline`.
    pub(crate) async fn identity(&mut self, deadline: Instant) -> Result<Identity, Error> {
        // What was wanted last may not have reached the task: a group that is being left counts on its members.
        let in_group = matches!(*self.wanted.borrow(), Wanted::Group { .. });
        let settled = self.membership.wait_for(|membership| match membership {
            Membership::Stable(_) => in_group,
            Membership::None => !in_group,
            Membership::Joining => false,
        });
        match timeout_at(deadline, settled).await {
            Ok(Ok(membership)) => match &*membership {
                Membership::Stable(identity) => Ok(identity.clone()),
                Membership::None | Membership::Joining => Ok(Identity::none()),
            },
            Ok(Err(_)) | Err(_) => Err(ErrorCode::REBALANCE_IN_PROGRESS.error(None)),
        }
    }

    /// Waits until the member is in another generation than that of `identity`.
    pub(crate) async fn after(&mut self, identity: &Identity, deadline: Instant) {
        self.wake();
        let other = self.membership.wait_for(|membership| *membership != Membership::Stable(identity.clone()));
        let _ = timeout_at(deadline, other).await;
    }

    /// Commits and leaves; a static member only if it is `for_good`.
    ///
    /// # Errors
    /// Not done by `deadline`; the task goes on.
    pub(crate) async fn close(mut self, for_good: bool, deadline: Instant) -> Result<(), Error> {
        self.wanted.send_replace(Wanted::Closed { for_good });
        match timeout_at(deadline, &mut self.task).await {
            Ok(_) => Ok(()),
            Err(_) => Err(ErrorCode::REQUEST_TIMED_OUT.error(Some("the group was not left in time"))),
        }
    }
}

/// Why a member does not stay as it is.
enum Ended {
    /// Another round of the group.
    Rebalance,
    /// The group does not know the member, or has gone on without it: everything owned is lost.
    Lost,
    Final(Error),
}

struct MemberTask {
    settings: Arc<ConsumerSettings>,
    link: Arc<GroupLink>,
    metadata: Arc<Metadata>,
    assignment: Arc<Assignment>,
    orders: watch::Receiver<Wanted>,
    reported: watch::Sender<Membership>,
    wake: Arc<Notify>,
    /// Empty: it has none.
    member_id: String,
    /// Negative: it is in none.
    generation: i32,
    /// What that generation has given it.
    last: Partitions,
}

impl MemberTask {
    async fn run(mut self) {
        let mut orders = self.orders.clone();
        let mut leaves_for_good = false;
        loop {
            let wanted = orders.borrow_and_update().clone();
            self.commit_left().await;
            let ended = match wanted {
                Wanted::Closed { for_good } => {
                    leaves_for_good = for_good;
                    break;
                }
                Wanted::Alone => tokio::select! {
                    changed = orders.changed() => changed,
                    () = self.read_alone() => Ok(()),
                },
                Wanted::Group { epoch, subscription } => tokio::select! {
                    changed = orders.changed() => changed,
                    () = self.participate(epoch, &subscription) => Ok(()),
                },
            };
            if ended.is_err() {
                break; // the consumer was dropped
            }
        }
        self.commit().await;
        self.leave(leaves_for_good).await;
    }

    // === Offsets ===

    fn identity(&self) -> Identity {
        match self.generation {
            ..0 => Identity::none(),
            generation => Identity { member_id: self.member_id.clone(), generation },
        }
    }

    /// What the caller has given up is committed, where that happens by itself.
    async fn commit_left(&self) {
        self.commit().await;
        self.assignment.forget_left();
    }

    /// Commits what was confirmed, where that happens by itself. What fails is committed the next time, or read again by the next
    /// owner.
    async fn commit(&self) {
        if self.settings.auto_commit.is_none() {
            return;
        }
        let positions = self.assignment.to_commit();
        if positions.is_empty() {
            return;
        }
        let offsets: Vec<CommitOffset> = positions.iter().map(CommitOffset::of).collect();
        match self.link.commit(&self.identity(), &offsets, Instant::now() + COMMIT_TIMEOUT).await {
            Ok(()) => self.assignment.committed(&positions),
            Err(failed) => tracing::debug!(error = %failed.error, "positions could not be committed"),
        }
    }

    fn next_commit(&self) -> Instant {
        self.settings.auto_commit.map_or_else(far_future, |interval| Instant::now() + interval)
    }

    // === Without a group ===

    /// Commits at the interval; never returns.
    async fn read_alone(&mut self) {
        self.leave(true).await;
        self.reported.send_replace(Membership::None);
        loop {
            sleep_until(self.next_commit()).await;
            self.commit().await;
        }
    }

    // === In a group ===

    /// Is a member for as long as that is wanted. Dropped wherever it waits when something else is wanted.
    async fn participate(&mut self, epoch: u64, subscription: &Subscription) {
        let mut backoff = Backoff::RECONNECT;
        let mut heard = Instant::now();
        loop {
            self.reported.send_replace(Membership::Joining);
            let ended = match self.rejoin(epoch, subscription).await {
                Ok(joined) => {
                    backoff.reset();
                    self.reported.send_replace(Membership::Stable(joined.identity.clone()));
                    let ended = self.stay(subscription, joined).await;
                    heard = Instant::now();
                    ended
                }
                Err(Refused::Again) => {
                    sleep(backoff.next()).await;
                    Ended::Rebalance
                }
                Err(Refused::Unknown) => {
                    sleep(backoff.next()).await;
                    Ended::Lost
                }
                Err(Refused::Later(error)) => {
                    tracing::debug!(%error, "the group cannot be joined now");
                    sleep(backoff.next()).await;
                    // What was kept for a cooperative round is another's when the session is over.
                    let is_over = heard.elapsed() >= self.settings.session_timeout;
                    if is_over && self.settings.is_cooperative() { Ended::Lost } else { Ended::Rebalance }
                }
                Err(Refused::Final(error)) => Ended::Final(error),
            };
            match ended {
                Ended::Rebalance => {}
                Ended::Lost => {
                    self.forget_membership();
                    self.assignment.lose(epoch);
                }
                Ended::Final(error) => {
                    self.reported.send_replace(Membership::Joining);
                    self.forget_membership();
                    self.assignment.lose(epoch);
                    let is_fenced = error.name == ErrorCode::FENCED_INSTANCE_ID.name();
                    self.assignment.failed(epoch, error.clone());
                    sleep(REFUSED_PAUSE).await;
                    loop {
                        self.wake.notified().await; // the consumer is polled
                        if !is_fenced {
                            break;
                        }
                        // Two members with one instance would throw each other out for ever.
                        self.assignment.failed(epoch, error.clone());
                    }
                }
            }
        }
    }

    fn forget_membership(&mut self) {
        self.member_id.clear();
        self.generation = -1;
        self.last.clear();
    }

    /// Takes part in a round, and in another one where a cooperative round has taken partitions away: their new owner waits for that.
    async fn rejoin(&mut self, epoch: u64, subscription: &Subscription) -> Result<Joined, Refused> {
        loop {
            let joined = self.join_round(epoch, subscription).await?;
            let assigned = partitions(&joined);
            if !self.settings.is_cooperative() {
                self.assignment.assigned(epoch, self.generation, assigned);
                return Ok(joined);
            }
            if !self.assignment.assigned_cooperatively(epoch, self.generation, &assigned) {
                return Ok(joined);
            }
            self.commit().await;
            self.assignment.forget_given_up();
        }
    }

    /// A round. Everything is given up before it, unless the group is cooperative.
    async fn join_round(&mut self, epoch: u64, subscription: &Subscription) -> Result<Joined, Refused> {
        let mut owned = Partitions::new();
        if self.settings.is_cooperative() {
            for TopicPartition { topic, partition } in self.assignment.kept(epoch) {
                owned.entry(topic.as_str().to_owned()).or_default().push(partition.0);
            }
        } else {
            self.assignment.give_up(epoch, self.generation);
        }
        self.commit().await;
        let topics = match subscription {
            Subscription::Topics(topics) => topics.clone(),
            Subscription::Pattern(_) => {
                let topics = self.matching(subscription).await.map_err(Refused::Later)?;
                self.assignment.matched(epoch, topics.clone());
                topics
            }
        };
        let joining = Joining { topics: &topics, owned, last: (&self.last, self.generation) };
        let joined = join::join(&self.link, &self.metadata, &self.settings, &mut self.member_id, joining).await?;
        self.generation = joined.identity.generation;
        self.link.network().rebalances.fetch_add(1, Relaxed);
        self.last.clone_from(&joined.assigned);
        Ok(joined)
    }

    /// Sends heartbeats and commits until the group goes on to another round.
    async fn stay(&self, subscription: &Subscription, joined: Joined) -> Ended {
        let subscribed: BTreeSet<TopicName> = match subscription {
            Subscription::Topics(_) => BTreeSet::new(),
            Subscription::Pattern(_) => self.assignment.topics().into_iter().collect(),
        };
        let mut heard = Instant::now();
        let mut heartbeat = heard + self.settings.heartbeat_interval;
        let mut commit = self.next_commit();
        let mut look_up = self.next_look_up(&joined);
        loop {
            tokio::select! {
                () = sleep_until(heartbeat) => {}
                () = self.wake.notified() => {}
                () = sleep_until(commit) => {
                    self.commit().await;
                    commit = self.next_commit();
                    continue;
                }
                () = sleep_until(look_up) => {
                    if self.topics_have_changed(subscription, &subscribed, &joined).await {
                        return Ended::Rebalance;
                    }
                    look_up = self.next_look_up(&joined);
                    continue;
                }
            }
            let session_ends = heard + self.settings.session_timeout;
            match self.link.heartbeat(&joined.identity, session_ends).await {
                Ok(ErrorCode::NONE) => heard = Instant::now(),
                Ok(ErrorCode::REBALANCE_IN_PROGRESS) => return Ended::Rebalance,
                Ok(ErrorCode::ILLEGAL_GENERATION | ErrorCode::UNKNOWN_MEMBER_ID) => return Ended::Lost,
                Ok(code) if code.error(None).is_transient() => {}
                Ok(code) => return Ended::Final(code.error(None)),
                // Whether the coordinator still counts on this member is told when it joins again.
                Err(error) if error.is_transient() => return Ended::Rebalance,
                Err(error) => return Ended::Final(error),
            }
            heartbeat = Instant::now() + self.settings.heartbeat_interval;
        }
    }

    /// When topics are looked up again. Only the leader of a group, and who follows a pattern, has to.
    fn next_look_up(&self, joined: &Joined) -> Instant {
        let missing = joined.led.iter().flatten().any(|(_, count)| *count == 0);
        let after = if missing { MISSING_LOOK_UP } else { self.settings.metadata_max_age };
        Instant::now() + after.min(self.settings.metadata_max_age)
    }

    /// Whether topics have appeared, gone or grown in a way that needs another round. What cannot be looked up has not changed.
    async fn topics_have_changed(
        &self,
        subscription: &Subscription,
        subscribed: &BTreeSet<TopicName>,
        joined: &Joined,
    ) -> bool {
        if let Subscription::Pattern(_) = subscription
            && let Ok(matching) = self.matching(subscription).await
            && matching.into_iter().collect::<BTreeSet<_>>() != *subscribed
        {
            return true;
        }
        let Some(led) = &joined.led else { return false };
        let Ok(now) = join::partition_counts(&self.metadata, &led.keys().collect()).await else { return false };
        led.iter().any(|(topic, count)| now.get(topic).copied().unwrap_or(0) != *count)
    }

    /// The topics that a pattern matches now, internal ones left out.
    async fn matching(&self, subscription: &Subscription) -> Result<Vec<TopicName>, Error> {
        let Subscription::Pattern(matches) = subscription else { return Ok(Vec::new()) };
        let mut topics = self.metadata.listed().await?;
        topics.retain(|topic| matches(topic.as_str()));
        Ok(topics)
    }

    /// Leaves the group. Static members stay until their session ends, to come back to what they had, unless it is `for_good`.
    async fn leave(&mut self, for_good: bool) {
        let is_member = !self.member_id.is_empty();
        if is_member
            && (for_good || self.settings.group_instance_id.is_none())
            && let Err(error) = self.link.leave(&self.member_id, Instant::now() + LEAVE_TIMEOUT).await
        {
            tracing::debug!(%error, "the group could not be left");
        }
        self.forget_membership();
    }
}

/// What was assigned. Topics that cannot be, and partitions that cannot, are left out.
fn partitions(joined: &Joined) -> BTreeSet<TopicPartition> {
    let mut assigned = BTreeSet::new();
    for (topic, partitions) in &joined.assigned {
        let Ok(topic) = TopicName::parse(topic) else { continue };
        let valid = partitions.iter().filter(|partition| **partition >= 0);
        assigned
            .extend(valid.map(|partition| TopicPartition { topic: topic.clone(), partition: PartitionId(*partition) }));
    }
    assigned
}
