//! A few identities at Kafka for callers who are recognized by user and password: a listener that asks for credentials stands in front of the
//! embedded broker, and says who has asked it for what.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use hyper::Method;
use kafka_protocol::messages::ApiKey;
use parking_lot::Mutex;
use postern_access::{KafkaIdentityTable, Rules, Users};
use postern_http::{AccessControl, Authentication, Basic, KafkaIdentities};
use postern_kafka::{Sasl, ScramHash, Security, Settings, Source};
use postern_proxy::ConfiguredIdentities;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::app::{Call, Reply, TestApp};
use crate::sasl_listener::{Listener, Options};

const JSON: &str = "application/vnd.kafka.json.v2+json";
const V2: &str = "application/vnd.kafka.v2+json";

/// `callers` by identity; the user of each identity is named after it, `server` is no login of its own.
fn table(entries: &[(&str, &str)]) -> Arc<KafkaIdentityTable> {
    let entry = |(name, who): &(&str, &str)| {
        let login = match *name {
            "server" => "as-server = true".to_owned(),
            user => {
                format!("sasl-mechanism=\"SCRAM-SHA-256\"\nsasl-username=\"{user}\"\nsasl-password-file=\"unused\"")
            }
        };
        format!("[[identity]]\nname = \"{name}\"\nwho = [{who}]\n{login}\n")
    };
    Arc::new(KafkaIdentityTable::parse(&entries.iter().map(entry).collect::<String>()).expect("sound"))
}

/// Everything of one test.
struct Secured {
    app: TestApp,
    access: AccessControl,
    listener: Listener,
    configured: ConfiguredIdentities,
    rules: Arc<Rules>,
}

impl Secured {
    /// Whoever says nothing may do everything, too, as far as rules go.
    async fn start(entries: &[(&str, &str)]) -> Secured {
        // All of them have the password "password".
        let hash = "$2y$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe";
        let users: String = ["ana", "ben", "eve", "op"].map(|name| format!("{name}:{hash}\n")).concat();
        let users = Users::htpasswd(&users).expect("sound");
        let rules = "[[rule]]\nwho=[\"*\",\"anonymous\"]\ntopics=[\"*\"]\ngroups=[\"*\"]\nsubjects=[\"*\"]\nmay=[\"produce\",\"consume\",\
                     \"create\",\"delete\",\"join\",\"read\"]";
        let rules = Arc::new(Rules::parse(rules, &["_schemas"]).expect("sound").0);
        let access = AccessControl::new(Authentication::Basic(Box::new(Basic::new(users, "R"))), Some(rules.clone()));
        let app = TestApp::with_access(access.clone()).await;
        let known = ["one", "two"].map(|name| (name.to_owned(), format!("{name}-secret")));
        let options = Options { users: Some(Arc::new(Mutex::new(HashMap::from(known)))), ..Options::default() };
        let listener = Listener::start(app.broker.address(), options).await;
        let configured = ConfiguredIdentities::new(Settings::for_test(listener.address.to_string()));
        let secured = Secured { app, access, listener, configured, rules };
        secured.whose(entries);
        secured
    }

    /// From now on these are who they are.
    fn whose(&self, entries: &[(&str, &str)]) {
        self.whose_as(entries, str::to_owned);
    }

    /// The same with users of identities that have other names.
    fn whose_as(&self, entries: &[(&str, &str)], user: impl Fn(&str) -> String) {
        let login = |name: &str| {
            let password = Source::inline(format!("{}-secret", user(name)));
            let sasl = Sasl::Scram { hash: ScramHash::Sha256, user: user(name), password };
            (name.to_owned(), None, Security { tls: None, sasl: Some(sasl) })
        };
        let logins = entries.iter().filter(|(name, _)| *name != "server").map(|(name, _)| login(name));
        let mut made = self.configured.replace(logins.collect()).expect("they can be used").into_iter();
        let identities = entries.iter().map(|(name, _)| if *name == "server" { None } else { made.next() });
        let identities = KafkaIdentities::new(table(entries), identities.collect());
        self.access.replace_rules(Some(self.rules.clone()), Some(identities));
    }

    fn call(&self, user: &str, method: Method, path: &str) -> Call {
        let call = self.app.request(method, path);
        let call = if path.ends_with("/records") { call.header("Accept", JSON) } else { call };
        match user {
            "" => call,
            user => {
                let pair = BASE64_STANDARD.encode(format!("{user}:password"));
                call.header("Authorization", &format!("Basic {pair}"))
            }
        }
    }

    async fn get(&self, user: &str, path: &str) -> Reply {
        self.call(user, Method::GET, path).send().await
    }

    async fn post(&self, user: &str, path: &str, media: &str, body: Value) -> Reply {
        self.call(user, Method::POST, path).json(&body).header("Content-Type", media).send().await
    }

    async fn produce(&self, user: &str, value: &str) -> Reply {
        self.post(user, "/topics/lab", JSON, json!({"records": [{"value": value}]})).await
    }

    async fn instance(&self, user: &str) -> String {
        let settings = json!({"name": "i", "format": "json", "auto.offset.reset": "earliest"});
        let made = self.post(user, "/consumers/g", V2, settings).await;
        assert_eq!(made.status, 200, "{}", made.text());
        let path = "/consumers/g/instances/i";
        let subscribed = self.post(user, &format!("{path}/subscription"), V2, json!({"topics": ["lab"]})).await;
        assert_eq!(subscribed.status, 204, "{}", subscribed.text());
        format!("{path}/records")
    }

    /// Reads until there are `count` values.
    async fn read(&self, user: &str, path: &str, count: usize) -> Vec<Value> {
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut all = Vec::new();
        while all.len() < count {
            let reply = self.get(user, path).await;
            assert!(reply.status == 200 && Instant::now() < deadline, "{} {}", reply.status, reply.text());
            all.extend(reply.json().as_array().into_iter().flatten().map(|record| record["value"].clone()));
        }
        all
    }

    fn asked(&self, identity: &str, api: ApiKey) -> usize {
        self.listener.counts.passed(identity, api)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kafka_is_asked_by_the_identity_of_the_caller() {
    let secured = Secured::start(&[("one", "\"ana\", \"eve\""), ("two", "\"ben\""), ("server", "\"op\"")]).await;
    secured.app.topic("lab", 1).await;
    for (user, value) in [("ana", "a"), ("eve", "e"), ("ben", "b"), ("op", "o")] {
        assert_eq!(secured.produce(user, value).await.status, 200, "{user}");
    }
    assert_eq!((secured.asked("one", ApiKey::Produce), secured.asked("two", ApiKey::Produce)), (2, 1));
    let created = secured.call("ben", Method::POST, &secured.app.v3("topics")).json(&json!({"topic_name": "made"}));
    assert_eq!(created.send().await.status, 201);
    assert_eq!((secured.asked("one", ApiKey::CreateTopics), secured.asked("two", ApiKey::CreateTopics)), (0, 1));
    let records = secured.instance("eve").await;
    assert_eq!(secured.read("eve", &records, 4).await, ["a", "e", "b", "o"]);
    assert!(secured.asked("one", ApiKey::Fetch) > 0 && secured.asked("two", ApiKey::Fetch) == 0);
    // Who shares an identity does not share instances.
    assert_eq!(secured.get("ana", &records).await.refusal(), (404, 40403));
}

/// Whoever no entry names is nobody for Kafka. The registry has an identity of its own.
#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_identity_asks_kafka_for_nothing() {
    let secured = Secured::start(&[("one", "\"ana\"")]).await;
    secured.app.topic("lab", 1).await;
    let instance = json!({"name": "i", "format": "json"});
    for refused in [
        secured.get("ben", "/topics").await,
        secured.produce("ben", "canary").await,
        secured.post("ben", "/consumers/g", V2, instance).await,
        secured.get("ben", "/topics/lab/records").await,
    ] {
        assert_eq!(refused.refusal(), (403, 40301));
        let message = refused.message();
        assert!(message.contains("ben has no identity at Kafka") && message.contains("Nothing was done"), "{message}");
    }
    assert_eq!(secured.app.records("lab").await, []);
    let pair = BASE64_STANDARD.encode("ben:password");
    let subjects = secured.app.registry(Method::GET, "/subjects").header("Authorization", &format!("Basic {pair}"));
    assert_eq!(subjects.send().await.status, 200);
    for path in ["/", "/openapi.json"] {
        assert_eq!(secured.get("ben", path).await.status, 200, "{path}");
    }
    // Who says nothing is told to, and may be somebody.
    assert_eq!(secured.get("", "/topics").await.refusal(), (401, 401));
    secured.whose(&[("one", "\"ana\", \"anonymous\"")]);
    assert_eq!(secured.get("", "/topics").await.json(), json!(["lab"]));
    assert_eq!(secured.get("ben", "/topics").await.refusal(), (403, 40301));
}

/// The instance of a caller who is somebody else for Kafka now would read what the caller may not any more.
#[tokio::test(flavor = "multi_thread")]
async fn an_instance_ends_with_the_identity_of_its_caller() {
    let secured = Secured::start(&[("one", "\"ana\", \"eve\"")]).await;
    secured.app.topic("lab", 1).await;
    assert_eq!(secured.produce("ana", "first").await.status, 200);
    let records = secured.instance("ana").await;
    assert_eq!(secured.read("ana", &records, 1).await, ["first"]);
    let connections = secured.listener.counts.connections.load(Relaxed);
    // Nothing changes for `ana`: everything goes on, over the same connections.
    secured.whose(&[("one", "\"ana\""), ("two", "\"eve\"")]);
    assert_eq!(secured.produce("ana", "second").await.status, 200);
    assert_eq!(secured.read("ana", &records, 1).await, ["second"]);
    assert_eq!(secured.listener.counts.connections.load(Relaxed), connections);

    secured.whose(&[("two", "\"ana\"")]);
    assert_eq!(secured.produce("ana", "third").await.status, 200);
    assert_eq!(secured.asked("two", ApiKey::Produce), 1);
    assert_eq!(secured.get("ana", &records).await.refusal(), (404, 40403));
    assert_eq!(secured.app.proxy.statistics().instances.0, 0);
    let records = secured.instance("ana").await;
    assert_eq!(secured.read("ana", &records, 1).await, ["third"], "the group has been left in order");
    assert!(secured.asked("two", ApiKey::Fetch) > 0);
    // The name of an identity may stay while it becomes another user.
    secured.whose_as(&[("two", "\"ana\"")], |_| "one".to_owned());
    assert_eq!(secured.get("ana", &records).await.refusal(), (404, 40403));
    // What went is counted all the same.
    let deadline = Instant::now() + Duration::from_secs(30);
    while secured.configured.client_statistics().records_written != 3 {
        assert!(Instant::now() < deadline, "{:?}", secured.configured.client_statistics());
        sleep(Duration::from_millis(20)).await;
    }
}
