//! Which replica of this server has which consumer instance: a compacted topic that every replica reads.
//!
//! Whoever opens an instance writes a claim and looks what the log has made of it ([`fold`]): all replicas read the same log, so all come to
//! the same holder. A claim has all that is needed to open the instance again elsewhere. Replicas write from time to time that they are
//! there; what nobody looks after any more is taken back ([`follow`]).
//!
//! Not here: who serves a call (`locate`), and how it gets there (`http`). What is promised stands in `docs/consumers.md`.

mod fold;
mod follow;
mod record;

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use postern_kafka::{ByteCount, Cluster, Fate, Inflight, PartitionId, Record, TopicName};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::directory::Directory;
use super::settings::InstanceSettings;
use super::{ConsumerError, InstanceName};
use crate::Error;
use fold::Fold;
use record::{Key, Presence, StoredSettings};

pub(super) use record::{Claim, StoredReads};

/// How long a write to the topic, and a look at its end, may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Instances that all replicas may have together.
const INSTANCES_MAX: usize = 1 << 16;
/// Records of the topic that wait for their acknowledgement.
const INFLIGHT: ByteCount = ByteCount(16 << 20);
/// How often a replica says that it is there.
const HEARTBEAT: Duration = Duration::from_secs(20);
/// A replica that was not heard of for so long is taken for gone, if it does not answer either.
const GONE: Duration = Duration::from_secs(60);
/// Instances that are opened at the same time.
const LOCKS: usize = 64;

/// How replicas find each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaSettings {
    /// The topic, of one partition, compacted; created where there is none.
    pub topic: TopicName,
    /// Where other replicas reach this one, host and port.
    pub address: String,
}

/// What this replica knows of all of them. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Replicas(Arc<Parts>);

struct Parts {
    /// This process.
    id: Uuid,
    settings: ReplicaSettings,
    cluster: Cluster,
    inflight: Inflight,
    fold: Mutex<Fold>,
    /// The next offset to be applied; `None`: the topic was not read to its end yet.
    next: watch::Sender<Option<i64>>,
    /// Why the topic cannot be read.
    obstacle: Mutex<String>,
    /// Held while an instance is opened, or taken back; by a hash of its name.
    opening: Vec<tokio::sync::Mutex<()>>,
    hasher: RandomState,
    /// True: the instances of this replica are released, because it is being stopped.
    released: watch::Sender<bool>,
    tasks: Mutex<Vec<AbortHandle>>,
}

impl Replicas {
    /// Reads the topic, and says that this replica is there, until [`Replicas::end`]. `directory` has the instances of this replica.
    pub(super) fn start(cluster: Cluster, settings: ReplicaSettings, directory: Directory) -> Replicas {
        let replicas = Replicas(Arc::new(Parts {
            id: Uuid::new_v4(),
            settings,
            cluster,
            inflight: Inflight::new(INFLIGHT),
            fold: Mutex::default(),
            next: watch::Sender::new(None),
            obstacle: Mutex::new("it waits for Kafka".to_owned()),
            opening: (0..LOCKS).map(|_| tokio::sync::Mutex::default()).collect(),
            hasher: RandomState::new(),
            released: watch::Sender::new(false),
            tasks: Mutex::default(),
        }));
        let follow = tokio::spawn(follow::follow(replicas.clone(), directory.clone())).abort_handle();
        let keep = tokio::spawn(follow::keep(replicas.clone(), directory)).abort_handle();
        *replicas.0.tasks.lock() = vec![follow, keep];
        replicas
    }

    /// Ends the tasks: what is known stays as it is.
    pub(super) fn end(&self) {
        self.0.tasks.lock().drain(..).for_each(|task| task.abort());
    }

    pub(crate) fn topic(&self) -> &TopicName {
        &self.0.settings.topic
    }

    pub(super) fn address(&self) -> &str {
        &self.0.settings.address
    }

    pub(super) fn id(&self) -> Uuid {
        self.0.id
    }

    /// The claim that holds, if there is such an instance.
    pub(super) fn claim(&self, at: &InstanceName) -> Option<Claim> {
        self.0.fold.lock().claim(at).cloned()
    }

    /// Whether there is such an instance, wherever.
    pub(super) fn knows(&self, at: &InstanceName) -> bool {
        self.0.fold.lock().claim(at).is_some()
    }

    /// Whether this replica holds it in this incarnation.
    pub(super) fn holds(&self, at: &InstanceName, incarnation: u64) -> bool {
        let fold = self.0.fold.lock();
        fold.claim(at).is_some_and(|claim| claim.replica == self.0.id && claim.incarnation == incarnation)
    }

    /// # Errors
    /// [`ConsumerError::TooMany`].
    pub(super) fn check_room(&self) -> Result<(), Error> {
        match self.0.fold.lock().count() {
            count if count >= INSTANCES_MAX => Err(ConsumerError::TooMany(count).into()),
            _ => Ok(()),
        }
    }

    /// The addresses of other replicas that are there.
    pub(super) fn others(&self) -> Vec<String> {
        let since = Instant::now().checked_sub(GONE).unwrap_or_else(Instant::now);
        self.0.fold.lock().others(self.0.id, since)
    }

    /// Nobody answers at this address; until a replica there is heard of again.
    pub(super) fn forget(&self, address: &str) {
        self.0.fold.lock().forget(address);
    }

    /// Whether a replica was heard of lately.
    pub(super) fn is_there(&self, replica: Uuid) -> bool {
        let since = Instant::now().checked_sub(GONE).unwrap_or_else(Instant::now);
        self.0.fold.lock().is_there(replica, since)
    }

    /// Waits for the right to open this instance here, or to take it back.
    pub(super) async fn opening(&self, at: &InstanceName) -> tokio::sync::MutexGuard<'_, ()> {
        let n = usize::try_from(self.0.hasher.hash_one(at) % LOCKS as u64).unwrap_or_default();
        self.0.opening[n].lock().await
    }

    // === Reading ===

    /// Waits until the topic was read to its end once.
    ///
    /// # Errors
    /// [`ConsumerError::ReplicasUnknown`].
    pub(super) async fn ready(&self) -> Result<(), Error> {
        let mut next = self.0.next.subscribe();
        let ready = timeout_at(Instant::now() + TIMEOUT, next.wait_for(Option::is_some)).await;
        // The sender lives as long as `self`, so waiting can only fail because time runs out.
        ready.map(drop).map_err(|_| ConsumerError::ReplicasUnknown(self.0.obstacle.lock().clone()).into())
    }

    /// Waits until all is known that is in the topic now.
    ///
    /// # Errors
    /// [`ConsumerError::ReplicasUnknown`].
    pub(super) async fn catch_up(&self) -> Result<(), Error> {
        self.ready().await?;
        let deadline = Instant::now() + TIMEOUT;
        let end = timeout_at(deadline, self.0.cluster.offsets(self.topic(), PartitionId(0))).await;
        let unknown = |reason: String| Error::from(ConsumerError::ReplicasUnknown(reason));
        let end = end.map_err(|_| unknown("Kafka does not answer".to_owned()))?;
        let end = end.map_err(|error| unknown(error.to_string()))?;
        match end.latest == end.earliest || self.reached(end.latest.0, deadline).await {
            true => Ok(()),
            false => Err(unknown(format!("reading the topic {} takes too long", self.topic()))),
        }
    }

    async fn reached(&self, offset: i64, deadline: Instant) -> bool {
        let mut next = self.0.next.subscribe();
        timeout_at(deadline, next.wait_for(|next| next.is_some_and(|next| next >= offset))).await.is_ok()
    }

    // === Writing ===

    /// The first claim for a new instance.
    pub(super) fn new_claim(&self, settings: &InstanceSettings) -> Claim {
        Claim {
            replica: self.0.id,
            address: self.0.settings.address.clone(),
            incarnation: 1,
            released: false,
            member: format!("postern-{}", Uuid::new_v4()),
            settings: StoredSettings::new(settings),
            reads: StoredReads::Nothing,
        }
    }

    /// The claim of this replica that supersedes `claim`.
    pub(super) fn superseding(&self, claim: Claim) -> Claim {
        Claim {
            replica: self.0.id,
            address: self.0.settings.address.clone(),
            incarnation: claim.incarnation.saturating_add(1),
            released: false,
            ..claim
        }
    }

    /// Writes a claim, and waits until it was read back. Whether it holds is what the log has made of it.
    ///
    /// # Errors
    /// [`ConsumerError::NotRecorded`].
    pub(super) async fn write(&self, at: &InstanceName, claim: &Claim) -> Result<(), Error> {
        self.append(vec![Key::Instance(at.clone()).record(Some(claim))]).await
    }

    /// Takes an instance back: it exists nowhere any more.
    ///
    /// # Errors
    /// [`ConsumerError::NotRecorded`].
    pub(super) async fn take_back(&self, at: &InstanceName) -> Result<(), Error> {
        self.append(vec![Key::Instance(at.clone()).record(None::<&Claim>)]).await
    }

    /// Writes what an instance of this replica reads from now on.
    ///
    /// # Errors
    /// [`ConsumerError::Moving`], [`ConsumerError::NotRecorded`].
    pub(super) async fn note_reads(&self, at: &InstanceName, reads: StoredReads) -> Result<(), Error> {
        let held = self.claim(at).filter(|claim| claim.replica == self.0.id && !claim.released);
        let held = held.ok_or_else(|| ConsumerError::Moving(at.clone()))?;
        if held.reads == reads {
            return Ok(());
        }
        self.write(at, &Claim { reads, ..held }).await
    }

    /// Releases all instances of this replica, which are closed, and says that it is not there any more.
    pub(super) async fn release_all(&self) {
        let held = self.0.fold.lock().held_by(self.0.id, Instant::now());
        let count = held.len();
        let release =
            |(at, claim): (InstanceName, Claim)| Key::Instance(at).record(Some(&Claim { released: true, ..claim }));
        let mut records: Vec<Record> = held.into_iter().map(release).collect();
        records.push(Key::Replica(self.0.id).record(None::<&Presence>));
        match self.append(records).await {
            Ok(()) => {
                tracing::info!(instances = count, "the consumer instances of this replica are released to others")
            }
            Err(error) => tracing::warn!("consumer instances were not released to other replicas: {error}"),
        }
        self.0.released.send_replace(true);
    }

    /// Waits until the instances of this replica, which is being stopped, are released; a while at most.
    pub(super) async fn released(&self) {
        let mut released = self.0.released.subscribe();
        let _ = timeout_at(Instant::now() + TIMEOUT, released.wait_for(|released| *released)).await;
    }

    /// Appends records in order and waits until the last was read back.
    async fn append(&self, records: Vec<Record>) -> Result<(), Error> {
        self.ready().await?;
        let deadline = Instant::now() + TIMEOUT;
        let failed = |reason: String, fate| Error::from(ConsumerError::NotRecorded { reason, fate });
        let slow = |fate| failed("Kafka does not acknowledge records in time".to_owned(), fate);
        let admitted =
            timeout_at(deadline, self.0.inflight.admit(records)).await.map_err(|_| slow(Fate::NotWritten))?;
        let admitted = admitted.map_err(|error| failed(error.to_string(), Fate::NotWritten))?;
        let appended = timeout_at(deadline, self.0.cluster.append(self.topic(), admitted)).await;
        let mut last = None;
        for outcome in appended.map_err(|_| slow(Fate::Unknown))? {
            let receipt = outcome.map_err(|failure| {
                failed(failure.error.to_string(), if last.is_some() { Fate::Unknown } else { failure.fate })
            })?;
            last = last.max(Some(receipt.offset.0));
        }
        match last {
            Some(offset) if !self.reached(offset + 1, deadline).await => {
                Err(failed("the record does not come back from the topic".to_owned(), Fate::Unknown))
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl Claim {
    /// What a client has asked for; `None`: a later version has written it, and this one does not understand it.
    pub(super) fn instance_settings(&self, at: &InstanceName) -> Option<InstanceSettings> {
        self.settings.settings(&at.name)
    }

    /// The longest wait of a read, where the instance has one of its own.
    pub(super) fn wait(&self) -> Option<Duration> {
        self.settings.wait_ms.map(|wait| Duration::from_millis(u64::try_from(wait).unwrap_or_default()))
    }
}
