//! TLS and SASL, with the embedded broker behind a listener that asks for them. Apache Kafka with both is what the rest of the suite
//! runs on when `POSTERN_TEST_SECURITY` says so (`target.rs`).

use std::{
    collections::HashMap,
    fs,
    path::Path,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use kafka_protocol::messages::ApiKey;
use parking_lot::Mutex;
use postern_kafka::{
    ClientCredentials, Cluster, Error, ErrorKind, KeyStore, Sasl, ScramHash, Security, Settings, SharedSecret, Source,
    Tls, TokenSource, TopicName, TrustStore,
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};

use crate::target::{Embedded, append, connect, fresh_name, new_topic, read, value};

mod listener;

use listener::{Listener, Options};

/// A certificate authority.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key, in PEM.
struct Certificate {
    pem: String,
    key: String,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("signed").pem();
        Authority { issuer: Issuer::new(params, key), pem }
    }

    fn certificate(&self, name: &str) -> Certificate {
        self.sign(CertificateParams::new(vec![name.to_owned()]).expect("a name"))
    }

    fn expired(&self, name: &str) -> Certificate {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        params.not_before = rcgen::date_time_ymd(2019, 1, 1);
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
        self.sign(params)
    }

    fn sign(&self, params: CertificateParams) -> Certificate {
        let key = KeyPair::generate().expect("a key");
        let signed = params.signed_by(&key, &self.issuer).expect("signed");
        Certificate { pem: signed.pem(), key: key.serialize_pem() }
    }

    fn trust(&self) -> Option<TrustStore> {
        Some(TrustStore { store: Source::inline(&self.pem), password: None })
    }
}

/// TLS as a broker has it; with `clients`, it wants certificates that they have signed.
fn server(certificate: &Certificate, clients: Option<&Authority>) -> Option<Arc<ServerConfig>> {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone());
    let builder = builder.with_safe_default_protocol_versions().expect("the default versions");
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            let root = CertificateDer::from_pem_slice(authority.pem.as_bytes()).expect("PEM");
            roots.add(root).expect("a certificate");
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.expect("a verifier"))
        }
    };
    let chain = vec![CertificateDer::from_pem_slice(certificate.pem.as_bytes()).expect("PEM")];
    let key = PrivateKeyDer::from_pem_slice(certificate.key.as_bytes()).expect("PEM");
    Some(Arc::new(builder.with_single_cert(chain, key).expect("they belong together")))
}

/// The users that a listener knows.
fn users(user: &str, password: &str) -> Arc<Mutex<HashMap<String, String>>> {
    Arc::new(Mutex::new(HashMap::from([(user.to_owned(), password.to_owned())])))
}

fn secured(listener: &Listener, security: Security) -> Cluster {
    let settings = Settings { security, ..Settings::for_test(listener.address.to_string()) };
    Cluster::connect(settings).expect("the settings are sound")
}

fn scram(hash: ScramHash, user: &str, password: Source) -> Option<Sasl> {
    Some(Sasl::Scram { hash, user: user.to_owned(), password })
}

/// Creates a topic, writes and reads through `cluster`, and looks at the broker itself whether that is true.
async fn round_trip(cluster: &Cluster, embedded: &Embedded) -> TopicName {
    let topic = fresh_name();
    cluster.create_topic(&new_topic(&topic, 1)).await.expect("created");
    let written = append(cluster, &topic, vec![value("one"), value("two")]).await;
    assert!(written.iter().all(Result::is_ok), "{written:?}");
    for reader in [cluster, &connect(&embedded.broker.address().to_string())] {
        let records = read(reader, &topic, 2).await;
        let values: Vec<_> = records.iter().map(|record| record.value.clone().expect("a value")).collect();
        assert_eq!(values, ["one", "two"]);
    }
    topic
}

/// The first call fails at once: what is refused is not tried until the time is up.
async fn refused(cluster: &Cluster) -> Error {
    let started = Instant::now();
    let error = cluster.describe_cluster().await.expect_err("refused");
    assert_eq!(error.kind, ErrorKind::Authentication, "{error}");
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
    error
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mechanism_works_over_tls() {
    let embedded = Embedded::start().await;
    let authority = Authority::new();
    let tls = server(&authority.certificate("127.0.0.1"), None);
    let options = Options { tls, users: Some(users("ana", "e30.e30.x")), session: None };
    let listener = Listener::start(embedded.broker.address(), options).await;
    let password = || Source::inline("e30.e30.x");
    for sasl in [
        Some(Sasl::Plain { user: "ana".to_owned(), password: password() }),
        scram(ScramHash::Sha256, "ana", password()),
        scram(ScramHash::Sha512, "ana", password()),
        Some(Sasl::OAuthBearer { token: TokenSource::Given(password()), extensions: Vec::new() }),
    ] {
        let tls = Some(Tls { trust: authority.trust(), ..Tls::default() });
        round_trip(&secured(&listener, Security { tls, sasl }), &embedded).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_record_goes_over_tls() {
    let embedded = Embedded::start().await;
    let authority = Authority::new();
    let options = Options { tls: server(&authority.certificate("127.0.0.1"), None), ..Options::default() };
    let listener = Listener::start(embedded.broker.address(), options).await;
    let tls = Some(Tls { trust: authority.trust(), ..Tls::default() });
    let cluster = secured(&listener, Security { tls, sasl: None });
    let topic = fresh_name();
    cluster.create_topic(&new_topic(&topic, 1)).await.expect("created");
    let text: String = (0..100_000).map(|number| format!("{number:09}")).collect();
    for written in append(&cluster, &topic, vec![value(&text), value("after")]).await {
        written.expect("written");
    }
    let records = read(&cluster, &topic, 2).await;
    assert_eq!(records[0].value.as_deref(), Some(text.as_bytes()));
    assert_eq!(records[1].value.as_deref(), Some("after".as_bytes()));
}

#[tokio::test(flavor = "multi_thread")]
async fn brokers_that_want_a_certificate_get_one() {
    let embedded = Embedded::start().await;
    let (authority, clients) = (Authority::new(), Authority::new());
    let tls = server(&authority.certificate("127.0.0.1"), Some(&clients));
    let listener = Listener::start(embedded.broker.address(), Options { tls, ..Options::default() }).await;
    let with_key = |certificate: Option<Certificate>| {
        let key = certificate.map(|Certificate { pem, key }| KeyStore {
            store: Source::inline(pem),
            key: Some(Source::inline(key)),
            password: None,
            key_password: None,
        });
        let tls = Some(Tls { trust: authority.trust(), key, ..Tls::default() });
        secured(&listener, Security { tls, sasl: None })
    };
    round_trip(&with_key(Some(clients.certificate("postern"))), &embedded).await;
    for wrong in [None, Some(authority.certificate("postern")), Some(clients.expired("postern"))] {
        let error = refused(&with_key(wrong)).await;
        assert!(error.message.contains("does not accept the client certificate, or wants one"), "{error}");
        assert!(error.message.contains(&listener.address.to_string()), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn brokers_are_trusted_by_authority_name_and_time() {
    let embedded = Embedded::start().await;
    let (authority, other) = (Authority::new(), Authority::new());
    for (certificate, expected) in [
        (other.certificate("127.0.0.1"), "no trusted authority has signed it"),
        (authority.certificate("kafka.example.org"), "kafka.example.org"),
        (authority.expired("127.0.0.1"), "expired"),
    ] {
        let tls = server(&certificate, None);
        let listener = Listener::start(embedded.broker.address(), Options { tls, ..Options::default() }).await;
        let tls = Tls { trust: authority.trust(), ..Tls::default() };
        let error = refused(&secured(&listener, Security { tls: Some(tls.clone()), sasl: None })).await;
        assert!(error.message.contains(expected), "{error}");
        assert_eq!(error.name, "SSL_HANDSHAKE_FAILED");

        // Without the check of names, the name is the only thing that may be wrong.
        let tls = Tls { verify_host_name: false, ..tls };
        let cluster = secured(&listener, Security { tls: Some(tls), sasl: None });
        match expected {
            "kafka.example.org" => drop(round_trip(&cluster, &embedded).await),
            _ => assert!(refused(&cluster).await.message.contains(expected)),
        }
    }
}

/// A wrong protocol is no refusal, but the error says what may be wrong.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_protocol_is_guessed() {
    let embedded = Embedded::start().await;
    let authority = Authority::new();
    let tls = || server(&authority.certificate("127.0.0.1"), None);
    let users = || Some(users("ana", "secret"));
    let client = |is_tls: bool, is_sasl: bool| Security {
        tls: is_tls.then(|| Tls { trust: authority.trust(), ..Tls::default() }),
        sasl: if is_sasl { scram(ScramHash::Sha256, "ana", Source::inline("secret")) } else { None },
    };
    for (options, security, expected) in [
        (Options { tls: tls(), ..Options::default() }, client(false, false), "no TLS is set"),
        (Options::default(), client(true, false), "may not speak TLS"),
        (Options { users: users(), ..Options::default() }, client(false, false), "may want SASL"),
        (Options::default(), client(false, true), "does not want SASL"),
    ] {
        let listener = Listener::start(embedded.broker.address(), options).await;
        let patience = Duration::from_millis(500);
        let settings =
            Settings { security, unreachable_timeout: patience, ..Settings::for_test(listener.address.to_string()) };
        let cluster = Cluster::connect(settings).expect("the settings are sound");
        let error = cluster.describe_cluster().await.expect_err("it cannot work");
        assert!(error.message.contains(expected), "{error}");
    }
}

/// Whoever asks is told why, the broker is not asked each time, and a new password is taken from its file.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_told_and_not_tried_in_a_loop() {
    let embedded = Embedded::start().await;
    let options = Options { users: Some(users("ana", "right")), ..Options::default() };
    let listener = Listener::start(embedded.broker.address(), options).await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("password");
    fs::write(&path, "canary-wrong\n").expect("written");
    let sasl = scram(ScramHash::Sha512, "ana", Source::File(path.clone()));
    let cluster = secured(&listener, Security { tls: None, sasl });
    let topic = fresh_name();
    for _ in 0..50 {
        let error = refused(&cluster).await;
        for part in ["SCRAM-SHA-512", "'ana'", "Invalid username or password", &listener.address.to_string()] {
            assert!(error.message.contains(part), "{error}");
        }
        assert!(!format!("{error:?}").contains("canary"), "{error}");
        let error = cluster.partitions_for_produce(&topic).await.expect_err("refused");
        assert_eq!(error.kind, ErrorKind::Authentication, "{error}");
    }
    let refusals = listener.counts.refused.load(Ordering::Relaxed);
    assert!((1..=4).contains(&refusals), "{refusals} refusals for 100 calls");
    let connections = listener.counts.connections.load(Ordering::Relaxed);
    assert!(connections <= 8, "{connections} connections for 100 calls");
    fs::write(&path, "right\n").expect("written");
    until_it_works(&cluster).await;
    round_trip(&cluster, &embedded).await;
}

/// Somebody else's client: its own connections, its own credentials, which may be replaced by others of the same user.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_lent_to_others_with_credentials_of_their_own() {
    let embedded = Embedded::start().await;
    let users = users("ana", "old");
    let options =
        Options { users: Some(users.clone()), session: Some(Duration::from_millis(200)), ..Options::default() };
    let listener = Listener::start(embedded.broker.address(), options).await;
    let nobody = secured(&listener, Security::default());
    let wrong = scram(ScramHash::Sha256, "ana", Source::inline("canary"));
    let error = nobody.log_in(wrong.expect("credentials")).await.expect_err("refused");
    assert_eq!((error.kind, error.name.as_str()), (ErrorKind::Authentication, "SASL_AUTHENTICATION_FAILED"));
    assert!(error.message.contains("Invalid username or password") && !format!("{error:?}").contains("canary"));

    let secret = SharedSecret::new("old");
    let sasl = scram(ScramHash::Sha256, "ana", Source::Shared(secret.clone())).expect("credentials");
    let login = nobody.log_in(sasl).await.expect("accepted");
    assert_eq!(login.lifetime(), Some(Duration::from_millis(200)));
    let ana = nobody.for_login(&login);
    round_trip(&ana, &embedded).await;
    for (api, least) in [(ApiKey::Produce, 1), (ApiKey::Metadata, 1), (ApiKey::CreateTopics, 1)] {
        assert!(listener.counts.passed("ana", api) >= least, "{api:?}");
    }
    assert_eq!(ana.refused_logins(), 0);
    users.lock().insert("ana".to_owned(), "new".to_owned());
    let deadline = Instant::now() + Duration::from_secs(30);
    while ana.describe_cluster().await.is_ok() {
        assert!(Instant::now() < deadline, "the session does not end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(ana.refused_logins() > 0);
    secret.replace("new");
    until_it_works(&ana).await;
    round_trip(&ana, &embedded).await;
}

/// A pause may be under way.
async fn until_it_works(cluster: &Cluster) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while let Err(error) = cluster.describe_cluster().await {
        assert!(Instant::now() < deadline, "{error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// KIP-368: sessions are renewed on their connections, between requests.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_renewed_without_anybody_noticing() {
    let embedded = Embedded::start().await;
    let options = Options {
        users: Some(users("ana", "secret")),
        session: Some(Duration::from_millis(200)),
        ..Options::default()
    };
    let listener = Listener::start(embedded.broker.address(), options).await;
    let sasl = scram(ScramHash::Sha256, "ana", Source::inline("secret"));
    let cluster = secured(&listener, Security { tls: None, sasl });
    let topic = fresh_name();
    cluster.create_topic(&new_topic(&topic, 1)).await.expect("created");
    append(&cluster, &topic, vec![value("0")]).await.remove(0).expect("written");
    let mut reader = cluster.reader(&topic, postern_kafka::PartitionId(0)).expect("starts");
    let mut values: Vec<_> = reader.next().await.expect("read");
    let connections = || listener.counts.connections.load(Ordering::Relaxed);
    let before = connections();
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut count = 1;
    // On each of the connections several times.
    while listener.counts.handshakes.load(Ordering::Relaxed) < 6 * before {
        assert!(Instant::now() < deadline, "{} handshakes", listener.counts.handshakes.load(Ordering::Relaxed));
        append(&cluster, &topic, vec![value(&count.to_string())]).await.remove(0).expect("written");
        cluster.describe_cluster().await.expect("answered");
        while values.len() <= count {
            values.extend(reader.next().await.expect("read"));
        }
        count += 1;
    }
    assert_eq!(connections(), before, "no connection was lost");
    for (number, record) in values.iter().enumerate() {
        assert_eq!(record.value.as_deref(), Some(number.to_string().as_bytes()));
        assert_eq!(record.offset.0, number as i64);
    }
}

/// A password that changes during a session: calls fail with the refusal, and work again when the client has the new one.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_cannot_be_renewed_ends_with_the_refusal() {
    let embedded = Embedded::start().await;
    let known = users("ana", "old");
    let options =
        Options { users: Some(known.clone()), session: Some(Duration::from_millis(200)), ..Options::default() };
    let listener = Listener::start(embedded.broker.address(), options).await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("password");
    fs::write(&path, "old").expect("written");
    let sasl = scram(ScramHash::Sha256, "ana", Source::File(path.clone()));
    let cluster = secured(&listener, Security { tls: None, sasl });
    let topic = round_trip(&cluster, &embedded).await;

    known.lock().insert("ana".to_owned(), "new".to_owned());
    let deadline = Instant::now() + Duration::from_secs(30);
    let error = loop {
        match cluster.describe_cluster().await {
            Err(error) if error.kind == ErrorKind::Authentication => break error,
            _ => assert!(Instant::now() < deadline, "the session goes on for ever"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(error.message.contains("Invalid username or password"), "{error}");
    fs::write(&path, "new").expect("written");
    until_it_works(&cluster).await;
    append(&cluster, &topic, vec![value("three")]).await.remove(0).expect("written");
    assert_eq!(read(&cluster, &topic, 3).await.len(), 3);
}

/// Tokens by OAuth 2.0 client credentials: fetched when needed, and again for each renewal of a session.
#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_fetched_with_client_credentials() {
    let embedded = Embedded::start().await;
    let known = users("token", "token-1");
    let options = Options { users: Some(known.clone()), ..Options::default() };
    let listener = Listener::start(embedded.broker.address(), options).await;
    let issuer = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = format!("http://{}/token", issuer.local_addr().expect("bound"));
    let requests = Arc::new(Mutex::new(Vec::new()));
    let heard = requests.clone();
    let serving = tokio::spawn(async move {
        while let Ok((mut socket, _)) = issuer.accept().await {
            let mut request = vec![0; 4096];
            let length = socket.read(&mut request).await.unwrap_or(0);
            let request = String::from_utf8_lossy(&request[..length]).into_owned();
            let (status, body) = match request.contains("cG9zdGVybjpyaWdodA==") {
                true => ("200 OK", r#"{"access_token":"token-1","expires_in":3600}"#),
                false => ("401 Unauthorized", r#"{"error":"invalid_client","error_description":"unknown"}"#),
            };
            heard.lock().push(request);
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _ = socket.write_all(format!("{head}{body}").as_bytes()).await;
        }
    });
    let folder = tempfile::tempdir().expect("a temporary folder");
    let secret = folder.path().join("secret");
    fs::write(&secret, "canary-wrong").expect("written");
    let token = TokenSource::ClientCredentials(ClientCredentials {
        endpoint,
        client_id: "postern".to_owned(),
        client_secret: Source::File(secret.clone()),
        scope: Some("kafka read".to_owned()),
        audience: None,
        trust: None,
    });
    let sasl = Some(Sasl::OAuthBearer { token, extensions: Vec::new() });
    let cluster = secured(&listener, Security { tls: None, sasl });

    let error = refused(&cluster).await;
    for part in ["token endpoint http://", "'postern'", "401", "invalid_client", "unknown"] {
        assert!(error.message.contains(part), "{error}");
    }
    assert!(!error.message.contains("canary"), "{error}");
    fs::write(&secret, "right").expect("written");
    until_it_works(&cluster).await;
    round_trip(&cluster, &embedded).await;
    let requests = requests.lock();
    let taken = requests.iter().filter(|request| request.contains("cG9zdGVybjpyaWdodA==")).count();
    assert_eq!(taken, 1, "one token for all connections");
    let last = requests.last().expect("asked");
    assert!(
        last.starts_with("POST /token ") && last.ends_with("grant_type=client_credentials&scope=kafka%20read"),
        "{last}"
    );
    serving.abort();
}

/// What cannot work is refused when the client starts.
#[tokio::test]
async fn stores_and_secrets_are_read_at_the_start() {
    let missing = || Source::File(Path::new("/nonexistent/store").to_owned());
    let trust = Some(TrustStore { store: missing(), password: None });
    for security in [
        Security { tls: Some(Tls { trust, ..Tls::default() }), sasl: None },
        Security { tls: None, sasl: scram(ScramHash::Sha256, "ana", missing()) },
    ] {
        let settings = Settings { security, ..Settings::for_test("127.0.0.1:1") };
        let error = Cluster::connect(settings).expect_err("refused");
        assert!(error.kind == ErrorKind::InvalidRequest && error.message.contains("/nonexistent/store"), "{error}");
    }
}
