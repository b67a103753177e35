//! Another registry over HTTP: who is asked, how often, with which credentials, and for how long answers count.

mod script;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use postern_registry::{Error, ResolveError, SchemaId, SchemaRef, Subject};
use postern_registry_client::{Authorities, Credentials, RegistryUrl, Remote, RemoteSettings};
use postern_schema::SchemaKind;
use script::{Registry, Says};
use serde_json::json;

fn settings(urls: &[&str]) -> RemoteSettings {
    RemoteSettings::new(urls.iter().map(|url| RegistryUrl::parse(url).expect("a URL")).collect())
}

fn subject() -> Subject {
    Subject::parse("t-value")
}

/// An Avro `int` under id 7, whatever was asked.
fn int(_: &str) -> Says {
    Says::This(200, json!({"subject": "t-value", "version": 1, "id": 7, "schema": "\"int\""}).to_string())
}

fn refusal(status: u16, code: u32) -> Says {
    Says::This(status, json!({"error_code": code, "message": "no"}).to_string())
}

async fn latest(remote: &Remote) -> Result<SchemaId, ResolveError> {
    let subject = subject();
    remote.resolve(&subject, &SchemaRef::Latest { subject: &subject }).await.map(|writer| writer.id)
}

fn unreachable(error: ResolveError) -> String {
    match error {
        ResolveError::Refused { error: Error::Unreachable(why), .. } => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_authority_in_the_file_is_believed_and_no_other() {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let registry = Registry::start_tls(&own, int).await;
    let remote = |host: &str, pem: &str| {
        let url = format!("https://me:secret@{host}:{}", registry.address.port());
        let authorities = Some(Authorities::parse(pem).expect("PEM"));
        Remote::new(RemoteSettings { authorities, ..settings(&[&url]) })
    };
    let why = unreachable(latest(&remote("localhost", &other.cert.pem())).await.expect_err("a stranger"));
    assert!(why.contains("certificate"), "{why}");
    let why = unreachable(latest(&remote("127.0.0.1", &own.cert.pem())).await.expect_err("another name"));
    assert!(why.contains("certificate"), "{why}");
    assert_eq!(registry.asked(), [], "nobody was told the password");
    assert_eq!(latest(&remote("localhost", &own.cert.pem())).await.expect("believed"), SchemaId(7));
}

#[tokio::test]
async fn a_url_knows_its_credentials_best_and_nobody_else_is_told_them() {
    let strange = Registry::start(int).await;
    let elsewhere = strange.url();
    let registry = Registry::start(move |_| Says::Elsewhere(format!("{elsewhere}/subjects"))).await;
    let place = registry.address;
    let bearer = Some(Credentials::Bearer("token".to_owned()));
    let basic = Some(Credentials::Basic { user: "you".to_owned(), password: "a:b".to_owned() });
    for (url, credentials, told) in [
        (format!("http://{place}"), None, None),
        (format!("http://{place}"), bearer.clone(), Some("Bearer token")),
        (format!("http://{place}"), basic, Some("Basic eW91OmE6Yg==")),
        (format!("http://me:secret@{place}/"), bearer, Some("Basic bWU6c2VjcmV0")),
    ] {
        let remote = Remote::new(RemoteSettings { credentials, ..settings(&[&url]) });
        match latest(&remote).await {
            Err(ResolveError::Refused { error: Error::Remote { status: 307, .. }, .. }) => {}
            other => panic!("a redirect is a refusal: {other:?}"),
        }
        let asked = registry.asked();
        let (line, who) = asked.last().expect("it was asked");
        assert_eq!((line.as_str(), who.as_deref()), ("GET /subjects/t-value/versions/latest", told), "{url}");
    }
    assert_eq!(strange.asked(), []);
}

#[tokio::test]
async fn instances_are_tried_in_turn_within_the_time_beginning_with_the_one_that_answered() {
    let silent = Registry::start(|_| Says::Nothing).await;
    let failing = Registry::start(|_| refusal(503, 50004)).await;
    let good = Registry::start(|_| refusal(404, 40401)).await;
    let urls = ["http://127.0.0.1:1".to_owned(), failing.url(), silent.url(), good.url()];
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let (timeout, freshness) = (Duration::from_millis(800), Duration::ZERO);
    let remote = Remote::new(RemoteSettings { timeout, freshness, ..settings(&urls) });
    for turn in 1..=2 {
        let began = Instant::now();
        match latest(&remote).await {
            Err(ResolveError::Refused { error: Error::Remote { status: 404, code: 40401, .. }, .. }) => {}
            other => panic!("{other:?}"),
        }
        assert!(began.elapsed() < timeout);
        assert_eq!((failing.asked().len(), silent.asked().len(), good.asked().len()), (1, 1, turn));
    }
    let began = Instant::now();
    let all_bad = Remote::new(RemoteSettings { timeout, ..settings(&[&silent.url(), &failing.url()]) });
    let why = unreachable(latest(&all_bad).await.expect_err("nobody answers"));
    assert!(why.contains("no answer in time") && why.contains("503"), "{why}");
    assert!(began.elapsed() < 2 * timeout, "{:?}", began.elapsed());
}

#[tokio::test]
async fn ids_are_believed_for_ever_latest_and_misses_for_a_while() {
    let latest_is = Arc::new(AtomicUsize::new(0));
    let now = latest_is.clone();
    let registry = Registry::start(move |line| match line {
        "GET /subjects/t-value/versions/latest" => match now.load(Ordering::Relaxed) {
            0 => refusal(404, 40401),
            id => Says::This(200, json!({"id": id, "schema": "\"int\""}).to_string()),
        },
        _ => int(line),
    })
    .await;
    let freshness = Duration::from_millis(300);
    let remote = Remote::new(RemoteSettings { freshness, ..settings(&[&registry.url()]) });
    let subject = subject();
    for _ in 0..3 {
        assert!(latest(&remote).await.is_err());
        let text = SchemaRef::Inline { kind: SchemaKind::Avro, text: "\"int\"" };
        assert_eq!(remote.resolve(&subject, &text).await.expect("known").id, SchemaId(7));
        assert_eq!(remote.resolve(&subject, &SchemaRef::Id(SchemaId(7))).await.expect("known").id, SchemaId(7));
    }
    let lines = |registry: &Registry| registry.asked().into_iter().map(|(line, _)| line).collect::<Vec<_>>();
    let first = [
        "GET /subjects/t-value/versions/latest",
        "POST /subjects/t-value",
        "GET /schemas/ids/7?subject=t-value",
        "POST /subjects/t-value", // whether the id is registered there
    ];
    assert_eq!(lines(&registry), first);
    assert_eq!(registry.connections(), 1, "connections are kept");

    latest_is.store(8, Ordering::Relaxed);
    assert!(latest(&remote).await.is_err(), "a miss counts a while");
    tokio::time::sleep(freshness).await;
    assert_eq!(latest(&remote).await.expect("there now"), SchemaId(8));
    latest_is.store(9, Ordering::Relaxed);
    assert_eq!(latest(&remote).await.expect("so does what is latest"), SchemaId(8));
    tokio::time::sleep(freshness).await;
    assert_eq!(latest(&remote).await.expect("newer"), SchemaId(9));
    remote.resolve(&subject, &SchemaRef::Id(SchemaId(7))).await.expect("known");
    assert_eq!(lines(&registry).len(), first.len() + 2, "ids never change");
}

#[tokio::test]
async fn answers_that_make_no_sense_or_no_end_are_failures() {
    for (body, expected) in [
        ("<html>".to_owned(), "not JSON"),
        ("{}".to_owned(), "without"),
        (format!("\"{}\"", "x".repeat(33 << 20)), "limit"),
    ] {
        let registry = Registry::start(move |_| Says::This(200, body.clone())).await;
        let remote = Remote::new(settings(&[&registry.url()]));
        let why = unreachable(latest(&remote).await.expect_err("nonsense"));
        assert!(why.contains(expected), "{why}");
    }
    // References that go round in circles.
    let registry = Registry::start(|_| {
        let references = json!([{"name": "R", "subject": "t-value", "version": 1}]);
        Says::This(200, json!({"id": 1, "schema": "\"R\"", "references": references}).to_string())
    })
    .await;
    match latest(&Remote::new(settings(&[&registry.url()]))).await {
        Err(ResolveError::Refused { error: Error::InvalidReference(why), .. }) => assert!(why.contains("circular")),
        other => panic!("{other:?}"),
    }
    assert!(registry.asked().len() < 70);
}
