//! A running scenario: sends requests and records the responses.

use std::collections::BTreeSet;
use std::future::Future;
use std::ops::RangeInclusive;
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{ApiKey, CreateTopicsRequest, ListOffsetsRequest, MetadataRequest, TopicName};
use kafka_protocol::protocol::{Request, StrBytes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use uuid::Uuid;

use super::reduce::{Marks, Tree};
use crate::wire::{self, Client};

/// One request and what came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) api: String,
    pub(crate) version: i16,
    pub(crate) title: String,
    pub(crate) lines: Vec<String>,
}

/// A topic as clients name it, by name or by id.
#[derive(Debug, Clone)]
pub(crate) struct Topic {
    pub(crate) name: TopicName,
    pub(crate) id: Uuid,
}

/// The connections of a scenario and the recorded responses.
pub(crate) struct Session {
    address: String,
    clients: Vec<Client>,
    at: usize,
    marks: Marks,
    topics_made: usize,
    pub(crate) entries: Vec<Entry>,
    /// API and version of every request that was answered.
    pub(crate) answered: BTreeSet<(i16, i16)>,
}

/// A request whose response can be recorded.
pub(crate) trait Recordable: Request<Response: std::fmt::Debug> {}

impl<R: Request<Response: std::fmt::Debug>> Recordable for R {}

/// How long a response may take.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(60);

impl Session {
    /// Everything in this session has names that begin with a prefix of its own, so a cluster may be used again.
    pub(crate) async fn connect(address: &str) -> Session {
        let random = Uuid::new_v4().simple().to_string();
        let mut session = Session {
            address: address.to_owned(),
            clients: Vec::new(),
            at: 0,
            marks: Marks::new(format!("w{}-", &random[..8])),
            topics_made: 0,
            entries: Vec::new(),
            answered: BTreeSet::new(),
        };
        session.on(0).await;
        session
    }

    /// `name` with the prefix of this run; the answers show it without.
    pub(crate) fn text(&self, name: &str) -> StrBytes {
        wire::text(&format!("{}{name}", self.marks.prefix))
    }

    pub(crate) fn name(&self, name: &str) -> TopicName {
        TopicName(self.text(name))
    }

    /// The connection of this number is the one that is used from now on.
    pub(crate) async fn on(&mut self, at: usize) -> &mut Session {
        while self.clients.len() <= at {
            self.clients.push(Client::connect(&self.address).await.expect("the cluster takes connections"));
        }
        self.at = at;
        self
    }

    /// Sends a request in one version and writes down what comes back. `None`: the connection was closed.
    pub(crate) async fn ask<R: Recordable>(&mut self, title: &str, version: i16, request: R) -> Option<R::Response> {
        self.send(version, request).await;
        self.receive::<R>(title, version, false).await
    }

    /// Asks in every version.
    pub(crate) async fn each<R: Recordable>(
        &mut self,
        title: &str,
        versions: RangeInclusive<i16>,
        request: impl Fn(i16) -> R,
    ) {
        for version in versions {
            self.ask(title, version, request(version)).await;
        }
    }

    /// Asks for everything there is, and writes down what belongs to this session.
    pub(crate) async fn ask_all<R: Recordable>(&mut self, title: &str, version: i16, request: R) {
        self.send(version, request).await;
        self.receive::<R>(title, version, true).await;
    }

    pub(crate) async fn send<R: Request>(&mut self, version: i16, request: R) {
        self.clients[self.at].send(version, request).await;
    }

    pub(crate) async fn receive<R: Recordable>(
        &mut self,
        title: &str,
        version: i16,
        only_ours: bool,
    ) -> Option<R::Response> {
        let received =
            within(&format!("{title}, version {version}"), self.clients[self.at].receive::<R>(version)).await;
        let lines = match &received {
            Some(response) => {
                self.answered.insert((R::KEY, version));
                self.marks.lines(&Tree::of(response), only_ours)
            }
            None => vec!["closed".to_owned()],
        };
        self.note::<R>(title, version, lines).await;
        received
    }

    async fn note<R: Request>(&mut self, title: &str, version: i16, lines: Vec<String>) {
        self.note_key(R::KEY, title, version, lines).await;
    }

    async fn note_key(&mut self, key: i16, title: &str, version: i16, lines: Vec<String>) {
        if lines == ["closed"] {
            self.clients[self.at] = Client::connect(&self.address).await.expect("the cluster takes connections");
        }
        let api = ApiKey::try_from(key).map_or_else(|()| key.to_string(), |api| format!("{api:?}"));
        self.entries.push(Entry { api, version, title: title.to_owned(), lines });
    }

    /// Sends a body that no encoder would make (behind a header of version 1) and writes down how long the answer is, if
    /// there is one.
    pub(crate) async fn ask_raw(&mut self, title: &str, key: i16, version: i16, body: &[u8]) {
        let mut frame = BytesMut::new();
        frame.put_i32(10 + body.len() as i32);
        frame.put_i16(key);
        frame.put_i16(version);
        frame.put_i32(1);
        frame.put_i16(-1);
        frame.put_slice(body);
        let socket = &mut self.clients[self.at].socket;
        socket.write_all(&frame).await.expect("the connection is open");
        let lines = match within(title, socket.read_u32()).await {
            Ok(length) => {
                let mut answer = vec![0; length as usize];
                within(title, socket.read_exact(&mut answer)).await.expect("an answer is whole");
                vec![format!("answer={answer:02x?}")]
            }
            Err(_) => vec!["closed".to_owned()],
        };
        self.note_key(key, title, version, lines).await;
    }

    /// Asks and writes nothing down.
    pub(crate) async fn quietly<R: Request>(&mut self, version: i16, request: R) -> R::Response {
        let title = self.entries.last().map_or_else(String::new, |entry| format!("{}: {}", entry.api, entry.title));
        let title = format!("API {} by the way, after {title}", R::KEY);
        within(&title, self.clients[self.at].call(version, request)).await
    }

    /// A topic that takes records.
    pub(crate) async fn topic(&mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) -> Topic {
        // The records are old; nothing is to go by itself.
        let configs = configs.iter().copied().chain([("retention.ms", "-1")]).map(|(name, value)| {
            CreatableTopicConfig::default().with_name(wire::text(name)).with_value(Some(wire::text(value)))
        });
        let wanted = CreatableTopic::default()
            .with_name(self.name(name))
            .with_num_partitions(partitions)
            .with_replication_factor(1)
            .with_configs(configs.collect());
        let request = CreateTopicsRequest::default().with_topics(vec![wanted]).with_timeout_ms(30_000);
        let made = self.quietly(7, request).await.topics.remove(0);
        assert_eq!(made.error_code, 0, "{:?}", made.error_message);
        let topic = Topic { name: made.name, id: made.topic_id };
        self.settle(&topic, partitions).await;
        topic
    }

    /// Waits until `partitions` of the topic can be read: elsewhere that is some time after they were made.
    pub(crate) async fn settle(&mut self, topic: &Topic, partitions: i32) {
        let parts =
            (0..partitions).map(|index| ListOffsetsPartition::default().with_partition_index(index).with_timestamp(-1));
        let wanted = ListOffsetsTopic::default().with_name(topic.name.clone()).with_partitions(parts.collect());
        let request = ListOffsetsRequest::default().with_topics(vec![wanted]);
        let mut patience = 1200;
        while self.quietly(1, request.clone()).await.topics[0].partitions.iter().any(|part| part.error_code != 0) {
            patience -= 1;
            assert!(patience > 0, "{} does not come up", topic.name.as_str());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until what was changed before is known everywhere: changes get through in their order, so a topic is made, and
    /// when it can be read one more, whose arrival says that all that came with the first was put in force.
    pub(crate) async fn fence(&mut self) {
        for _ in 0..2 {
            self.topics_made += 1;
            self.topic(&format!("fence-{}", self.topics_made), 1, &[]).await;
        }
    }

    /// Waits until nobody finds the topic any more.
    pub(crate) async fn gone(&mut self, name: &TopicName) {
        let wanted = MetadataRequestTopic::default().with_name(Some(name.clone()));
        let request = MetadataRequest::default().with_topics(Some(vec![wanted])).with_allow_auto_topic_creation(false);
        while self.quietly(9, request.clone()).await.topics[0].error_code == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn within<T>(title: &str, answer: impl Future<Output = T>) -> T {
    let answered = tokio::time::timeout(RESPONSE_TIMEOUT, answer).await;
    answered.unwrap_or_else(|_| panic!("no answer within a minute: {title}"))
}
