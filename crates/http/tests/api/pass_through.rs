//! Callers who are known to Kafka: a listener that asks for credentials stands in front of the embedded broker, and says who has asked it for
//! what. Postern itself goes past it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use hyper::Method;
use kafka_protocol::messages::ApiKey;
use parking_lot::Mutex;
use postern_access::Rules;
use postern_http::{AccessControl, Authentication, PassThrough};
use postern_kafka::{Cluster, Mechanism, ScramHash, Settings};
use postern_proxy::{Identities, IdentitySettings};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::app::{Call, Reply, TestApp};
use crate::sasl_listener::{Listener, Options};

const SCRAM: Mechanism = Mechanism::Scram(ScramHash::Sha256);

fn settings() -> IdentitySettings {
    let idle = Duration::from_secs(60);
    IdentitySettings { password: Some(SCRAM), token_name: Some("sub".to_owned()), identities: 100, idle }
}

/// Everything of one test.
struct Secured {
    app: TestApp,
    listener: Listener,
    identities: Identities,
    /// Passwords by user; of `tom` it is the token.
    users: Arc<Mutex<HashMap<String, String>>>,
}

impl Secured {
    async fn start() -> Secured {
        Secured::with(settings(), None, None).await
    }

    async fn with(settings: IdentitySettings, session: Option<Duration>, rules: Option<&str>) -> Secured {
        let identities = Identities::new(settings);
        let way = Authentication::PassThrough(Box::new(PassThrough::new(identities.clone())));
        let rules = rules.map(|text| Arc::new(Rules::parse(text, &["_schemas"]).expect("good rules").0));
        let app = TestApp::with_access(AccessControl::new(way, rules)).await;
        let names = ["ana", "ben", "eve"].map(|name| (name.to_owned(), format!("{name}-secret")));
        let users = Arc::new(Mutex::new(HashMap::from(names)));
        let options = Options { users: Some(users.clone()), session, ..Options::default() };
        let listener = Listener::start(app.broker.address(), options).await;
        let to_kafka = Settings::for_test(listener.address.to_string());
        identities.reach(Cluster::connect(to_kafka).expect("the settings are sound"));
        Secured { app, listener, identities, users }
    }

    fn as_user(&self, user: &str, method: Method, path: &str) -> Call {
        self.with_password(user, &format!("{user}-secret"), method, path)
    }

    fn with_password(&self, user: &str, password: &str, method: Method, path: &str) -> Call {
        let pair = BASE64_STANDARD.encode(format!("{user}:{password}"));
        let call = self.app.request(method, path).header("Authorization", &format!("Basic {pair}"));
        match path.ends_with("/records") {
            true => call.header("Accept", "application/vnd.kafka.json.v2+json"),
            false => call,
        }
    }

    async fn topics(&self, user: &str, password: &str) -> Reply {
        self.with_password(user, password, Method::GET, "/topics").send().await
    }

    async fn post(&self, user: &str, path: &str, body: Value) -> Reply {
        self.as_user(user, Method::POST, path).json(&body).header("Content-Type", V2).send().await
    }

    async fn produce(&self, user: &str, topic: &str, value: &str) -> Reply {
        let body = json!({"records": [{"value": value}]});
        let call = self.as_user(user, Method::POST, &format!("/topics/{topic}")).json(&body);
        call.header("Content-Type", "application/vnd.kafka.json.v2+json").send().await
    }

    /// An instance that reads `topic` from its beginning.
    async fn instance(&self, user: &str, topic: &str) -> String {
        let settings = json!({"name": "i", "format": "json", "auto.offset.reset": "earliest"});
        let made = self.post(user, "/consumers/g", settings).await;
        assert_eq!(made.status, 200, "{}", made.text());
        let path = "/consumers/g/instances/i";
        let subscribed = self.post(user, &format!("{path}/subscription"), json!({"topics": [topic]})).await;
        assert_eq!(subscribed.status, 204, "{}", subscribed.text());
        path.to_owned()
    }

    fn refused_by_kafka(&self) -> usize {
        self.listener.counts.refused.load(Relaxed)
    }

    fn asked(&self, user: &str, api: ApiKey) -> usize {
        self.listener.counts.passed(user, api)
    }
}

const V2: &str = "application/vnd.kafka.v2+json";

/// The values of records in an answer.
fn values(reply: &Reply) -> Vec<Value> {
    let records = reply.json();
    records.as_array().map_or_else(Vec::new, |all| all.iter().map(|record| record["value"].clone()).collect())
}

/// Reads until there are `count` values.
async fn read(read: impl AsyncFn() -> Reply, count: usize) -> Vec<Value> {
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut all = Vec::new();
    while all.len() < count {
        let reply = read().await;
        assert!(reply.status == 200 && Instant::now() < deadline, "{} {}", reply.status, reply.text());
        all.extend(values(&reply));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn kafka_is_asked_by_the_caller_and_by_nobody_else() {
    let secured = Secured::start().await;
    let app = &secured.app;
    app.topic("lab", 1).await;
    let without = app.get("/topics").await;
    assert_eq!(without.refusal(), (401, 401));
    let challenge = "Basic realm=\"Kafka\", charset=\"UTF-8\", Bearer realm=\"Kafka\"";
    assert_eq!(without.header("www-authenticate"), challenge);
    let wrong = secured.with_password("ana", "canary", Method::GET, "/nowhere").send().await;
    assert_eq!(wrong.refusal(), (401, 40101));
    assert_eq!((wrong.header("www-authenticate"), wrong.header("cache-control")), (challenge, "no-store"));
    let message = wrong.message();
    for part in ["Invalid username or password", "SASL_AUTHENTICATION_FAILED", "Nothing was done"] {
        assert!(message.contains(part) && !message.contains("canary"), "{message}");
    }
    assert_eq!(app.get("/").await.status, 200, "that something answers everybody may know");

    let produced = secured.produce("ana", "lab", "one").await;
    assert_eq!((produced.status, produced.json()["offsets"][0]["offset"].clone()), (200, json!(0)));
    assert_eq!(app.records("lab").await, [(None, Some("\"one\"".into()))]);
    assert_eq!(secured.asked("ana", ApiKey::Produce), 1);
    // Administration, groups and reading, each by its caller.
    let create = app.v3("topics");
    let created = secured.as_user("ben", Method::POST, &create).json(&json!({"topic_name": "made"})).send().await;
    assert_eq!(created.status, 201, "{}", created.text());
    assert_eq!(app.partitions("made").await, Some(1));
    assert_eq!(secured.as_user("ben", Method::GET, &app.v3("consumer-groups")).send().await.status, 200);
    let instance = secured.instance("ben", "lab").await;
    let records = async || secured.as_user("ben", Method::GET, &format!("{instance}/records")).send().await;
    assert_eq!(read(records, 1).await, [json!("one")]);
    for api in [ApiKey::CreateTopics, ApiKey::ListGroups, ApiKey::JoinGroup, ApiKey::Fetch, ApiKey::Metadata] {
        assert!(secured.asked("ben", api) > 0, "{api:?}");
        assert!(secured.asked("ana", api) == 0 || api == ApiKey::Metadata, "{api:?}");
    }
    assert_eq!(secured.asked("ben", ApiKey::Produce), 0);
    // At the registry the same proof is asked for; its own work is done as before.
    let subjects = |password: &str| {
        let pair = BASE64_STANDARD.encode(format!("ana:{password}"));
        app.registry(Method::GET, "/subjects").header("Authorization", &format!("Basic {pair}")).send()
    };
    assert_eq!((subjects("ana-secret").await.status, subjects("wrong").await.status), (200, 401));
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_who_come_together_log_in_once() {
    let secured = Arc::new(Secured::start().await);
    let requests = (0..40).map(|_| {
        let secured = Arc::clone(&secured);
        tokio::spawn(async move { secured.topics("ana", "ana-secret").await.status })
    });
    for request in requests.collect::<Vec<_>>() {
        assert_eq!(request.await.expect("it ends"), 200);
    }
    let statistics = secured.identities.statistics();
    assert_eq!((statistics.accepted, statistics.identities), (1, 1));
}

/// What was refused is not shown to Kafka again, and after some of them nothing of that address is, but for those who are known.
#[tokio::test(flavor = "multi_thread")]
async fn wrong_logins_do_not_reach_kafka_for_long() {
    // Sessions end while guesses come: who was known stays so.
    let secured = Secured::with(settings(), Some(Duration::from_millis(50)), None).await;
    assert_eq!(secured.topics("ana", "ana-secret").await.status, 200);
    for _ in 0..5 {
        assert_eq!(secured.topics("ana", "wrong").await.refusal(), (401, 40101));
    }
    assert_eq!(secured.refused_by_kafka(), 1);
    let mut statuses = HashMap::new();
    for n in 0..1000 {
        let refused = secured.topics("ana", &format!("guess {n}")).await;
        *statuses.entry(refused.refusal()).or_insert(0) += 1;
    }
    assert_eq!(statuses, HashMap::from([((401, 40101), 5), ((429, 42901), 995)]));
    assert_eq!(secured.refused_by_kafka(), 6);
    assert_eq!(secured.topics("ana", "ana-secret").await.status, 200);
    assert_eq!(secured.identities.statistics().identities, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_belongs_to_who_made_it() {
    let secured = Secured::start().await;
    secured.app.topic("lab", 1).await;
    let instance = secured.instance("ana", "lab").await;
    for (method, tail) in [(Method::GET, "/records"), (Method::GET, "/subscription"), (Method::DELETE, "")] {
        let foreign = secured.as_user("ben", method.clone(), &format!("{instance}{tail}")).send().await;
        let absent = secured.as_user("ana", method, &format!("/consumers/g/instances/none{tail}")).send().await;
        assert_eq!(foreign.refusal(), (404, 40403));
        assert_eq!(foreign.message().replace("'i'", "'none'"), absent.message());
    }
    let own = secured.as_user("ana", Method::GET, &format!("{instance}/subscription")).send().await;
    assert_eq!(own.json(), json!({"topics": ["lab"]}));
}

/// The session ends, the old password is refused, and with the new one everything goes on, the instance included.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_changes_is_noticed() {
    let secured = Secured::with(settings(), Some(Duration::from_millis(200)), None).await;
    secured.app.topic("lab", 1).await;
    let instance = secured.instance("ana", "lab").await;
    secured.users.lock().insert("ana".to_owned(), "new".to_owned());
    let deadline = Instant::now() + Duration::from_secs(30);
    while secured.topics("ana", "ana-secret").await.refusal() != (401, 40101) {
        assert!(Instant::now() < deadline, "the old password is taken for ever");
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(secured.topics("ana", "new").await.status, 200);
    assert_eq!(secured.identities.statistics().identities, 1);
    assert_eq!(secured.produce("ben", "lab", "after").await.status, 200);
    // Connections that had the old one come back after a pause.
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let read = secured.with_password("ana", "new", Method::GET, &format!("{instance}/records")).send().await;
        if values(&read) == [json!("after")] {
            return;
        }
        assert!(Instant::now() < deadline, "{} {}", read.status, read.text());
    }
}

/// An identity in use stays; one that nobody uses makes room, and goes by itself after a while.
#[tokio::test(flavor = "multi_thread")]
async fn identities_are_bounded_and_idle_ones_go() {
    let one = IdentitySettings { identities: 1, idle: Duration::from_secs(1), ..settings() };
    let secured = Secured::with(one, None, None).await;
    secured.app.topic("lab", 1).await;
    let instance = secured.instance("ana", "lab").await;
    let refused = secured.topics("ben", "ben-secret").await;
    assert_eq!((refused.refusal(), refused.header("retry-after")), ((503, 50302), "1"));
    assert_eq!(secured.identities.statistics().accepted, 1, "Kafka is not asked for nothing");
    assert_eq!(secured.as_user("ana", Method::DELETE, &instance).send().await.status, 204);
    let deadline = Instant::now() + Duration::from_secs(30);
    while secured.topics("ben", "ben-secret").await.status != 200 {
        assert!(Instant::now() < deadline, "nobody makes room");
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(secured.topics("ana", "ana-secret").await.status, 200);
    assert_eq!(secured.identities.statistics().identities, 1);
    while secured.identities.statistics().identities > 0 {
        assert!(Instant::now() < deadline, "an idle identity stays");
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(secured.topics("ana", "ana-secret").await.status, 200, "and comes again");
}

#[tokio::test(flavor = "multi_thread")]
async fn kafka_that_is_away_refuses_nobody() {
    let Secured { app, listener, identities, .. } = Secured::start().await;
    drop(listener);
    let pair = BASE64_STANDARD.encode("ana:ana-secret");
    let call = app.request(Method::GET, "/topics").header("Authorization", &format!("Basic {pair}"));
    let away = call.send().await;
    assert_eq!((away.refusal(), away.header("retry-after")), ((503, 50302), "1"));
    assert!(away.message().contains("Kafka cannot be asked who you are"), "{}", away.message());
    assert_eq!((identities.statistics().failed, identities.statistics().identities), (1, 0));
}

/// The name is the token's claim; a renewed token goes on with what the old one has begun.
#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_judged_by_kafka_and_may_be_renewed() {
    let secured = Secured::start().await;
    secured.app.topic("lab", 1).await;
    let token = |end: &str| {
        let claims = BASE64_URL_SAFE_NO_PAD.encode(format!("{{\"sub\":\"tom\",\"exp\":{end}}}"));
        format!("e30.{claims}.x")
    };
    let ask = |token: &str, method: Method, path: &str| {
        secured.app.request(method, path).header("Authorization", &format!("Bearer {token}"))
    };
    let (first, second) = (token("99999999998"), token("99999999999"));
    secured.users.lock().insert("tom".to_owned(), first.clone());
    let forged = ask(&second, Method::GET, "/topics").send().await;
    assert_eq!(forged.refusal(), (401, 40101), "only Kafka knows who has signed it");
    assert!(!forged.text().contains(&second), "{}", forged.text());
    for (token, expected) in [("canary", "JSON Web Token"), (token("1").as_str(), "has expired")] {
        let refused = ask(token, Method::GET, "/topics").send().await;
        assert_eq!(refused.refusal(), (401, 40101));
        assert!(refused.message().contains(expected), "{}", refused.message());
    }
    let made = ask(&first, Method::POST, "/consumers/g").json(&json!({"name": "i"})).header("Content-Type", V2);
    assert_eq!(made.send().await.status, 200);
    assert_eq!(secured.identities.statistics().identities, 1);
    // Another one: what was refused a moment ago is not shown again at once.
    let third = token("99999999997");
    secured.users.lock().insert("tom".to_owned(), third.clone());
    let found = ask(&third, Method::GET, "/consumers/g/instances/i/subscription").send().await;
    assert_eq!((found.status, found.json()), (200, json!({"topics": []})));
    assert_eq!(secured.identities.statistics().identities, 1);
}

/// Rules and Kafka must both allow: what a rule denies, Kafka is not asked for.
#[tokio::test(flavor = "multi_thread")]
async fn rules_are_looked_at_before_kafka_is_asked() {
    const RULES: &str = "[[rule]]\nwho = [\"ana\"]\ntopics = [\"own.*\"]\nmay = [\"produce\"]";
    let secured = Secured::with(settings(), None, Some(RULES)).await;
    for topic in ["own.t", "other"] {
        secured.app.topic(topic, 1).await;
    }
    assert_eq!(secured.produce("ana", "own.t", "x").await.status, 200);
    assert_eq!(secured.produce("ana", "other", "x").await.refusal(), (403, 40301));
    assert_eq!(secured.produce("eve", "own.t", "x").await.refusal(), (403, 40301));
    let wrong = secured.with_password("eve", "wrong", Method::POST, "/topics/own.t").send().await;
    assert_eq!(wrong.refusal(), (401, 40101), "nobody learns what others may do");
    assert_eq!(secured.asked("ana", ApiKey::Produce), 1);
    for api in [ApiKey::Produce, ApiKey::Metadata] {
        assert_eq!(secured.asked("eve", api), 0, "{api:?}");
    }
    assert_eq!(secured.app.end_offset("other", 0).await, 0);
}
