//! Settings of topics and of the broker: shown, and changed in both ways.

use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::*;
use kafka_protocol::messages::{alter_configs_request as alter, incremental_alter_configs_request as incremental};
use kafka_protocol::protocol::StrBytes;

use super::session::Session;
use crate::wire::text;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

pub(crate) async fn run(session: &mut Session) {
    let topic = session.topic("t", 1, &[("cleanup.policy", "compact")]).await.name.0;
    shown(session, &topic).await;
    changed_one_by_one(session, &topic).await;
    replaced(session, &topic).await;
    of_the_broker(session, &topic).await;
}

fn describing(kind: i8, name: &StrBytes, keys: Option<&[&str]>) -> DescribeConfigsRequest {
    let keys = keys.map(|keys| keys.iter().map(|key| text(key)).collect());
    let resource = DescribeConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(name.clone())
        .with_configuration_keys(keys);
    DescribeConfigsRequest::default().with_resources(vec![resource])
}

/// A setting and its value.
type Setting<'a> = (&'a str, Option<&'a str>);

/// One change: the operation, the setting, its value.
type Change<'a> = (i8, &'a str, Option<&'a str>);

fn changing(kind: i8, name: &StrBytes, changes: &[Change<'_>]) -> IncrementalAlterConfigsRequest {
    let changes = changes.iter().map(|(operation, name, value)| {
        incremental::AlterableConfig::default()
            .with_config_operation(*operation)
            .with_name(text(name))
            .with_value(value.map(text))
    });
    let resource = incremental::AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(name.clone())
        .with_configs(changes.collect());
    IncrementalAlterConfigsRequest::default().with_resources(vec![resource])
}

fn replacing(kind: i8, name: &StrBytes, settings: &[Setting<'_>]) -> AlterConfigsRequest {
    let settings = settings
        .iter()
        .map(|(name, value)| alter::AlterableConfig::default().with_name(text(name)).with_value(value.map(text)));
    let resource = alter::AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(name.clone())
        .with_configs(settings.collect());
    AlterConfigsRequest::default().with_resources(vec![resource])
}

async fn shown(session: &mut Session, topic: &StrBytes) {
    session.ask("all of a topic", 1, describing(TOPIC, topic, None)).await;
    let two = describing(TOPIC, topic, Some(&["cleanup.policy", "flush.messages"]));
    session.each("two of a topic", 1..=4, |_| two.clone()).await;
    session.each("two of a topic, and why", 1..=4, |_| two.clone().with_include_synonyms(true)).await;
    session.ask("all of a topic, and why", 4, describing(TOPIC, topic, None).with_include_synonyms(true)).await;
    session.ask("none of a topic", 4, describing(TOPIC, topic, Some(&[]))).await;
    session.ask("unknown ones of a topic", 4, describing(TOPIC, topic, Some(&["no.such.setting"]))).await;
    let absent = session.text("absent");
    session.each("an unknown topic", 1..=4, |_| describing(TOPIC, &absent, None)).await;
    session.ask("a name that cannot be", 4, describing(TOPIC, &session.text("a b"), None)).await;
    session.ask("an empty name", 4, describing(TOPIC, &text(""), None)).await;
    let one = text("1");
    session.ask("all of the broker", 4, describing(BROKER, &one, None)).await;
    let mut twice = describing(TOPIC, topic, Some(&["preallocate"]));
    twice.resources.extend(describing(BROKER, &one, Some(&["num.io.threads"])).resources);
    session.each("of a topic and of the broker", 1..=4, |_| twice.clone()).await;
    for (title, name) in [("another broker", "7"), ("a broker that is no number", "one"), ("all brokers", "")] {
        session.ask(title, 4, describing(BROKER, &text(name), None)).await;
    }
    for (title, kind) in [("an unknown kind", 0), ("a kind to come", 99), ("the cluster, which is none", 5)] {
        session.ask(title, 4, describing(kind, &one, None)).await;
    }
    session.ask("nothing", 4, DescribeConfigsRequest::default()).await;
}

async fn changed_one_by_one(session: &mut Session, topic: &StrBytes) {
    let good: [(&str, &[Change<'_>]); 8] = [
        ("two set", &[(SET, "retention.ms", Some("1234")), (SET, "preallocate", Some("TRUE"))]),
        ("one set, one taken back", &[(SET, "flush.ms", Some("5")), (DELETE, "retention.ms", None)]),
        ("one added to a list", &[(APPEND, "cleanup.policy", Some("delete"))]),
        ("one added that is there", &[(APPEND, "cleanup.policy", Some("delete"))]),
        ("one taken from a list", &[(SUBTRACT, "cleanup.policy", Some("compact"))]),
        ("one taken that is not there", &[(SUBTRACT, "cleanup.policy", Some("compact"))]),
        ("a value with spaces around", &[(SET, "retention.ms", Some(" 99 "))]),
        ("one taken back that was not set", &[(DELETE, "segment.ms", None)]),
    ];
    let own = ["retention.ms", "preallocate", "flush.ms", "cleanup.policy", "segment.ms"];
    for (title, changes) in good {
        session.ask(title, 1, changing(TOPIC, topic, changes)).await;
        session.fence().await;
        session.ask("afterwards", 4, describing(TOPIC, topic, Some(&own)).with_include_synonyms(true)).await;
    }
    session.each("the same again", 0..=1, |_| changing(TOPIC, topic, &[(SET, "flush.ms", Some("5"))])).await;
    let checked = changing(TOPIC, topic, &[(SET, "flush.ms", Some("6"))]).with_validate_only(true);
    session.each("only checked", 0..=1, |_| checked.clone()).await;
    let bad: [(&str, &[Change<'_>]); 14] = [
        ("an unknown setting", &[(SET, "no.such.setting", Some("1"))]),
        ("an unknown setting taken back", &[(DELETE, "no.such.setting", None)]),
        ("a number that is none", &[(SET, "retention.ms", Some("soon"))]),
        ("a number that is too small", &[(SET, "retention.ms", Some("-2"))]),
        ("no value", &[(SET, "retention.ms", None)]),
        ("no value to add", &[(APPEND, "cleanup.policy", None)]),
        ("an empty value", &[(SET, "retention.ms", Some(""))]),
        ("one added to what is no list", &[(APPEND, "retention.ms", Some("1"))]),
        ("one taken from what is no list", &[(SUBTRACT, "retention.ms", Some("1"))]),
        ("one added that cannot be", &[(APPEND, "cleanup.policy", Some("forget"))]),
        ("an operation nobody knows", &[(9, "retention.ms", Some("1"))]),
        ("the same setting twice", &[(SET, "retention.ms", Some("1")), (SET, "retention.ms", Some("2"))]),
        ("good and bad", &[(SET, "flush.ms", Some("7")), (SET, "retention.ms", Some("soon"))]),
        ("tiers where there are none", &[(SET, "remote.storage.enable", Some("true"))]),
    ];
    for (title, changes) in bad {
        session.ask(title, 1, changing(TOPIC, topic, changes)).await;
    }
    session.ask("nothing", 1, changing(TOPIC, topic, &[])).await;
    let change: &[Change<'_>] = &[(SET, "retention.ms", Some("1"))];
    session.ask("an unknown topic", 1, changing(TOPIC, &session.text("absent"), change)).await;
    session.ask("a name that cannot be", 1, changing(TOPIC, &session.text("a b"), change)).await;
    session.ask("an empty name", 1, changing(TOPIC, &text(""), change)).await;
    session.ask("an unknown kind", 1, changing(0, topic, change)).await;
    session.ask("a kind to come", 1, changing(99, topic, change)).await;
    let mut twice = changing(TOPIC, topic, change);
    twice.resources.extend(twice.resources.clone());
    session.ask("the same topic twice", 1, twice).await;
    session.fence().await;
    session.ask("afterwards", 4, describing(TOPIC, topic, Some(&own))).await;
}

async fn replaced(session: &mut Session, topic: &StrBytes) {
    let good: [(&str, &[Setting<'_>]); 3] = [
        ("two", &[("retention.ms", Some("77")), ("cleanup.policy", Some("compact,delete"))]),
        ("another", &[("flush.ms", Some("8"))]),
        ("none", &[]),
    ];
    let own = ["retention.ms", "preallocate", "flush.ms", "cleanup.policy", "segment.ms"];
    for (title, settings) in good {
        session.each(title, 0..=2, |_| replacing(TOPIC, topic, settings)).await;
        session.fence().await;
        session.ask("afterwards", 4, describing(TOPIC, topic, Some(&own))).await;
    }
    let checked = replacing(TOPIC, topic, &[("flush.ms", Some("6"))]).with_validate_only(true);
    session.each("only checked", 0..=2, |_| checked.clone()).await;
    let bad: [(&str, &[Setting<'_>]); 6] = [
        ("an unknown setting", &[("no.such.setting", Some("1"))]),
        ("a number that is none", &[("retention.ms", Some("soon"))]),
        ("no value", &[("retention.ms", None)]),
        ("an empty value", &[("retention.ms", Some(""))]),
        ("the same setting twice", &[("retention.ms", Some("1")), ("retention.ms", Some("2"))]),
        ("good and bad", &[("flush.ms", Some("7")), ("retention.ms", Some("soon"))]),
    ];
    for (title, settings) in bad {
        session.ask(title, 2, replacing(TOPIC, topic, settings)).await;
    }
    let one: &[Setting<'_>] = &[("retention.ms", Some("1"))];
    session.ask("an unknown topic", 2, replacing(TOPIC, &session.text("absent"), one)).await;
    session.ask("a name that cannot be", 2, replacing(TOPIC, &session.text("a b"), one)).await;
    session.ask("an unknown kind", 2, replacing(0, topic, one)).await;
    session.fence().await;
    session.ask("afterwards", 4, describing(TOPIC, topic, Some(&own))).await;
}

async fn of_the_broker(session: &mut Session, topic: &StrBytes) {
    let (one, all) = (text("1"), text(""));
    let backoff = "log.cleaner.backoff.ms";
    let good: [(&str, &StrBytes, &[Change<'_>]); 7] = [
        ("the broker's", &one, &[(SET, backoff, Some("13000"))]),
        ("all brokers'", &all, &[(SET, backoff, Some("14000"))]),
        ("the broker's taken back", &one, &[(DELETE, backoff, None)]),
        ("all brokers' taken back", &all, &[(DELETE, backoff, None)]),
        ("a default of topics", &all, &[(SET, "log.retention.ms", Some("99000"))]),
        ("a default of topics in a list", &one, &[(SET, "log.cleanup.policy", Some("compact,delete"))]),
        ("both taken back", &one, &[(DELETE, "log.cleanup.policy", None), (DELETE, "log.retention.ms", None)]),
    ];
    for (title, name, changes) in good {
        session.ask(title, 1, changing(BROKER, name, changes)).await;
        session.fence().await;
        let keys = [backoff, "log.retention.ms", "log.cleanup.policy"];
        for (title, name) in [("the broker's afterwards", &one), ("all brokers' afterwards", &all)] {
            session.ask(title, 4, describing(BROKER, name, Some(&keys)).with_include_synonyms(true)).await;
        }
        let keys = ["retention.ms", "cleanup.policy"];
        session.ask("a topic's afterwards", 4, describing(TOPIC, topic, Some(&keys)).with_include_synonyms(true)).await;
    }
    session.quietly(1, changing(BROKER, &all, &[(DELETE, "log.retention.ms", None)])).await;
    let bad: [(&str, &StrBytes, &[Change<'_>]); 11] = [
        ("a broker's that is fixed", &one, &[(SET, "log.dirs", Some("/x"))]),
        ("a broker's number that is none", &one, &[(SET, "log.cleaner.threads", Some("many"))]),
        ("a broker's number that is too small", &one, &[(SET, "log.retention.ms", Some("-2"))]),
        ("a broker's policy that is none", &one, &[(SET, "log.cleanup.policy", Some("forget"))]),
        ("one added to what is no list of the broker", &one, &[(APPEND, backoff, Some("1"))]),
        ("no value for the broker", &one, &[(SET, backoff, None)]),
        ("listeners of all brokers", &all, &[(SET, "listeners", Some("PLAINTEXT://:1"))]),
        ("a password without a listener", &one, &[(SET, "ssl.keystore.password", Some("x"))]),
        ("another broker's", &text("7"), &[(SET, backoff, Some("1"))]),
        ("that of a broker that is no number", &text("one"), &[(SET, backoff, Some("1"))]),
        ("a broker's setting nobody knows", &one, &[(SET, "no.such.setting", Some("1"))]),
    ];
    for (title, name, changes) in bad {
        session.ask(title, 1, changing(BROKER, name, changes).with_validate_only(true)).await;
    }
    session.ask("the broker's in the old way", 2, replacing(BROKER, &one, &[(backoff, Some("13000"))])).await;
    session.fence().await;
    session.ask("the broker's afterwards", 4, describing(BROKER, &one, Some(&[backoff]))).await;
    session.ask("none of the broker's in the old way", 2, replacing(BROKER, &one, &[])).await;
    session.fence().await;
    session.ask("the broker's afterwards", 4, describing(BROKER, &one, Some(&[backoff]))).await;
}
