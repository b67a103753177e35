//! Which operations of the REST proxy exist, and how many requests each counts as where requests are limited.
//!
//! Operators name operations by their ids in the description of the API (`createTopic`), or as Confluent's settings do
//! (`api.v3.topics.create`), where `api.v3.topics.*` is a group. One operation here may be several there, told apart by media type.
//! Source: the published reference of Confluent's REST Proxy settings (`api.endpoints.allowlist`, `rate.limit.costs`).

use hyper::{Method, StatusCode};

use crate::negotiate::{MediaType, media_type_of, negotiate};
use crate::problem::Problem;

/// Which operations exist, and what they cost. The default: all, and each is one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperationSettings {
    /// API v2 is off: none of its operations exists.
    pub is_v2_off: bool,
    /// API v3 is off, likewise.
    pub is_v3_off: bool,
    /// Only these operations exist; empty: all.
    pub allowed: OperationNames,
    /// These operations do not exist, even if they are allowed.
    pub blocked: OperationNames,
    /// How many requests an operation counts as, where it is not 1; the most specific name counts, of equal ones the last.
    pub costs: OperationCosts,
}

/// Operations by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperationNames(Vec<OperationName>);

/// How many requests operations count as.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperationCosts {
    /// Of operations that are not named; `None`: 1.
    pub default: Option<u16>,
    named: Vec<(OperationName, u16)>,
}

/// A name that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OperationName {
    Group(&'static str),
    Confluent(&'static str),
    Id(&'static str),
}

/// An operation of ours, or what it does with one media type, and its names.
struct Row {
    /// In the description of the API.
    id: &'static str,
    group: &'static str,
    /// Confluent's name; empty: it has none.
    name: &'static str,
    /// Told apart by it: of the body, or else of the answer.
    media: Option<&'static str>,
}

impl Row {
    fn has(&self, name: OperationName) -> bool {
        match name {
            OperationName::Group(group) => self.group == group,
            OperationName::Confluent(name) => self.name == name,
            OperationName::Id(id) => self.id == id,
        }
    }
}

impl OperationName {
    fn parse(text: &str) -> Option<OperationName> {
        let row = |is: &dyn Fn(&&Row) -> bool| ROWS.iter().find(is);
        if text.is_empty() {
            return None;
        }
        row(&|row| row.group == text)
            .map(|row| OperationName::Group(row.group))
            .or_else(|| row(&|row| row.name == text).map(|row| OperationName::Confluent(row.name)))
            .or_else(|| row(&|row| row.id == text).map(|row| OperationName::Id(row.id)))
    }

    /// Names of one operation are more specific than those of a group.
    fn specificity(self) -> u8 {
        match self {
            OperationName::Group(_) => 0,
            OperationName::Confluent(_) | OperationName::Id(_) => 1,
        }
    }
}

impl OperationNames {
    /// Names with commas between.
    ///
    /// # Errors
    /// What was expected: an unknown name would switch off nothing, or everything.
    pub fn parse(text: &str) -> Result<OperationNames, &'static str> {
        const EXPECTED: &str = "ids of operations as in /openapi.json, such as createTopic, or Confluent's names, such as \
                                api.v3.topics.create or api.v3.topics.*, with commas between";
        let names = text.split(',').map(str::trim).map(|name| OperationName::parse(name).ok_or(EXPECTED));
        names.collect::<Result<_, _>>().map(OperationNames)
    }

    fn has(&self, row: &Row) -> bool {
        self.0.iter().any(|name| row.has(*name))
    }
}

impl OperationCosts {
    /// `NAME=COUNT` with commas between.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str) -> Result<OperationCosts, &'static str> {
        const EXPECTED: &str = "operations with a whole number each, such as createTopic=5,api.v3.clusters.*=0: ids as in \
                                /openapi.json, or Confluent's names";
        let cost = |entry: &str| {
            let (name, cost) = entry.split_once('=')?;
            Some((OperationName::parse(name.trim())?, cost.trim().parse().ok()?))
        };
        let named = text.split(',').map(|entry| cost(entry).ok_or(EXPECTED)).collect::<Result<_, _>>()?;
        Ok(OperationCosts { default: None, named })
    }

    /// The same where producing through API v3 costs nothing, unless it is named.
    #[must_use]
    pub fn with_free_produce(mut self) -> OperationCosts {
        let free = [OperationName::Group("api.v3.produce.*"), OperationName::Group("api.v3.batch-produce.*")];
        self.named.splice(0..0, free.map(|name| (name, 0)));
        self
    }

    fn of(&self, row: &Row) -> u16 {
        let named = self.named.iter().filter(|(name, _)| row.has(*name));
        let named = named.max_by_key(|(name, _)| name.specificity());
        named.map_or(self.default.unwrap_or(1), |(_, cost)| *cost)
    }
}

/// What a request asks for, as far as the path and the media types say it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    /// The place of the operation among all of the API.
    pub(crate) operation: usize,
    /// Of the body, where the operation takes one; else of the answer.
    pub(crate) media: Option<&'static str>,
}

impl Asked {
    /// With a body, which says of itself that it is `named`, of the types that are known.
    pub(crate) fn with_body(operation: usize, named: Option<&str>, known: &'static [&'static str]) -> Asked {
        let media = match named {
            Some(named) => media_type_of(named, known),
            None => known.first().copied(),
        };
        Asked { operation, media }
    }

    /// Without one, for an answer of one of the types that are offered.
    pub(crate) fn without_body(operation: usize, accept: Option<&str>, offers: &'static [MediaType]) -> Asked {
        Asked { operation, media: negotiate(accept, offers) }
    }
}

/// The settings, for the operations of one API.
#[derive(Debug)]
pub(super) struct Operations {
    /// In the order of the API's operations.
    rules: Vec<Vec<Rule>>,
    default_cost: u16,
}

/// What holds for an operation with one media type, or with all.
#[derive(Debug)]
struct Rule {
    media: Option<&'static str>,
    exists: bool,
    cost: u16,
}

impl Operations {
    /// `operations` has the path and the id of each. `None`: the settings change nothing.
    pub(super) fn new(settings: &OperationSettings, operations: &[(&'static str, String)]) -> Option<Operations> {
        if *settings == OperationSettings::default() {
            return None;
        }
        let rules = operations.iter().map(|(path, id)| rules_of(settings, path, id)).collect();
        Some(Operations { rules, default_cost: settings.costs.default.unwrap_or(1) })
    }

    /// How many requests one counts as. Where the media type does not tell operations apart, the most expensive counts.
    pub(super) fn cost(&self, asked: Option<Asked>) -> u16 {
        let rules = asked.and_then(|asked| Some((self.rules.get(asked.operation)?, asked.media)));
        let Some((rules, media)) = rules else { return self.default_cost };
        matching(rules, media).map(|rule| rule.cost).max().unwrap_or(self.default_cost)
    }

    /// The refusal of an operation that does not exist. Where the media type does not tell operations apart, all must exist.
    pub(super) fn refuse(&self, asked: Option<Asked>, method: &Method) -> Option<Problem> {
        let asked = asked?;
        let rules = self.rules.get(asked.operation)?;
        if matching(rules, asked.media).all(|rule| rule.exists) {
            return None;
        }
        let sentence = "this operation is switched off here (allowed-operations, blocked-operations, api-v2, api-v3).";
        Some(match method.is_safe() {
            true => Problem::missing(format!("HTTP 404 Not Found: {sentence}")),
            false => {
                let message = format!("HTTP 405 Method Not Allowed: {sentence} Nothing was done.");
                Problem::generic(StatusCode::METHOD_NOT_ALLOWED, message)
            }
        })
    }
}

/// The rules of one media type; all, if it has none.
fn matching<'a>(rules: &'a [Rule], media: Option<&'static str>) -> impl Iterator<Item = &'a Rule> {
    let is_told_apart = media.is_some_and(|media| rules.iter().any(|rule| rule.media == Some(media)));
    rules.iter().filter(move |rule| !is_told_apart || rule.media == media)
}

fn rules_of(settings: &OperationSettings, path: &str, id: &str) -> Vec<Rule> {
    let OperationSettings { is_v2_off, is_v3_off, allowed, blocked, costs } = settings;
    let is_off = match path.split('/').nth(1) {
        Some("v3") => *is_v3_off,
        Some("admin" | "openapi.json" | "docs") => false,
        _ => *is_v2_off,
    };
    let rows = ROWS.iter().filter(|row| row.id == id);
    let rule = |row: &Row| {
        let is_listed = (allowed.0.is_empty() || allowed.has(row)) && !blocked.has(row);
        Rule { media: row.media, exists: !is_off && is_listed, cost: costs.of(row) }
    };
    rows.map(rule).collect()
}

const fn row(id: &'static str, group: &'static str, name: &'static str) -> Row {
    Row { id, group, name, media: None }
}

const fn media(id: &'static str, group: &'static str, name: &'static str, media: &'static str) -> Row {
    Row { id, group, name, media: Some(media) }
}

/// An operation that Confluent's REST Proxy does not have.
const fn own(id: &'static str) -> Row {
    Row { id, group: "", name: "", media: None }
}

const BINARY: &str = "application/vnd.kafka.binary.v2+json";
const JSON_RECORDS: &str = "application/vnd.kafka.json.v2+json";
const AVRO: &str = "application/vnd.kafka.avro.v2+json";
const JSON_SCHEMA: &str = "application/vnd.kafka.jsonschema.v2+json";
const PROTOBUF: &str = "application/vnd.kafka.protobuf.v2+json";

/// All operations.
#[rustfmt::skip]
static ROWS: &[Row] = &[
    row("getRoot", "api.v2.root.*", "api.v2.root.get"),
    row("postRoot", "api.v2.root.*", "api.v2.root.post"),
    row("listBrokerIds", "api.v2.brokers.*", "api.v2.brokers.list"),
    row("listTopicNames", "api.v2.topics.*", "api.v2.topics.list"),
    row("getTopicWithConfigs", "api.v2.topics.*", "api.v2.topics.get"),
    row("listPartitionsOfTopic", "api.v2.partitions.*", "api.v2.partitions.list"),
    row("getPartitionOfTopic", "api.v2.partitions.*", "api.v2.partitions.get"),
    row("getOffsets", "api.v2.partitions.*", "api.v2.partitions.get-offsets"),
    media("produce", "api.v2.produce-to-topic.*", "api.v2.produce-to-topic.binary", BINARY),
    media("produce", "api.v2.produce-to-topic.*", "api.v2.produce-to-topic.json", JSON_RECORDS),
    media("produce", "api.v2.produce-to-topic.*", "api.v2.produce-to-topic.avro", AVRO),
    media("produce", "api.v2.produce-to-topic.*", "api.v2.produce-to-topic.json-schema", JSON_SCHEMA),
    media("produce", "api.v2.produce-to-topic.*", "api.v2.produce-to-topic.protobuf", PROTOBUF),
    media("produceToPartition", "api.v2.produce-to-partition.*", "api.v2.produce-to-partition.binary", BINARY),
    media("produceToPartition", "api.v2.produce-to-partition.*", "api.v2.produce-to-partition.json", JSON_RECORDS),
    media("produceToPartition", "api.v2.produce-to-partition.*", "api.v2.produce-to-partition.avro", AVRO),
    media("produceToPartition", "api.v2.produce-to-partition.*", "api.v2.produce-to-partition.json-schema", JSON_SCHEMA),
    media("produceToPartition", "api.v2.produce-to-partition.*", "api.v2.produce-to-partition.protobuf", PROTOBUF),
    row("createConsumer", "api.v2.consumers.*", "api.v2.consumers.create"),
    row("deleteConsumer", "api.v2.consumers.*", "api.v2.consumers.delete"),
    row("subscribe", "api.v2.consumers.*", "api.v2.consumers.subscribe"),
    row("getSubscription", "api.v2.consumers.*", "api.v2.consumers.get-subscription"),
    row("unsubscribe", "api.v2.consumers.*", "api.v2.consumers.unsubscribe"),
    media("readRecords", "api.v2.consumers.*", "api.v2.consumers.consume-binary", BINARY),
    media("readRecords", "api.v2.consumers.*", "api.v2.consumers.consume-json", JSON_RECORDS),
    media("readRecords", "api.v2.consumers.*", "api.v2.consumers.consume-avro", AVRO),
    media("readRecords", "api.v2.consumers.*", "api.v2.consumers.consume-json-schema", JSON_SCHEMA),
    media("readRecords", "api.v2.consumers.*", "api.v2.consumers.consume-protobuf", PROTOBUF),
    row("commitOffsets", "api.v2.consumers.*", "api.v2.consumers.commit-offsets"),
    row("getCommittedOffsets", "api.v2.consumers.*", "api.v2.consumers.get-committed-offsets"),
    row("seekToBeginning", "api.v2.consumers.*", "api.v2.consumers.seek-to-beginning"),
    row("seekToEnd", "api.v2.consumers.*", "api.v2.consumers.seek-to-end"),
    row("seek", "api.v2.consumers.*", "api.v2.consumers.seek-to-offset"),
    row("assignPartitions", "api.v2.consumers.*", "api.v2.consumers.assign"),
    row("getAssignments", "api.v2.consumers.*", "api.v2.consumers.get-assignments"),
    row("listClusters", "api.v3.clusters.*", "api.v3.clusters.list"),
    row("getCluster", "api.v3.clusters.*", "api.v3.clusters.get"),
    row("listConfigsForAllBrokers", "api.v3.cluster-configs.*", "api.v3.cluster-configs.list"),
    row("getConfigForAllBrokers", "api.v3.cluster-configs.*", "api.v3.cluster-configs.get"),
    row("setConfigForAllBrokers", "api.v3.cluster-configs.*", "api.v3.cluster-configs.update"),
    row("resetConfigForAllBrokers", "api.v3.cluster-configs.*", "api.v3.cluster-configs.delete"),
    row("alterConfigsForAllBrokers", "api.v3.cluster-configs.*", "api.v3.cluster-configs.alter"),
    row("listBrokers", "api.v3.brokers.*", "api.v3.brokers.list"),
    row("getBroker", "api.v3.brokers.*", "api.v3.brokers.get"),
    row("listConfigsOfBroker", "api.v3.broker-configs.*", "api.v3.broker-configs.list"),
    row("getConfigOfBroker", "api.v3.broker-configs.*", "api.v3.broker-configs.get"),
    row("setConfigOfBroker", "api.v3.broker-configs.*", "api.v3.broker-configs.update"),
    row("resetConfigOfBroker", "api.v3.broker-configs.*", "api.v3.broker-configs.delete"),
    row("alterConfigsOfBroker", "api.v3.broker-configs.*", "api.v3.broker-configs.alter"),
    row("listConfigsOfAllBrokers", "api.v3.brokers-configs.*", "api.v3.brokers-configs.list"),
    row("listTopics", "api.v3.topics.*", "api.v3.topics.list"),
    row("getTopic", "api.v3.topics.*", "api.v3.topics.get"),
    row("createTopic", "api.v3.topics.*", "api.v3.topics.create"),
    row("deleteTopic", "api.v3.topics.*", "api.v3.topics.delete"),
    row("updatePartitionCount", "api.v3.topics.*", "api.v3.topics.partitions"),
    row("listConfigsOfTopic", "api.v3.topic-configs.*", "api.v3.topic-configs.list"),
    row("listConfigsOfAllTopics", "api.v3.topic-configs.*", "api.v3.topic-configs.list"),
    row("getConfigOfTopic", "api.v3.topic-configs.*", "api.v3.topic-configs.get"),
    row("setConfigOfTopic", "api.v3.topic-configs.*", "api.v3.topic-configs.update"),
    row("resetConfigOfTopic", "api.v3.topic-configs.*", "api.v3.topic-configs.delete"),
    row("alterConfigsOfTopic", "api.v3.topic-configs.*", "api.v3.topic-configs.alter"),
    row("alterConfigsOfTopics", "api.v3.topic-configs.*", "api.v3.topic-configs.alter-multi"),
    row("listPartitions", "api.v3.partitions.*", "api.v3.partitions.list"),
    row("getPartition", "api.v3.partitions.*", "api.v3.partitions.get"),
    row("getPartitionOffsets", "api.v3.partition-offsets.*", "api.v3.partitions.list.offsets"),
    row("listReplicas", "api.v3.replicas.*", "api.v3.replicas.list"),
    row("getReplica", "api.v3.replicas.*", "api.v3.replicas.get"),
    row("listReplicasOfBroker", "api.v3.replicas.*", "api.v3.replicas.search-by-broker"),
    row("listReassignments", "api.v3.partition-reassignments.*", "api.v3.partition-reassignments.list"),
    row("listReassignmentsInPlural", "api.v3.partition-reassignments.*", "api.v3.partition-reassignments.list"),
    row("listReassignmentsOfTopic", "api.v3.partition-reassignments.*", "api.v3.partition-reassignments.search-by-topic"),
    row("listReassignmentsOfTopicInPlural", "api.v3.partition-reassignments.*", "api.v3.partition-reassignments.search-by-topic"),
    row("getReassignment", "api.v3.partition-reassignments.*", "api.v3.partition-reassignments.get"),
    row("getReassignmentInPlural", "api.v3.partition-reassignments.*", "api.v3.partition-reassignments.get"),
    row("listAcls", "api.v3.acls.*", "api.v3.acls.list"),
    row("createAcl", "api.v3.acls.*", "api.v3.acls.create"),
    row("deleteAcls", "api.v3.acls.*", "api.v3.acls.delete"),
    row("createAcls", "api.v3.acls.*", "api.v3.acls.batch-create"),
    row("listConsumerGroups", "api.v3.consumer-groups.*", "api.v3.consumer-groups.list"),
    row("getConsumerGroup", "api.v3.consumer-groups.*", "api.v3.consumer-groups.get"),
    row("listConsumers", "api.v3.consumers.*", "api.v3.consumers.list"),
    row("getConsumer", "api.v3.consumers.*", "api.v3.consumers.get"),
    row("listConsumerAssignments", "api.v3.consumer-assignments.*", "api.v3.consumer-assignments.list"),
    row("getConsumerAssignment", "api.v3.consumer-assignments.*", "api.v3.consumer-assignments.get"),
    row("listConsumerLags", "api.v3.consumer-lags.*", "api.v3.consumer-lags.list"),
    row("getConsumerLag", "api.v3.consumer-lags.*", "api.v3.consumer-lags.get"),
    row("getConsumerGroupLagSummary", "api.v3.consumer-group-lag-summary.*", "api.v3.consumer-group-lag-summary.get"),
    row("produceRecords", "api.v3.produce.*", "api.v3.produce.produce-to-topic"),
    row("produceRecordsBatch", "api.v3.batch-produce.*", "api.v3.batch-produce.produce-to-topic"),
    own("readTopic"),
    own("readPartition"),
    own("readRecordsOfTopic"),
    own("readRecordsOfPartition"),
    own("deleteRecords"),
    own("deleteConsumerGroup"),
    own("resetOffsets"),
    own("deleteOffsets"),
    own("createTopics"),
    own("listLogDirs"),
    own("alterReassignments"),
    own("electLeaders"),
    own("listScramUsers"),
    own("setScramPassword"),
    own("deleteScramPassword"),
    own("describeApi"),
    own("showDocs"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(allowed: &str, blocked: &str) -> OperationSettings {
        let names = |text: &str| match text {
            "" => OperationNames::default(),
            _ => OperationNames::parse(text).expect("known names"),
        };
        OperationSettings { allowed: names(allowed), blocked: names(blocked), ..OperationSettings::default() }
    }

    fn exists(settings: &OperationSettings, path: &'static str, id: &str, media: Option<&'static str>) -> bool {
        let operations = Operations::new(settings, &[(path, id.to_owned())]).expect("they change something");
        operations.refuse(Some(Asked { operation: 0, media }), &Method::GET).is_none()
    }

    #[test]
    fn operations_are_named_one_by_one_or_as_groups() {
        let topics = "/v3/clusters/{cluster}/topics";
        for (allowed, blocked, create, list) in [
            ("", "api.v3.topics.create", false, true),
            ("", "createTopic", false, true),
            ("api.v3.topics.*", "", true, true),
            ("api.v3.topics.*", "api.v3.topics.list", true, false),
            ("api.v3.topics.list, listClusters", "", false, true),
            ("", "api.v3.topics.*", false, false),
            ("api.v3.acls.*", "", false, false),
        ] {
            let settings = settings(allowed, blocked);
            let found = (exists(&settings, topics, "createTopic", None), exists(&settings, topics, "listTopics", None));
            assert_eq!(found, (create, list), "{allowed} without {blocked}");
        }
        for unknown in ["", "api.v3.topics", "api.v3.*", "makeTopic", "api.v3.topics.create,", "*"] {
            assert!(OperationNames::parse(unknown).is_err(), "{unknown}");
        }
    }

    #[test]
    fn formats_are_operations_of_their_own() {
        let settings = settings("", "api.v2.produce-to-topic.avro,api.v2.consumers.consume-avro");
        let produce = |media| exists(&settings, "/topics/{topic}", "produce", media);
        assert_eq!((produce(Some(AVRO)), produce(Some(BINARY)), produce(None)), (false, true, false));
        let read = |media| exists(&settings, "/consumers", "readRecords", Some(media));
        assert_eq!((read(AVRO), read(JSON_RECORDS), read("text/event-stream")), (false, true, false));
    }

    #[test]
    fn an_api_that_is_off_has_no_operations_and_the_other_has_all() {
        let off = OperationSettings { is_v2_off: true, ..OperationSettings::default() };
        assert!(!exists(&off, "/", "getRoot", None) && !exists(&off, "/topics", "listTopicNames", None));
        assert!(exists(&off, "/v3/clusters", "listClusters", None) && exists(&off, "/docs", "showDocs", None));
        let off = OperationSettings { is_v3_off: true, ..OperationSettings::default() };
        assert!(!exists(&off, "/v3/clusters", "listClusters", None) && exists(&off, "/topics", "listTopicNames", None));
    }

    #[test]
    fn the_most_specific_cost_counts() {
        let costs = OperationCosts::parse("api.v3.topics.create=5, api.v3.topics.*=2,listClusters=0").expect("costs");
        let settings = OperationSettings { costs: costs.with_free_produce(), ..OperationSettings::default() };
        let ids = ["createTopic", "listTopics", "listClusters", "listAcls", "produceRecords"];
        let operations = ids.map(|id| ("/v3", id.to_owned()));
        let operations = Operations::new(&settings, &operations).expect("they change something");
        let cost = |operation| operations.cost(Some(Asked { operation, media: None }));
        assert_eq!([cost(0), cost(1), cost(2), cost(3), cost(4)], [5, 2, 0, 1, 0]);
        assert_eq!(operations.cost(None), 1);
        for wrong in ["createTopic", "createTopic=x", "makeTopic=1", "createTopic=-1", "=1"] {
            assert!(OperationCosts::parse(wrong).is_err(), "{wrong}");
        }
    }
}
