//! The public face of this crate: every call, each one line long.

use std::{
    collections::BTreeMap,
    fmt,
    num::NonZeroU32,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use tokio::runtime::Handle;

use crate::{
    Acl, AclFilter, Admitted, ClientStatistics, ClusterDescription, CommittedOffset, ConfigAlteration, ConfigEntry,
    ConfigResource, Consumer, ConsumerSettings, CreatedTopic, Deliveries, Election, Error, ErrorKind, GroupDescription,
    GroupMembers, ListedGroup, LogDir, Login, NewTopic, Offset, OffsetRange, OffsetTime, PartitionId, Reader,
    Reassignment, ReassignmentChange, ScramHash, ScramUser, Settings, SomeTopics, TopicDescription, TopicName,
    admin::Admin,
    metadata::Metadata,
    network::Network,
    producer::Producer,
    settings::{Sasl, Security},
};

/// A Kafka cluster. Cheap to clone; clones share connections, metadata and the producer.
///
/// When the last clone goes, records still under way are given up and answered so. [`Cluster::flush`] first to avoid that.
#[derive(Clone)]
pub struct Cluster {
    inner: Arc<Inner>,
    admin: Arc<Admin>,
}

struct Inner {
    settings: Settings,
    runtime: Handle,
    network: Arc<Network>,
    metadata: Arc<Metadata>,
    producer: Producer,
}

impl Cluster {
    /// Starts the client; needs no reachable broker. To be called inside a tokio runtime, which then carries its tasks. Reads
    /// certificates and secrets, which blocks on the file system.
    ///
    /// # Errors
    /// `InvalidRequest`: a setting that cannot be used, a store that cannot be read; no runtime.
    pub fn connect(settings: Settings) -> Result<Cluster, Error> {
        settings.check()?;
        let runtime = Handle::try_current().map_err(|error| {
            Error::new(ErrorKind::Other, "INVALID_CONFIG", format!("no runtime to run in: {error}"))
        })?;
        let network = Network::start(&settings)?;
        Ok(Cluster::over(settings, network, runtime))
    }

    fn over(settings: Settings, network: Network, runtime: Handle) -> Cluster {
        let network = Arc::new(network);
        let metadata = Arc::new(Metadata::new(network.clone(), settings.call_timeout, runtime.clone()));
        let producer = Producer::start(&settings, &network, &metadata, runtime.clone());
        let admin = Arc::new(Admin::new(network.clone(), metadata.clone(), &settings));
        Cluster { inner: Arc::new(Inner { settings, runtime, network, metadata, producer }), admin }
    }

    /// Proves the credentials of `sasl` to a broker, in place of those of this client, over a connection that is closed again. Secrets
    /// that are files are read, which blocks. Dropping the future gives it up.
    ///
    /// # Errors
    /// `Authentication`, named `SASL_AUTHENTICATION_FAILED` where the broker refuses them, and otherwise where the listener wants no such
    /// credentials or is not trusted; `BrokerUnavailable`; `InvalidRequest`: they cannot be used.
    pub async fn log_in(&self, sasl: Sasl) -> Result<Login, Error> {
        self.inner.network.log_in(sasl).await
    }

    /// The same cluster as somebody else has it: with these credentials, and with connections, metadata and a producer of its own. Only what
    /// TLS has read is shared. It costs no connection until it is used.
    #[must_use]
    pub fn for_login(&self, login: &Login) -> Cluster {
        let Inner { settings, runtime, network, .. } = &*self.inner;
        let _runtime = runtime.enter();
        // How connections are secured is in the network.
        let settings = Settings { security: Security::default(), ..settings.clone() };
        let network = network.for_login(&settings, login);
        Cluster::over(settings, network, runtime.clone())
    }

    /// Whether both are clones of one client.
    pub fn is_same(&self, other: &Cluster) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// How often brokers have refused the credentials of this client.
    pub fn refused_logins(&self) -> u64 {
        self.inner.network.refused_logins()
    }

    /// The same cluster, for one request: the administrative calls that are made through it, and through its clones, all end within
    /// the call timeout, counted from now.
    pub fn with_one_deadline(&self) -> Cluster {
        Cluster { inner: self.inner.clone(), admin: Arc::new(self.admin.with_one_deadline()) }
    }

    /// The partition count, if a fresh one is known: for the hot path. Sends no request and does not
    /// wait; a count that begins to age is renewed in the background.
    pub fn known_partitions(&self, topic: &TopicName) -> Option<i32> {
        self.inner.metadata.fresh(topic)
    }

    /// The partition count, looked up for a produce: may create the topic where the cluster does that. Dropping the future
    /// does not end the look-up.
    ///
    /// # Errors
    /// `UnknownTopic` after the topic was missing for about 500 ms (longer, if it was created from here a moment ago); what the
    /// cluster says against the topic; no broker within the call timeout.
    pub async fn partitions_for_produce(&self, topic: &TopicName) -> Result<i32, Error> {
        self.inner.metadata.partitions(topic).await
    }

    /// For how long a record may be under way, the wait for memory included.
    pub fn delivery_timeout(&self) -> Duration {
        self.inner.settings.delivery_timeout
    }

    /// Appends in the order given. Not async on purpose: order of records is order of calls. The topic should be known
    /// (`known_partitions`, `partitions_for_produce`); records of one that is not wait until it is.
    pub fn append(&self, topic: &TopicName, records: Admitted) -> Deliveries {
        self.inner.producer.append(topic, records)
    }

    /// What this client has counted so far. Clones count together.
    pub fn statistics(&self) -> ClientStatistics {
        let mut statistics =
            ClientStatistics { rebalances: self.inner.network.rebalances.load(Relaxed), ..ClientStatistics::default() };
        self.inner.producer.statistics(&mut statistics);
        statistics
    }

    /// The cluster's id and brokers.
    ///
    /// # Errors
    /// The cluster's refusal, or no answer within the call timeout; so with all calls below. A future that is dropped forgets
    /// the answer, but the cluster may still do what it was told.
    pub async fn describe_cluster(&self) -> Result<ClusterDescription, Error> {
        self.admin.describe_cluster().await
    }

    /// All topics, internal ones included, in no particular order.
    ///
    /// # Errors
    /// See [`Cluster::describe_cluster`].
    pub async fn topics(&self, authorized_operations: bool) -> Result<Vec<TopicDescription>, Error> {
        self.admin.topics(authorized_operations).await
    }

    /// The first topics whose names are not less than `from`, in their order: as many as have `max_partitions` together, one at least.
    /// Before Kafka 3.8 all of them; brokers have a limit of their own (2000).
    ///
    /// # Errors
    /// See [`Cluster::describe_cluster`].
    pub async fn topics_from(
        &self,
        from: &str,
        max_partitions: i32,
        authorized_operations: bool,
    ) -> Result<SomeTopics, Error> {
        self.admin.topics_from(from, max_partitions, authorized_operations).await
    }

    /// One topic.
    ///
    /// # Errors
    /// `UnknownTopic`; see [`Cluster::describe_cluster`].
    pub async fn topic(&self, topic: &TopicName, authorized_operations: bool) -> Result<TopicDescription, Error> {
        self.admin.topic(topic, authorized_operations).await
    }

    /// Creates a topic and reads back what is true, which may not be what was asked for.
    ///
    /// # Errors
    /// `TopicExists` and what else the cluster has against it; see [`Cluster::describe_cluster`].
    pub async fn create_topic(&self, topic: &NewTopic) -> Result<CreatedTopic, Error> {
        let created = self.admin.create_topic(topic).await?;
        if !topic.validate_only {
            self.inner.metadata.created(&topic.name);
        }
        Ok(created)
    }

    /// Deletes a topic, and waits a while for it to be gone.
    ///
    /// # Errors
    /// `UnknownTopic`; see [`Cluster::describe_cluster`].
    pub async fn delete_topic(&self, topic: &TopicName) -> Result<(), Error> {
        self.admin.delete_topic(topic).await?;
        self.inner.metadata.deleted(topic);
        Ok(())
    }

    /// Gives a topic `total` partitions. Afterwards they can be appended to.
    ///
    /// # Errors
    /// `InvalidRequest` where it has as many already; see [`Cluster::describe_cluster`].
    pub async fn add_partitions(&self, topic: &TopicName, total: i32) -> Result<(), Error> {
        self.admin.add_partitions(topic, total).await?;
        self.inner.metadata.partitions_added(topic, total).await;
        Ok(())
    }

    /// The configs of a topic, a broker, or of all brokers.
    ///
    /// # Errors
    /// `UnknownTopic`, `UnknownBroker`; see [`Cluster::describe_cluster`].
    pub async fn configs(&self, resource: &ConfigResource) -> Result<Vec<ConfigEntry>, Error> {
        self.admin.configs(resource).await
    }

    /// The configs of several topics, in the order of `topics`.
    ///
    /// # Errors
    /// Of a single one: `UnknownTopic`; see [`Cluster::describe_cluster`].
    pub async fn topics_configs(&self, topics: &[TopicName]) -> Result<Vec<Result<Vec<ConfigEntry>, Error>>, Error> {
        self.admin.topics_configs(topics).await
    }

    /// Changes configs. Of each resource all changes are made or none; the results are in the order of `resources`.
    ///
    /// # Errors
    /// Of a single one: `UnknownTopic`, `UnknownBroker`, `InvalidRequest`; see [`Cluster::describe_cluster`].
    pub async fn alter_configs(
        &self,
        resources: &[(ConfigResource, Vec<ConfigAlteration>)],
        validate_only: bool,
    ) -> Vec<Result<(), Error>> {
        self.admin.alter_configs(resources, validate_only).await
    }

    /// The partitions that are being moved, by topic and number.
    ///
    /// # Errors
    /// See [`Cluster::describe_cluster`].
    pub async fn reassignments(&self) -> Result<Vec<Reassignment>, Error> {
        self.admin.reassignments().await
    }

    /// Begins, changes or cancels moves of partitions, and does not wait for their end; the result of each, in the order of `changes`.
    ///
    /// # Errors
    /// Of a single one: `InvalidReplicaAssignment`, `UnknownTopic`, `InvalidRequest` where nothing is to be cancelled; see
    /// [`Cluster::describe_cluster`].
    pub async fn alter_reassignments(&self, changes: &[ReassignmentChange]) -> Result<Vec<Result<(), Error>>, Error> {
        self.admin.alter_reassignments(changes).await
    }

    /// Elects leaders of `partitions`; the result of each, in their order. One that has its leader already is a success.
    ///
    /// # Errors
    /// Of a single one: `UnknownTopic`, `Retriable` where no replica can lead; see [`Cluster::describe_cluster`].
    pub async fn elect_leaders(
        &self,
        election: Election,
        partitions: &[(TopicName, PartitionId)],
    ) -> Result<Vec<Result<(), Error>>, Error> {
        self.admin.elect_leaders(election, partitions).await
    }

    /// The log directories of all brokers that are up, and the sizes of what they hold.
    ///
    /// # Errors
    /// See [`Cluster::describe_cluster`].
    pub async fn log_dirs(&self) -> Result<Vec<LogDir>, Error> {
        self.admin.log_dirs().await
    }

    /// Creates several topics with one request, or only says whether they could be created; the result of each, in their order.
    ///
    /// # Errors
    /// Of a single one: those of [`Cluster::create_topic`]; see [`Cluster::describe_cluster`].
    pub async fn create_topics(
        &self,
        topics: &[NewTopic],
        validate_only: bool,
    ) -> Result<Vec<Result<CreatedTopic, Error>>, Error> {
        let results = self.admin.create_topics(topics, validate_only).await?;
        for (topic, result) in topics.iter().zip(&results) {
            if result.is_ok() && !validate_only {
                self.inner.metadata.created(&topic.name);
            }
        }
        Ok(results)
    }

    /// All users that have a password for SCRAM, by name.
    ///
    /// # Errors
    /// See [`Cluster::describe_cluster`].
    pub async fn scram_users(&self) -> Result<Vec<ScramUser>, Error> {
        self.admin.scram_users().await
    }

    /// Gives `user` a password for one mechanism, and makes the user where there is none of this name. The password is salted here; Kafka takes
    /// 4,096 to 16,384 `iterations`.
    ///
    /// # Errors
    /// `InvalidRequest` where the cluster does not accept name or iterations; see [`Cluster::describe_cluster`].
    pub async fn set_scram_password(
        &self,
        user: &str,
        hash: ScramHash,
        iterations: NonZeroU32,
        password: String,
    ) -> Result<(), Error> {
        self.admin.set_scram_password(user, hash, iterations, password).await
    }

    /// Removes the password of `user` for one mechanism.
    ///
    /// # Errors
    /// `InvalidRequest` where there is none; see [`Cluster::describe_cluster`].
    pub async fn delete_scram_password(&self, user: &str, hash: ScramHash) -> Result<(), Error> {
        self.admin.delete_scram_password(user, hash).await
    }

    /// The ACLs that fit, sorted.
    ///
    /// # Errors
    /// `InvalidRequest` where the cluster has no authorizer; see [`Cluster::describe_cluster`].
    pub async fn acls(&self, filter: &AclFilter) -> Result<Vec<Acl>, Error> {
        self.admin.acls(filter).await
    }

    /// Creates ACLs, each by itself; the results are in the order of `acls`. One that is there already is a success.
    ///
    /// # Errors
    /// See [`Cluster::acls`].
    pub async fn create_acls(&self, acls: &[Acl]) -> Result<Vec<Result<(), Error>>, Error> {
        self.admin.create_acls(acls).await
    }

    /// Deletes the ACLs that fit, and returns them, sorted.
    ///
    /// # Errors
    /// See [`Cluster::acls`].
    pub async fn delete_acls(&self, filter: &AclFilter) -> Result<Vec<Acl>, Error> {
        self.admin.delete_acls(filter).await
    }

    /// All groups of any kind, in no particular order.
    ///
    /// # Errors
    /// See [`Cluster::describe_cluster`].
    pub async fn groups(&self) -> Result<Vec<ListedGroup>, Error> {
        self.admin.groups().await
    }

    /// Some of [`Cluster::groups`], in no particular order. Those that are gone by now, that are not groups of consumers, and those that we may not
    /// describe are missing.
    ///
    /// # Errors
    /// See [`Cluster::describe_cluster`].
    pub async fn describe_groups(&self, groups: &[&ListedGroup]) -> Result<Vec<GroupDescription>, Error> {
        self.admin.describe_groups(groups).await
    }

    /// A group of consumers; `None`: there is none of this id.
    ///
    /// # Errors
    /// `Authorization`; see [`Cluster::describe_cluster`].
    pub async fn consumer_group(&self, group: &str) -> Result<Option<GroupDescription>, Error> {
        self.admin.consumer_group(group).await
    }

    /// What a group has committed, by topic and partition; nothing for a group that does not exist.
    ///
    /// # Errors
    /// `Authorization`; see [`Cluster::describe_cluster`].
    pub async fn committed_offsets(&self, group: &str) -> Result<Vec<CommittedOffset>, Error> {
        self.admin.committed_offsets(group).await
    }

    /// Commits for a group without members, which comes to be where there is none; the result of each partition.
    ///
    /// # Errors
    /// Of a single one: `InvalidRequest` where the group has members, `UnknownTopic`; see [`Cluster::describe_cluster`].
    pub async fn set_group_offsets(
        &self,
        group: &str,
        offsets: &[CommittedOffset],
    ) -> Result<Vec<((TopicName, PartitionId), Result<(), Error>)>, Error> {
        self.admin.set_group_offsets(group, offsets).await
    }

    /// Forgets what a group has committed of `partitions`; the result of each.
    ///
    /// # Errors
    /// `UnknownGroup`; of a single one: `InvalidRequest` where a member is subscribed to the topic; see
    /// [`Cluster::describe_cluster`].
    pub async fn delete_group_offsets(
        &self,
        group: &str,
        partitions: &[(TopicName, PartitionId)],
    ) -> Result<Vec<((TopicName, PartitionId), Result<(), Error>)>, Error> {
        self.admin.delete_group_offsets(group, partitions).await
    }

    /// Deletes a group without members, and what it has committed.
    ///
    /// # Errors
    /// `UnknownGroup`; `InvalidRequest` where it has members; see [`Cluster::describe_cluster`].
    pub async fn delete_group(&self, group: &str) -> Result<(), Error> {
        self.admin.delete_group(group).await
    }

    /// An offset of each of `partitions` (sorted), of those among them that exist.
    ///
    /// # Errors
    /// See [`Cluster::describe_cluster`].
    pub async fn list_offsets(
        &self,
        partitions: &[(TopicName, PartitionId)],
        time: OffsetTime,
    ) -> Result<BTreeMap<(TopicName, PartitionId), Offset>, Error> {
        self.admin.list_offsets(partitions, time).await
    }

    /// Deletes the records of `topic` before the given offsets, -1 for all; where each partition begins afterwards.
    ///
    /// # Errors
    /// `UnknownTopic`; of a single one: `UnknownPartition`, `InvalidRequest` beyond its end; see [`Cluster::describe_cluster`].
    pub async fn delete_records(
        &self,
        topic: &TopicName,
        before: &BTreeMap<PartitionId, Offset>,
    ) -> Result<BTreeMap<PartitionId, Result<Offset, Error>>, Error> {
        self.admin.delete_records(topic, before).await
    }

    /// The members of a group, whatever they are members for; `None`: there is no such group.
    ///
    /// # Errors
    /// See [`Cluster::describe_cluster`].
    pub async fn group_members(&self, group: &str) -> Result<Option<GroupMembers>, Error> {
        self.admin.group_members(group).await
    }

    /// Where a partition begins and ends now.
    ///
    /// # Errors
    /// `UnknownTopic`, `UnknownPartition`; see [`Cluster::describe_cluster`].
    pub async fn offsets(&self, topic: &TopicName, partition: PartitionId) -> Result<OffsetRange, Error> {
        self.admin.offsets(topic, partition).await
    }

    /// A reader of many partitions, with a group. Asks nothing yet.
    ///
    /// # Errors
    /// `InvalidRequest`: a setting that cannot be used.
    pub fn consumer(&self, settings: ConsumerSettings) -> Result<Consumer, Error> {
        settings.check()?;
        let _runtime = self.inner.runtime.enter();
        Ok(Consumer::start(self.inner.network.clone(), self.inner.metadata.clone(), settings))
    }

    /// Reads one partition from its beginning, without a group.
    ///
    /// # Errors
    /// None today: what the cluster has against reading is told by [`Reader::next`].
    pub fn reader(&self, topic: &TopicName, partition: PartitionId) -> Result<Reader, Error> {
        let Inner { network, metadata, .. } = &*self.inner;
        Ok(Reader::new(network.clone(), metadata.clone(), self.admin.clone(), topic, partition))
    }

    /// Waits until everything appended is answered, at most for `limit`. True: nothing is left.
    pub async fn flush(&self, limit: Duration) -> bool {
        self.inner.producer.flush(limit).await
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cluster").field(&self.inner.settings.bootstrap_servers).finish()
    }
}
